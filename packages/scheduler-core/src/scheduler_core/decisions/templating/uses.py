"""What templates and expressions take from the runs upstream. It imports jinja2."""

from collections.abc import Iterable, Iterator

from jinja2 import nodes

from scheduler_core.decisions.result_rules import UpstreamUse
from scheduler_core.decisions.templating.environment import parsed_expression, parsed_template
from scheduler_core.decisions.templating.markers import template_texts
from scheduler_core.decisions.templating.names import key_of, upstream_of
from scheduler_core.models import TaskDefinition


def upstream_uses(definition: TaskDefinition) -> list[UpstreamUse]:
    """See `result_rules.uses_of`."""
    found: dict[UpstreamUse, None] = {}
    for field, tree in _trees(definition):
        for name, kind, key in _uses(tree):
            found[UpstreamUse(field, name, kind, key)] = None
    return list(found)


def _trees(definition: TaskDefinition) -> Iterator[tuple[str, nodes.Node]]:
    for field, expression in (("when", definition.when), ("map_over", definition.map_over)):
        if expression is not None and "upstream" in expression:
            yield field, parsed_expression(expression)
    for path, text in template_texts(definition.parameters):
        if "upstream" in text:
            yield f"parameters.{path}", parsed_template(text)


def _uses(tree: nodes.Node) -> Iterable[tuple[str, str, str | None]]:
    everything = [tree, *tree.find_all(nodes.Node)]
    # Who provides for what is not there, and who calls a method, looks up nothing that must be there.
    excused = {
        id(node.node)
        for node in everything
        if isinstance(node, nodes.Call)
        or (isinstance(node, nodes.Filter | nodes.Test) and node.name in ("default", "d", "defined", "undefined"))
    }
    for node in everything:
        if not isinstance(node, nodes.Getattr | nodes.Getitem) or id(node) in excused:
            continue
        key, inner = key_of(node), node.node
        if (name := upstream_of(inner)) is not None and key == "results":
            yield name, key, None
        elif (
            isinstance(inner, nodes.Getattr | nodes.Getitem)
            and (name := upstream_of(inner.node)) is not None
            and key_of(inner) == "result"
            and isinstance(key, str)
        ):
            yield name, "result", key
