"""Whether a task definition can be accepted. Every problem is told at once."""

from collections.abc import Collection, Iterator

import msgspec

from scheduler_core.decisions.dependency_rules import check_dependencies
from scheduler_core.decisions.dispatch_option_rules import check_dispatch_options
from scheduler_core.decisions.flow_option_rules import check_flow_options
from scheduler_core.decisions.label_rules import label_problem
from scheduler_core.decisions.name_rules import name_problems
from scheduler_core.decisions.nearest import hint
from scheduler_core.decisions.parameter_rules import check_parameters
from scheduler_core.decisions.retry_check import check_retry
from scheduler_core.decisions.schedule_check import check_schedule
from scheduler_core.decisions.slot_plan import RUNS_MAX
from scheduler_core.decisions.templates import template_problems
from scheduler_core.decisions.templating.markers import template_texts
from scheduler_core.decisions.timeout_check import check_timeouts
from scheduler_core.errors import Problem
from scheduler_core.models import TaskDefinition

DESCRIPTION_LENGTH_MAX = 10_000
MAX_RETRIES_MAX = 100
PARAMETERS_BYTES_MAX = 1_048_576
GRACE_SECONDS_MAX = 366 * 86_400.0
MISFIRE_RUNS_MAX = RUNS_MAX


def check_definition(definition: TaskDefinition, task_types: Collection[str] | None = None) -> list[Problem]:
    """Everything that is wrong with a definition by itself; other tasks are judged by flow_rules.

    `task_types` are the types that somebody can run; None leaves that open.

    >>> [p.field for p in check_definition(TaskDefinition(name="7", task_type="shel", priority=11), ["shell"])]
    ['name', 'task_type', 'priority']
    """
    problems = [Problem("name", message) for message in name_problems(definition.name)]
    problems += _check_label("namespace", definition.namespace)
    problems += _check_task_type(definition.task_type, task_types)
    problems += _check_label("queue", definition.queue)
    problems += _check_numbers(definition)
    problems += check_timeouts(definition)
    problems += check_retry(definition.retry)
    problems += _check_misfire(definition)
    problems += _check_parameters(definition)
    if definition.schedule is not None:
        problems += check_schedule(definition.schedule)
    problems += check_dependencies(definition)
    problems += check_flow_options(definition)
    problems += check_dispatch_options(definition)
    if len(definition.description) > DESCRIPTION_LENGTH_MAX or "\0" in definition.description:
        problems.append(
            Problem("description", f"A description has at most {DESCRIPTION_LENGTH_MAX} characters and no NUL.")
        )
    return problems


def _check_label(field: str, value: str) -> Iterator[Problem]:
    if (problem := label_problem(field, value)) is not None:
        yield Problem(field, problem)


def _check_task_type(task_type: str, task_types: Collection[str] | None) -> Iterator[Problem]:
    if task_types is not None and task_type not in task_types:
        yield Problem("task_type", f"There is no task type '{task_type[:100]}'.{hint(task_type, task_types)}")
    elif task_types is None:
        yield from _check_label("task_type", task_type)


def _check_numbers(definition: TaskDefinition) -> Iterator[Problem]:
    if not 1 <= definition.priority <= 10:
        yield Problem("priority", f"priority is from 1 (last) to 10 (first), not {definition.priority}.")
    if not 0 <= definition.max_retries <= MAX_RETRIES_MAX:
        yield Problem("max_retries", f"max_retries is from 0 to {MAX_RETRIES_MAX}, not {definition.max_retries}.")


def _check_misfire(definition: TaskDefinition) -> Iterator[Problem]:
    grace = definition.misfire_grace_seconds
    if grace is not None and not 1 <= grace <= GRACE_SECONDS_MAX:  # false for NaN, too
        yield Problem(
            "misfire_grace_seconds",
            f"misfire_grace_seconds is from 1 to {GRACE_SECONDS_MAX:.0f} (366 days), not {grace:g}. "
            "Null leaves it to misfire: 60 with skip, else no limit.",
        )
    if not 1 <= definition.misfire_runs_max <= MISFIRE_RUNS_MAX:
        yield Problem(
            "misfire_runs_max",
            f"misfire_runs_max is from 1 to {MISFIRE_RUNS_MAX}, not {definition.misfire_runs_max}. "
            "For no late run at all set misfire to skip.",
        )


def _check_parameters(definition: TaskDefinition) -> Iterator[Problem]:
    try:
        encoded = msgspec.json.encode(definition.parameters)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        yield Problem("parameters", f"The parameters cannot be written as JSON: {error}.")
        return
    if len(encoded) > PARAMETERS_BYTES_MAX:
        yield Problem(
            "parameters",
            f"The parameters take {len(encoded)} bytes as JSON; at most {PARAMETERS_BYTES_MAX} are allowed. "
            "Store large data elsewhere and pass its address.",
        )
    elif _has_nul(encoded):
        yield Problem("parameters", "The parameters contain a NUL character, which the database cannot store.")
    if definition.parameters_schema is not None and _has_nul(msgspec.json.encode(definition.parameters_schema)):
        yield Problem("parameters_schema", "The schema contains a NUL character, which the database cannot store.")
    templated = {key for key, value in definition.parameters.items() if any(True for _ in template_texts(value))}
    yield from check_parameters(definition.task_type, definition.parameters, open_keys=templated)
    yield from template_problems(definition)


def _has_nul(encoded: bytes) -> bool:
    # A backslash that is itself escaped does not begin an escape, so pairs of backslashes are taken away first.
    return b"\\u0000" in encoded and b"\\u0000" in encoded.replace(b"\\\\", b"")
