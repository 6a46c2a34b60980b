"""Which names a template uses, and whether they are there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jinja2 import nodes

from scheduler_core.decisions.nearest import hint
from scheduler_core.decisions.templating.scope import ELEMENT_NAMES, TOP_NAMES, UPSTREAM_NAMES, TemplateScope


class NameCheck:
    """Judges names within one template; loops bind more of them for a while."""

    def __init__(self, scope: TemplateScope) -> None:
        self._scope = scope
        self._bound: list[str] = []

    @contextmanager
    def bound(self, names: Sequence[str]) -> Iterator[None]:
        """Inside, these names of a loop are there, and `loop`."""
        before = len(self._bound)
        self._bound += [*names, "loop"]
        try:
            yield
        finally:
            del self._bound[before:]

    def of_targets(self, names: Sequence[str]) -> Iterator[str]:
        """What is wrong with the names that a loop binds."""
        for name in names:
            # Names that differ in script only, such as full-width letters, are one name to Python.
            if name in (*TOP_NAMES, "loop") or name.startswith("__") or not name.isascii():
                yield f"a loop cannot call what it goes through {name[:50]}. Use another name, of plain letters."

    def of_name(self, name: str) -> Iterator[str]:
        """What is wrong with a name that stands by itself."""
        if name in self._bound:
            return
        if name in self._scope.absent:
            yield self._scope.absent[name]
        elif name == "upstream":
            yield "upstream stands before the name of a task: upstream.NAME.result, or upstream['NAME'].result."
        elif name not in TOP_NAMES:
            known = [each for each in TOP_NAMES if each not in self._scope.absent]
            yield f"there is no {name[:50]!r}.{hint(name, [*known, *self._bound])}"

    def of_look_up(self, node: nodes.Getattr | nodes.Getitem) -> list[str] | None:
        """What is wrong with an element of a name whose elements are known; None: the parts are to be judged."""
        key = key_of(node)
        if isinstance(key, str) and key.startswith("__"):
            return [f"{key[:50]!r} cannot be looked up: names that begin with __ are not allowed."]
        if isinstance(node.node, nodes.Name) and node.node.name == "upstream":
            why = self._scope.absent.get("upstream")
            return self._upstream(key) if why is None else [why]
        if (why := self._scope.absent.get(path_of(node))) is not None and not self._is_bound(node.node):
            return [why]
        if isinstance(key, str) and (known := self._elements(node.node)) is not None and key not in known:
            return [f"{path_of(node.node)} has no {key[:50]!r}.{hint(key, known)}", *self._judged(node.node)]
        return None

    def _upstream(self, key: object) -> list[str]:
        if not isinstance(key, str):
            return ["upstream is followed by the name of a task in quotes: upstream['NAME'].result."]
        known = self._scope.upstreams
        if known is None or key in known:
            return []
        name = key[:100]
        if longer := sorted(each for each in known if _begins_with_word(each, key)):
            return [
                (
                    f"upstream.{name} is not there: a name that is no plain word stands in brackets. "
                    f"Write upstream[{longer[0][:100]!r}]."
                )
            ]
        return [f"upstream.{name} is not there: the task does not depend on {name!r} in its flow.{hint(key, known)}"]

    def _elements(self, node: nodes.Node) -> tuple[str, ...] | None:
        if isinstance(node, nodes.Name) and node.name not in self._bound:
            return ELEMENT_NAMES.get(node.name)
        return UPSTREAM_NAMES if upstream_of(node) is not None else None

    def _is_bound(self, node: nodes.Node) -> bool:
        return isinstance(node, nodes.Name) and node.name in self._bound

    def _judged(self, node: nodes.Node) -> list[str]:
        if isinstance(node, nodes.Name):
            return list(self.of_name(node.name))
        return self.of_look_up(node) or [] if isinstance(node, nodes.Getattr | nodes.Getitem) else []


def _begins_with_word(name: str, word: str) -> bool:
    rest = name.removeprefix(word)
    return rest != name and rest != "" and not (rest[0].isalnum() or rest[0] == "_")


def upstream_of(node: nodes.Node) -> str | None:
    """The task's name if the node is upstream.NAME, else None."""
    if not isinstance(node, nodes.Getattr | nodes.Getitem) or not isinstance(node.node, nodes.Name):
        return None
    key = key_of(node)
    return key if node.node.name == "upstream" and isinstance(key, str) else None


def key_of(node: nodes.Getattr | nodes.Getitem) -> object:
    """The key if it is written down, else None."""
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) else None


def path_of(node: nodes.Node) -> str:
    """How a template writes a value, for messages."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{path_of(node.node)}.{node.attr}"[-200:]
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return f"{path_of(node.node)}[{node.arg.value!r}]"[-200:]
    return "the value"
