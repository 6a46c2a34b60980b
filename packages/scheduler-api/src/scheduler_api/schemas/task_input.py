"""Task bodies into definitions: types first, then every rule of core, all problems at once."""

from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec

from scheduler_api.schemas.object_reader import read_object
from scheduler_api.schemas.task_schema import READ_ONLY_FIELDS, RetryBody, ScheduleBody, TaskBody
from scheduler_core.decisions.schedule_rules import check_schedule
from scheduler_core.decisions.task_rules import check_definition
from scheduler_core.errors import InvalidInputError, Problem
from scheduler_core.models import RetryPolicy, Schedule, TaskDefinition

_DEFAULT_TIMEZONE = "UTC"


class ReadTask(NamedTuple):
    """A definition, and everything that is wrong with it; with problems it must not be stored.

    Fields that could not be read have a harmless value in it.
    """

    definition: TaskDefinition
    problems: list[Problem]


def read_task(document: Any, task_types: Collection[str], path: str = "") -> ReadTask:
    """A whole definition."""
    values, problems = read_object(document, TaskBody, path=path, read_only=READ_ONLY_FIELDS)
    if not isinstance(document, dict):
        return ReadTask(TaskDefinition(name="unnamed", task_type=""), problems)
    unreadable = {_top(problem.field, path) for problem in problems}
    fields, schedule_problems = _fields(values, None)
    definition = TaskDefinition(**{"name": "unnamed", "task_type": "", **fields})
    judged = schedule_problems + check_definition(definition, task_types)
    problems += [_below(path, problem) for problem in judged if _top(problem.field) not in unreadable]
    return ReadTask(definition, _in_order(problems))


def read_task_changes(document: Any, before: TaskDefinition, task_types: Collection[str]) -> ReadTask:
    """What a definition becomes when the fields that are given are replaced; a type that stays is not judged anew."""
    values, problems = read_object(document, TaskBody, partial=True, read_only=READ_ONLY_FIELDS)
    if not isinstance(document, dict):
        return ReadTask(before, problems)
    unreadable = {_top(problem.field) for problem in problems}
    fields, schedule_problems = _fields(values, before)
    definition = msgspec.structs.replace(before, **fields)
    if definition.namespace != before.namespace:
        schedule_problems.append(namespace_problem(before.namespace))
    judged = schedule_problems + check_definition(definition, {*task_types, before.task_type})
    problems += [problem for problem in judged if _top(problem.field) not in unreadable]
    return ReadTask(definition, _in_order(problems))


def namespace_problem(namespace: str) -> Problem:
    """What to say when a task is asked to move."""
    return Problem(
        "namespace", f"A task stays in its namespace, here '{namespace}'. Create a task in the other one instead."
    )


def _fields(values: dict[str, Any], before: TaskDefinition | None) -> tuple[dict[str, Any], list[Problem]]:
    """Fields of a definition from those of a body."""
    fields = {name: value for name, value in values.items() if name not in ("schedule", "timezone", "retry")}
    problems: list[Problem] = []
    if "dependencies" in fields:
        fields["dependencies"] = tuple(fields["dependencies"])
    if "retry" in values:
        retry: RetryBody = values["retry"]
        fields["retry"] = RetryPolicy(**msgspec.structs.asdict(retry))
    if "schedule" in values or (before is not None and values.get("timezone") is not None):
        given = values["schedule"] if "schedule" in values else _body_of(before, problems)
        fields["schedule"] = _schedule(given, values.get("timezone"), problems)
    elif values.get("timezone") is not None:
        problems += _timezone_problems(values["timezone"])
    return fields, problems


def _body_of(before: TaskDefinition | None, problems: list[Problem]) -> ScheduleBody | None:
    """The present schedule, to be given another time zone."""
    if before is None or before.schedule is None:
        problems.append(
            Problem("timezone", "The task has no schedule that could be in a time zone. Give schedule, too.")
        )
        return None
    return ScheduleBody(cron=before.schedule.cron, at=before.schedule.at)


def _schedule(given: str | ScheduleBody | None, beside: str | None, problems: list[Problem]) -> Schedule | None:
    if given is None:
        if beside is not None and not any(problem.field == "timezone" for problem in problems):
            problems += _timezone_problems(beside)
        return None
    if isinstance(given, str):
        return Schedule(cron=given, timezone=_DEFAULT_TIMEZONE if beside is None else beside)
    if given.timezone is not None and beside is not None and given.timezone != beside:
        problems.append(
            Problem("timezone", f"timezone is '{beside[:50]}', schedule.timezone is '{given.timezone[:50]}'. Give one.")
        )
    if given.at is not None and not 1970 <= given.at.year <= 9000:
        problems.append(Problem("schedule.at", f"The year {given.at.year} is out of reach. Use 1970 to 9000."))
        return None
    timezone = next((zone for zone in (given.timezone, beside) if zone is not None), _DEFAULT_TIMEZONE)
    return Schedule(cron=given.cron, timezone=timezone, at=given.at)


def _timezone_problems(timezone: str) -> list[Problem]:
    found = check_schedule(Schedule(cron="@daily", timezone=timezone))
    return [Problem("timezone", problem.message) for problem in found]


def _below(path: str, problem: Problem) -> Problem:
    return Problem(f"{path}{problem.field}", problem.message)


def _top(field: str, path: str = "") -> str:
    """The field of the task that a problem's path begins with."""
    return field.removeprefix(path).partition(".")[0]


def _in_order(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def raise_problems(problems: list[Problem]) -> None:
    """Raise InvalidInputError when there is any problem."""
    if problems:
        raise InvalidInputError(problems)
