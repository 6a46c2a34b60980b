"""Which constructs templates may use. What is not named here is refused, whatever jinja2 knows."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from jinja2 import nodes

from scheduler_core.decisions.nearest import hint
from scheduler_core.decisions.templating.filters import VALUE_FILTERS
from scheduler_core.decisions.templating.list_filters import CHOOSING_FILTERS, LIST_FILTERS
from scheduler_core.decisions.templating.names import NameCheck
from scheduler_core.decisions.templating.operations import INTEGER_BITS_MAX
from scheduler_core.decisions.templating.scope import TemplateScope
from scheduler_core.decisions.templating.signatures import usage_problem
from scheduler_core.decisions.templating.tests import TESTS
from scheduler_core.decisions.templating.values import is_storable

NODES_MAX = 5000
NESTING_MAX = 60
LOOPS_MAX = 15
"""How deep loops are nested: the interpreter compiles no more than 20 blocks in each other."""

FILTERS = frozenset({"default", "d", *VALUE_FILTERS, *LIST_FILTERS, *CHOOSING_FILTERS})
METHODS = frozenset(
    {"lower", "upper", "strip", "split", "startswith", "endswith"}
    | {"get", "items", "keys", "values"}
    | {"isoformat", "strftime"}
)

_PLAIN: tuple[type[nodes.Node], ...] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.CondExpr,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Compare,
    nodes.Operand,
    nodes.Add,
    nodes.Sub,
    nodes.Mul,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Mod,
    nodes.Neg,
    nodes.Pos,
    nodes.Concat,
    nodes.List,
    nodes.Tuple,
    nodes.Pair,
    nodes.Slice,
    nodes.Keyword,
)
"""Nodes that are fine if their parts are."""

_WORDS: Mapping[type[nodes.Node], str] = {
    nodes.Pow: "**",
    nodes.Assign: "{% set %}",
    nodes.AssignBlock: "{% set %}",
    nodes.Macro: "{% macro %}",
    nodes.CallBlock: "{% call %}",
    nodes.FilterBlock: "{% filter %}",
    nodes.With: "{% with %}",
    nodes.Block: "{% block %}",
    nodes.Include: "{% include %}",
    nodes.Import: "{% import %}",
    nodes.FromImport: "{% from %}",
    nodes.Extends: "{% extends %}",
    nodes.Scope: "{% autoescape %}",
}


def syntax_problems(node: nodes.Node, scope: TemplateScope) -> list[str]:
    """Everything that a template or expression must not do, as sentences, each once."""
    return list(dict.fromkeys(_Check(scope).problems(node, 0)))


class _Check:
    def __init__(self, scope: TemplateScope) -> None:
        self._names = NameCheck(scope)
        self._nodes_left = NODES_MAX
        self._loops = 0

    def problems(self, node: nodes.Node, depth: int) -> Iterator[str]:
        self._nodes_left -= 1
        if self._nodes_left < 0:
            if self._nodes_left == -1:
                yield f"it has more than {NODES_MAX} parts. Shorten it."
            return
        if depth > NESTING_MAX:
            yield f"it is nested more than {NESTING_MAX} deep. Write it flatter."
            return
        judge = _JUDGES.get(type(node))
        if judge is not None:
            yield from judge(self, node, depth)
        elif type(node) in _PLAIN:
            yield from self.parts(node.iter_child_nodes(), depth)
        else:
            yield f"{_WORDS.get(type(node), type(node).__name__)} is not allowed in templates."

    def parts(self, parts: Iterable[nodes.Node | None], depth: int) -> Iterator[str]:
        for part in parts:
            if part is not None:
                yield from self.problems(part, depth + 1)

    def name(self, node: nodes.Name, _depth: int) -> Iterator[str]:
        yield from self._names.of_name(node.name)

    def constant(self, node: nodes.Const, _depth: int) -> Iterator[str]:
        if isinstance(node.value, int) and node.value.bit_length() > INTEGER_BITS_MAX:
            yield "a whole number is too large: it has more than 64 bits."
        if isinstance(node.value, str) and not is_storable(node.value):
            yield "a text contains a NUL or half of a character, such as \\ud800, which cannot be stored."

    def look_up(self, node: nodes.Getattr | nodes.Getitem, depth: int) -> Iterator[str]:
        found = self._names.of_look_up(node)
        if found is not None:
            yield from found
            return
        yield from self.parts([node.node, node.arg if isinstance(node, nodes.Getitem) else None], depth)

    def call(self, node: nodes.Call, depth: int) -> Iterator[str]:
        if node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
            yield "a method takes nothing but plain arguments."
        if isinstance(node.node, nodes.Getattr) and node.node.attr in METHODS:
            yield from self.parts([node.node.node, *node.args], depth)
        elif isinstance(node.node, nodes.Name) and node.node.name == "range":
            if not 1 <= len(node.args) <= 3:
                yield "range takes one to three numbers."
            yield from self.parts(node.args, depth)
        elif isinstance(node.node, nodes.Getattr):
            yield f"there is no method {node.node.attr[:50]}.{hint(node.node.attr, METHODS)}"
        elif isinstance(node.node, nodes.Name):
            yield f"there is no function {node.node.name[:50]}. The only one is range."
        else:
            yield "only methods and range can be called."

    def filter(self, node: nodes.Filter | nodes.Test, depth: int) -> Iterator[str]:
        known = FILTERS if isinstance(node, nodes.Filter) else TESTS
        if node.name not in known:
            word = "filter" if isinstance(node, nodes.Filter) else "test"
            yield f"there is no {word} {node.name[:50]}.{hint(node.name, known)}"
        elif (problem := usage_problem(node)) is not None:
            yield problem
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            yield f"{node.name[:50]} takes nothing but plain arguments."
        yield from self.parts([node.node, *node.args, *node.kwargs], depth)

    def dictionary(self, node: nodes.Dict, depth: int) -> Iterator[str]:
        for pair in node.items:
            if not isinstance(pair.key, nodes.Const) or not isinstance(pair.key.value, str):
                yield "the keys of an object are texts in quotes."
            yield from self.parts([pair.key, pair.value], depth)

    def loop(self, node: nodes.For, depth: int) -> Iterator[str]:
        if node.recursive:
            yield "a recursive loop is not allowed in templates."
        yield from self.parts([node.iter, *node.else_], depth)
        targets = node.target.items if isinstance(node.target, nodes.Tuple) else [node.target]
        names = [target.name for target in targets if isinstance(target, nodes.Name)]
        if len(names) < len(targets):
            yield "a loop has plain names for what it goes through."
        yield from self._names.of_targets(names)
        if self._loops >= LOOPS_MAX:
            yield f"loops are nested more than {LOOPS_MAX} deep. Write them flatter."
            return
        self._loops += 1
        with self._names.bound(names):
            yield from self.parts([node.test, *node.body], depth)
        self._loops -= 1


_JUDGES: Mapping[type[nodes.Node], Callable[..., Iterator[str]]] = {
    nodes.Name: _Check.name,
    nodes.Const: _Check.constant,
    nodes.Getattr: _Check.look_up,
    nodes.Getitem: _Check.look_up,
    nodes.Call: _Check.call,
    nodes.Filter: _Check.filter,
    nodes.Test: _Check.filter,
    nodes.Dict: _Check.dictionary,
    nodes.For: _Check.loop,
}
