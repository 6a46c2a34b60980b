"""Rewrites a checked template so that look-ups, calls, comparisons and loops account for what they do."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer

from scheduler_core.decisions.templating import lookups as template_lookups
from scheduler_core.decisions.templating import operations as template_operations
from scheduler_core.decisions.templating import texts as template_texts
from scheduler_core.decisions.templating.budget import LimitError
from scheduler_core.decisions.templating.markers import is_template
from scheduler_core.decisions.templating.names import path_of
from scheduler_core.decisions.templating.operations import require
from scheduler_core.decisions.templating.tests import budget_of
from scheduler_core.decisions.templating.values import kind_of


class Rewriting(NodeTransformer):
    """Puts filters whose names no template can write in the place of what the sandbox does not do itself."""

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802 - jinja2 finds it by this name
        """`value.name`."""
        path = path_of(node.node)
        return _inner(node, " element", self.visit(node.node), nodes.Const(node.attr), nodes.Const(path))

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802 - likewise
        """`value[key]` and `value[start:stop]`."""
        value = self.visit(node.node)
        if isinstance(node.arg, nodes.Slice):
            bounds = [nodes.Const(None) if each is None else self.visit(each) for each in _bounds(node.arg)]
            return _inner(node, " part", value, *bounds)
        return _inner(node, " element", value, self.visit(node.arg), nodes.Const(path_of(node.node)))

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 - likewise
        """`value.method(…)` and `range(…)`."""
        arguments = [self.visit(each) for each in node.args]
        if isinstance(node.node, nodes.Getattr):
            return _inner(node, " method", self.visit(node.node.node), nodes.Const(node.node.attr), *arguments)
        return _inner(node, " range", *arguments)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802 - likewise
        """`a < b < c`."""
        pairs = [each for operand in node.ops for each in (nodes.Const(operand.op), self.visit(operand.expr))]
        return _inner(node, " compare", self.visit(node.expr), *pairs)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - likewise
        """`a ~ b`."""
        return _inner(node, " concat", *(self.visit(each) for each in node.nodes))

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802 - likewise
        """`a if b`, which is an empty text if b is not."""
        self.generic_visit(node)
        node.expr2 = nodes.Const("") if node.expr2 is None else node.expr2
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - likewise
        """`{% for %}`."""
        self.generic_visit(node)
        node.iter = _inner(node, " each", node.iter)
        return node


def rewritten(template: nodes.Template) -> nodes.Template:
    """The template, changed in place."""
    made = Rewriting().visit(template)
    assert isinstance(made, nodes.Template)  # noqa: S101 - nothing puts another node in its place
    return made


def _bounds(part: nodes.Slice) -> tuple[nodes.Expr | None, nodes.Expr | None, nodes.Expr | None]:
    return part.start, part.stop, part.step


def _inner(origin: nodes.Node, name: str, value: Any, *arguments: Any) -> nodes.Filter:
    made = nodes.Filter(value, name, list(arguments), [], None, None)
    made.set_lineno(origin.lineno, override=True)
    return made


@pass_context
def _element(context: Context, value: Any, key: Any, path: str) -> Any:
    budget_of(context).step()
    found = template_lookups.element(value, key, path)
    if isinstance(found, str) and path.partition(".")[0] == "params" and is_template(found):
        raise LimitError(f"{path}.{key} is a template itself, which is not rendered first. Write it out here, too.")
    return found


@pass_context
def _part(context: Context, value: Any, start: Any, stop: Any, step: Any) -> Any:
    return template_lookups.part(value, start, stop, step, budget_of(context))


@pass_context
def _method(context: Context, value: Any, name: str, *arguments: Any) -> Any:
    budget = budget_of(context)
    budget.step()
    require(value)
    if isinstance(value, str):
        return template_texts.text_method(value, name, arguments, budget)
    if isinstance(value, Mapping):
        return template_lookups.object_method(value, name, arguments, budget)
    if isinstance(value, datetime) and name == "isoformat" and not arguments:
        return value.isoformat()
    if isinstance(value, datetime) and name == "strftime" and len(arguments) == 1:
        return template_texts.formatted(value, *arguments)
    raise LimitError(f"{kind_of(value)} has no method {name} with {len(arguments)} arguments.")


@pass_context
def _range(context: Context, *arguments: Any) -> Any:
    return template_lookups.whole_range(arguments, budget_of(context))


@pass_context
def _compare(context: Context, value: Any, *pairs: Any) -> bool:
    budget = budget_of(context)
    left = value
    for sign, right in zip(pairs[::2], pairs[1::2], strict=True):
        if not template_operations.compare(sign, left, right, budget):
            return False
        left = right
    return True


@pass_context
def _concat(context: Context, *parts: Any) -> str:
    budget = budget_of(context)
    budget.step()
    return template_texts.joined(parts, "", budget)


@pass_context
def _each(context: Context, value: Any) -> Iterator[Any]:
    budget = budget_of(context)
    budget.step()
    for each in template_lookups.looped(value):
        budget.step()
        yield each


INNER_FILTERS = {
    " element": _element,
    " part": _part,
    " method": _method,
    " range": _range,
    " compare": _compare,
    " concat": _concat,
    " each": _each,
}
