"""Judges the templates and expressions of a definition before any run has them. It imports jinja2."""

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from types import MappingProxyType

from jinja2 import nodes

from scheduler_core.decisions.templating.environment import parsed_template
from scheduler_core.decisions.templating.expressions import (
    UNKNOWN,
    is_constant,
    parameter_of,
    read_expression,
    shown,
    unrendered,
)
from scheduler_core.decisions.templating.filters import VALUE_FILTERS
from scheduler_core.decisions.templating.key_check import key_problems
from scheduler_core.decisions.templating.markers import template_texts
from scheduler_core.decisions.templating.names import key_of, upstream_of
from scheduler_core.decisions.templating.rendering import reason_of
from scheduler_core.decisions.templating.scope import NO_ITEM, NO_SHARD, TemplateScope
from scheduler_core.decisions.templating.syntax import syntax_problems
from scheduler_core.decisions.templating.values import kind_of
from scheduler_core.errors import Problem
from scheduler_core.errors.template_error import storable
from scheduler_core.models import TaskDefinition, flow_dependencies

TEMPLATES_MAX = 1000
PROBLEMS_MAX = 50
SECONDS_MAX = 5.0
"""Processor time that judging the templates of one definition may take."""

_BEFORE = "{} is not known yet: it belongs to the runs that are made later, and {} is evaluated before."
_NO_LISTS: tuple[type[nodes.Node], ...] = (
    nodes.Dict,
    nodes.Compare,
    nodes.Not,
    nodes.Concat,
    nodes.BinExpr,
    nodes.UnaryExpr,
    nodes.Test,
)


def definition_problems(definition: TaskDefinition) -> list[Problem]:
    """See `templates.template_problems`."""
    told = islice(_problems(definition), PROBLEMS_MAX)
    return [Problem(field, storable(message)) for field, message in told]


def _problems(definition: TaskDefinition) -> Iterator[tuple[str, str]]:
    """Fields and messages."""
    upstreams = frozenset(flow_dependencies(definition.dependencies))
    for field, expression in (("when", definition.when), ("map_over", definition.map_over)):
        if expression is not None:
            early = {name: _BEFORE.format(name, field) for name in ("item", "shard")}
            word = "a condition" if field == "when" else "map_over"
            early["run.attempt"] = f"run.attempt is not known yet: {word} is evaluated before the first attempt."
            scope = TemplateScope(upstreams, early)
            for message in _expression_problems(expression, scope, definition, field):
                yield field, message
    yield from key_problems(definition, _absent(definition))
    texts = list(islice(template_texts(definition.parameters), TEMPLATES_MAX + 1))
    if len(texts) > TEMPLATES_MAX:
        yield "parameters", f"The parameters hold more than {TEMPLATES_MAX} templates. Make one of several."
        return
    scope, deadline = TemplateScope(upstreams, _absent(definition)), time.thread_time() + SECONDS_MAX
    for path, text in texts:
        if time.thread_time() > deadline:
            yield (
                "parameters",
                f"It takes more than {SECONDS_MAX:g} s to judge the templates. Use fewer or shorter ones.",
            )
            return
        for message in _template_problems(text, scope, definition):
            yield f"parameters.{path}", message


def _absent(definition: TaskDefinition) -> Mapping[str, str]:
    absent: dict[str, str] = {}
    if definition.map_over is None:
        absent["item"] = NO_ITEM
    if definition.map_over is None and definition.shards is None and not definition.broadcast:
        absent["shard"] = NO_SHARD
    return MappingProxyType(absent)


def _template_problems(text: str, scope: TemplateScope, definition: TaskDefinition) -> Iterator[str]:
    try:
        tree = parsed_template(text)
        problems = syntax_problems(tree, scope)
    except Exception as error:  # whatever it is, the template is what fails
        yield f"{shown(text)} cannot be read: {reason_of(error)}"
        return
    # What has been refused may be nested deeper than can be gone through.
    yield from problems or unrendered(tree, definition.parameters)


def _expression_problems(text: str, scope: TemplateScope, definition: TaskDefinition, field: str) -> Iterator[str]:
    tree, problems = read_expression(text, scope)
    yield from problems
    if tree is None:
        return
    yield from unrendered(tree, definition.parameters)
    if field == "when" and is_constant(tree):
        yield (
            f"{shown(text)} is a condition that never changes. Name what it depends on, such as upstream.NAME.result "
            "or params.NAME, or leave when out."
        )
    if field == "map_over" and (kind := _no_list(tree, definition)) is not None:
        yield f"{shown(text)} is {kind}, and a map goes over a list."


def _no_list(node: nodes.Node, definition: TaskDefinition) -> str | None:
    """What an expression gives for certain if that is no list."""
    if (name := upstream_of(node)) is not None:
        return f"a run and no list: write upstream.{name}.result, or .results for those of a group"
    if isinstance(node, nodes.Getattr | nodes.Getitem) and upstream_of(node.node) is not None:
        return "a text or number" if key_of(node) in ("status", "run_id") else None
    if isinstance(node, nodes.Name) and node.name in ("params", "run", "interval"):
        return "an object"
    if isinstance(node, nodes.Const):
        return kind_of(node.value)
    if isinstance(node, _NO_LISTS) and not isinstance(node, nodes.And | nodes.Or):
        return "no list whatever its values are"
    if isinstance(node, nodes.Filter) and node.name in VALUE_FILTERS:
        return f"what the filter {node.name} gives, which is never a list"
    value = parameter_of(node, definition.parameters)
    return None if value is UNKNOWN or isinstance(value, list | tuple) else kind_of(value)
