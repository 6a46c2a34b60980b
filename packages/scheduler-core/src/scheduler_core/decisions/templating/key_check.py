"""Judges the expressions by which runs are dispatched: keys of limits, turns, workers, uniqueness. Imports jinja2."""

from collections.abc import Iterator, Mapping

from scheduler_core.decisions.templates import key_expressions
from scheduler_core.decisions.templating.expressions import is_constant, read_expression, shown, unrendered
from scheduler_core.decisions.templating.scope import NO_ITEM, NO_SHARD, TemplateScope
from scheduler_core.errors import Problem
from scheduler_core.errors.template_error import storable
from scheduler_core.models import TaskDefinition

_EARLY = {
    "upstream": "upstream is not known here: runs are sorted by their own parameters. Use params, or run.task.",
    "interval": "interval is not known here. Use params, run.scheduled_at or run.task.",
    "run.attempt": "run.attempt is not known here: runs are sorted before their next attempt. Use params.",
    "run.id": "run.id is another one in every run, so no two runs would have a key in common. Use params.",
}
_BEFORE = "{} is not known yet: a trigger is judged before there is a run. Use params, run.task or run.namespace."
_UNMADE = {
    "item": NO_ITEM,
    "shard": NO_SHARD,
    **{name: _BEFORE.format(name) for name in ("upstream", "interval")},
    **{name: _BEFORE.format(name) for name in ("run.id", "run.flow_id", "run.attempt", "run.scheduled_at")},
}


def key_problems(definition: TaskDefinition, absent: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Fields and messages of what is wrong; `absent` says which names a run of this task has not."""
    for field, expression in key_expressions(definition).items():
        if expression is None or not expression.strip():
            continue
        scope = TemplateScope(absent=_UNMADE if field == "unique.key" else {**absent, **_EARLY})
        tree, problems = read_expression(expression, scope)
        for problem in problems:
            yield field, problem
        if tree is None:
            continue
        for problem in unrendered(tree, definition.parameters):
            yield field, problem
        if field == "fairness_weight" and is_constant(tree):
            message = (
                f"{shown(expression)} is the same for every run. Write a number, without quotes, or name what it "
                "depends on, such as params.weight."
            )
            yield field, message


def limit_problems(expression: str) -> list[Problem]:
    """See `templates.limit_key_problems`."""
    tree, problems = read_expression(expression, TemplateScope(absent=_EARLY))
    if tree is not None and is_constant(tree):
        message = (
            f"{shown(expression)} is the same for every run. Name what differs, such as params.customer, or leave key "
            "out to count all runs together."
        )
        problems = [message]
    return [Problem("key", storable(problem)) for problem in problems]
