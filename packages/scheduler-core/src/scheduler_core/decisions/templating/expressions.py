"""What can be said of an expression, or of what it consists of, without evaluating it. It imports jinja2."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from jinja2 import nodes

from scheduler_core.decisions.templating.environment import parsed_expression
from scheduler_core.decisions.templating.markers import is_template
from scheduler_core.decisions.templating.names import key_of, path_of
from scheduler_core.decisions.templating.rendering import reason_of
from scheduler_core.decisions.templating.scope import TemplateScope
from scheduler_core.decisions.templating.syntax import syntax_problems

UNKNOWN: Final = object()
"""Stands for a value that only a run has."""


def read_expression(text: str, scope: TemplateScope) -> tuple[nodes.Node | None, list[str]]:
    """The expression, or None and why it is none or not allowed."""
    try:
        tree = parsed_expression(text)
        problems = syntax_problems(tree, scope)
    except Exception as error:  # whatever it is, the expression is what fails
        reason = reason_of(error, syntax_hint=".").replace("'end of template'", "end of it")
        return None, [f"{shown(text)} cannot be read: {reason}"]
    if problems:
        # What has been refused may be nested deeper than can be gone through.
        return None, [problem.replace("allowed in templates.", "allowed in expressions.") for problem in problems]
    return tree, []


def is_constant(tree: nodes.Node) -> bool:
    """Whether it is the same for every run."""
    return not any(isinstance(node, nodes.Name) and node.name != "range" for node in _within(tree))


def unrendered(tree: nodes.Node, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Templates do not see what other templates give."""
    for node in _within(tree):
        value = parameter_of(node, parameters)
        if isinstance(value, str) and is_template(value):
            yield f"{path_of(node)} is a template itself, which is not rendered first. Write it out here, too."


def parameter_of(node: nodes.Node, parameters: Mapping[str, Any]) -> Any:
    """The value that the definition gives to params.NAME…, if the node is that; else UNKNOWN."""
    if isinstance(node, nodes.Name):
        return parameters if node.name == "params" else UNKNOWN
    if not isinstance(node, nodes.Getattr | nodes.Getitem):
        return UNKNOWN
    value, key = parameter_of(node.node, parameters), key_of(node)
    return value[key] if isinstance(value, Mapping) and key in value else UNKNOWN


def shown(text: str) -> str:
    """The beginning of an expression, for messages."""
    return repr(text if len(text) <= 100 else f"{text[:99]}…")


def _within(tree: nodes.Node) -> Iterable[nodes.Node]:
    yield tree
    yield from tree.find_all(nodes.Node)
