"""What a definition says about its place in a flow, judged by itself."""

from collections.abc import Iterator

from scheduler_core.decisions.name_rules import could_be_name
from scheduler_core.decisions.trigger_rules import rule_problem
from scheduler_core.errors import Problem
from scheduler_core.models import FLOW_TASK_TYPE, TaskDefinition, flow_dependencies

SHARDS_MAX = 10_000
EXPRESSION_LENGTH_MAX = 10_000
NUMBER_MAX = 2**31 - 1


def check_flow_options(definition: TaskDefinition) -> Iterator[Problem]:
    """Everything that is wrong with trigger rule, condition and group; expressions are judged by templates, too."""
    rule = rule_problem(definition.trigger_rule, len(set(flow_dependencies(definition.dependencies))))
    if rule is not None:
        yield Problem("trigger_rule", rule)
    for field, expression in (("when", definition.when), ("map_over", definition.map_over)):
        if expression is not None and (len(expression) > EXPRESSION_LENGTH_MAX or "\0" in expression):
            yield Problem(field, f"{field} has at most {EXPRESSION_LENGTH_MAX} characters and no NUL.")
    yield from _check_group(definition)
    yield from _check_group_numbers(definition)
    yield from _check_sub_flow(definition)


def _check_group(definition: TaskDefinition) -> Iterator[Problem]:
    first, *further = [*_groups(definition), None]
    for field in further[:-1]:
        yield Problem(
            str(field), f"{field} and {first} exclude each other: a run stands for one kind of group. Remove one."
        )
    shards = definition.shards
    if shards is not None and not 1 <= shards <= SHARDS_MAX:
        yield Problem("shards", f"shards is from 1 to {SHARDS_MAX}, not {shards}.")


def _check_group_numbers(definition: TaskDefinition) -> Iterator[Problem]:
    parallel, tolerated, shards = definition.max_parallel, definition.tolerated_failures, definition.shards
    groups = _groups(definition)
    if parallel is not None and not 1 <= parallel <= NUMBER_MAX:
        yield Problem("max_parallel", f"max_parallel is at least 1, not {parallel}. Null means no limit.")
    elif parallel is not None and groups in ([], ["sub_flow"]):
        yield Problem(
            "max_parallel",
            f"max_parallel {parallel} is for the runs of a group. Give shards, map_over or broadcast, or leave it out.",
        )
    if not 0 <= tolerated <= NUMBER_MAX:
        yield Problem("tolerated_failures", f"tolerated_failures is at least 0, not {tolerated}.")
    elif tolerated and not groups:
        yield Problem(
            "tolerated_failures",
            f"tolerated_failures {tolerated} is for the runs of a group. Give sub_flow, shards, map_over or "
            "broadcast, or leave it out; for a single run there is continue_on_failure.",
        )
    elif tolerated and shards is not None and tolerated >= shards >= 1:
        yield Problem(
            "tolerated_failures",
            f"tolerated_failures {tolerated} is not less than shards {shards}: the group could never fail. Lower it.",
        )


def _check_sub_flow(definition: TaskDefinition) -> Iterator[Problem]:
    target = definition.sub_flow
    if target is None:
        if definition.task_type == FLOW_TASK_TYPE:
            yield Problem("sub_flow", "A task of type flow runs the flow of another task. Name that task in sub_flow.")
        return
    if not could_be_name(target):
        yield Problem("sub_flow", f"{target[:50]!a} cannot be the name of a task.")
    elif target == definition.name:
        yield Problem("sub_flow", f"'{target[:50]}' cannot be its own sub-flow.")
    if definition.task_type != FLOW_TASK_TYPE:
        yield Problem(
            "task_type",
            f"A task with sub_flow runs nothing itself, so its type is flow, not '{definition.task_type[:50]}'. "
            "Leave task_type out, or sub_flow.",
        )
    for field in ("parameters", "parameters_schema"):
        if getattr(definition, field):
            yield Problem(
                field, f"A task with sub_flow runs nothing itself and takes no parameters. Leave {field} out."
            )


def _groups(definition: TaskDefinition) -> list[str]:
    """The fields that make a group of runs out of a run, as far as they are set."""
    set_fields = {
        "sub_flow": definition.sub_flow is not None,
        "shards": definition.shards is not None,
        "map_over": definition.map_over is not None,
        "broadcast": definition.broadcast,
    }
    return [field for field, is_set in set_fields.items() if is_set]
