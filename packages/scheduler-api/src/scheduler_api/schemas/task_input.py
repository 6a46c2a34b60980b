"""Task bodies into definitions: types first, then every rule of core, all problems at once."""

from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec

from scheduler_api.schemas.dependency_input import read_dependencies
from scheduler_api.schemas.dispatch_input import DISPATCH_FIELDS, read_dispatch
from scheduler_api.schemas.object_reader import read_object
from scheduler_api.schemas.parameter_input import definition_schema_problems
from scheduler_api.schemas.retry_schema import RetryBody, retry_policy
from scheduler_api.schemas.schedule_input import in_timezone, read_schedule, timezone_problems
from scheduler_api.schemas.task_schema import READ_ONLY_FIELDS, TaskBody
from scheduler_core.decisions.schedule_check import check_schedule
from scheduler_core.decisions.task_rules import check_definition
from scheduler_core.errors import InvalidInputError, Problem
from scheduler_core.models import FLOW_TASK_TYPE, Schedule, TaskDefinition


class ReadTask(NamedTuple):
    """A definition, and everything that is wrong with it; with problems it must not be stored.

    Fields that could not be read have a harmless value in it.
    """

    definition: TaskDefinition
    problems: list[Problem]


def read_task(document: Any, task_types: Collection[str] | None, path: str = "") -> ReadTask:
    """A whole definition. `task_types` are the types that somebody can run; None leaves that open."""
    readable = _readable(document)
    values, problems = read_object(readable, TaskBody, path=path, read_only=READ_ONLY_FIELDS)
    if not isinstance(document, dict):
        return ReadTask(TaskDefinition(name="unnamed", task_type=""), problems)
    if "task_type" not in readable:
        problems.append(Problem(f"{path}task_type", "task_type is missing."))
    fields, field_problems = _fields(document, values, None)
    definition = TaskDefinition(**{"name": "unnamed", "task_type": "", **fields})
    judged = field_problems + _judged(definition, task_types)
    return ReadTask(definition, problems + _news(problems, judged, path))


def read_task_changes(document: Any, before: TaskDefinition, task_types: Collection[str]) -> ReadTask:
    """What a definition becomes when the fields that are given are replaced; a type that stays is not judged anew."""
    values, problems = read_object(_readable(document), TaskBody, partial=True, read_only=READ_ONLY_FIELDS)
    if not isinstance(document, dict):
        return ReadTask(before, problems)
    fields, field_problems = _fields(document, values, before)
    definition = msgspec.structs.replace(before, **fields)
    if definition.namespace != before.namespace:
        field_problems.append(namespace_problem(before.namespace))
    judged = field_problems + _judged(definition, {*task_types, before.task_type})
    return ReadTask(definition, problems + _news(problems, judged))


def namespace_problem(namespace: str) -> Problem:
    """What to say when a task is asked to move."""
    return Problem(
        "namespace", f"A task stays in its namespace, here '{namespace}'. Create a task in the other one instead."
    )


def _readable(document: Any) -> Any:
    """The body without its schedule, which has its own reader (of that every readable part is judged), and its type.

    Who gives a sub-flow need not say that the type is flow. A number for `keep` is judged like the text that it lacks a
    unit in.
    """
    if not isinstance(document, dict):
        return document
    implied = {"task_type": FLOW_TASK_TYPE} if document.get("sub_flow") is not None else {}
    readable = {**implied, **{name: value for name, value in document.items() if name != "schedule"}}
    keep = readable.get("keep")
    if isinstance(keep, int | float) and not isinstance(keep, bool):
        readable["keep"] = repr(keep)
    return readable


def _fields(
    document: dict[str, Any], values: dict[str, Any], before: TaskDefinition | None
) -> tuple[dict[str, Any], list[Problem]]:
    """Fields of a definition from those of a body."""
    fields = {name: value for name, value in values.items() if name not in ("timezone", "retry", *DISPATCH_FIELDS)}
    dispatch_fields, dispatch_problems = read_dispatch(values)
    fields.update(dispatch_fields)
    dependency_problems: list[Problem] = []
    if "dependencies" in fields:
        fields["dependencies"], dependency_problems = read_dependencies(fields["dependencies"])
    if "retry" in values:
        retry: RetryBody = values["retry"]
        fields["retry"] = retry_policy(retry)
    timezone: str | None = values.get("timezone")
    if "schedule" in document:
        fields["schedule"], problems = read_schedule(document["schedule"], timezone)
    elif before is not None and timezone is not None:
        fields["schedule"], problems = _moved(before.schedule, timezone)
    else:
        problems = timezone_problems(timezone)
    return fields, problems + dependency_problems + dispatch_problems


def _moved(before: Schedule | None, timezone: str) -> tuple[Schedule | None, list[Problem]]:
    """The present schedule in another time zone."""
    if before is None:
        message = "The task has no schedule that could be in a time zone. Give schedule, too."
        return None, [Problem("timezone", message)]
    problems = timezone_problems(timezone)
    if problems:
        return before, problems
    moved = in_timezone(before, timezone)
    return moved, check_schedule(moved)


def _judged(definition: TaskDefinition, task_types: Collection[str] | None) -> list[Problem]:
    """Without those of the schedule: its reader has told them, and one that stays is not judged anew."""
    problems = check_definition(definition, task_types) + definition_schema_problems(definition)
    return [problem for problem in problems if problem.field.partition(".")[0] != "schedule"]


def _news(told: list[Problem], judged: list[Problem], path: str = "") -> list[Problem]:
    """What was judged, each once, without the fields that could not be read at all."""
    unreadable = {problem.field.removeprefix(path).partition(".")[0] for problem in told}
    fresh = [problem for problem in dict.fromkeys(judged) if problem.field.partition(".")[0] not in unreadable]
    return [Problem(f"{path}{problem.field}", problem.message) for problem in fresh]


def raise_problems(problems: list[Problem]) -> None:
    """Raise InvalidInputError when there is any problem."""
    if problems:
        raise InvalidInputError(problems)
