"""What arguments filters and tests take, told before a template is rendered."""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from jinja2 import nodes

from scheduler_core.decisions.templating.filters import VALUE_FILTERS
from scheduler_core.decisions.templating.list_filters import LIST_FILTERS
from scheduler_core.decisions.templating.tests import TESTS


def usage_problem(node: nodes.Filter | nodes.Test) -> str | None:
    """What is wrong with the arguments of a known filter or test, or None."""
    is_filter = isinstance(node, nodes.Filter)
    signature = (_filter_signature if is_filter else _test_signature)(node.name)
    named: dict[str, Any] = {str(each.key): None for each in node.kwargs if isinstance(each, nodes.Keyword)}
    try:
        signature.bind(*node.args, **named)
    except TypeError:
        shown = str(signature).strip("()").replace(", /", "")
        takes = f"is written {node.name}({shown})" if shown else "takes no arguments"
        return f"the {'filter' if is_filter else 'test'} {node.name} {takes}."
    return None


@lru_cache
def _filter_signature(name: str) -> inspect.Signature:
    own = _OWN_FILTERS.get(name)
    return own or _signature({**VALUE_FILTERS, **LIST_FILTERS}[name])


@lru_cache
def _test_signature(name: str) -> inspect.Signature:
    own = _OWN_TESTS.get(name)
    return own or _signature(TESTS[name])


def _signature(work: Callable[..., Any]) -> inspect.Signature:
    """Without its first two parameters, which are the budget or context and the value."""
    parameters = list(inspect.signature(work).parameters.values())[2:]
    return inspect.Signature([each.replace(annotation=inspect.Parameter.empty) for each in parameters])


def _plain(**defaults: Any) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, kind, default=each) for name, each in defaults.items()])


_NONE = inspect.Parameter.empty
_TEST = inspect.Parameter("test", inspect.Parameter.VAR_POSITIONAL)
_ATTRIBUTE = inspect.Parameter("attribute", inspect.Parameter.POSITIONAL_ONLY)

_OWN_FILTERS = {
    **dict.fromkeys(("default", "d"), _plain(default_value="", boolean=False)),
    **dict.fromkeys(("select", "reject"), inspect.Signature([_TEST])),
    **dict.fromkeys(("selectattr", "rejectattr"), inspect.Signature([_ATTRIBUTE, _TEST])),
}
_OWN_TESTS = {
    **dict.fromkeys(("odd", "even", "defined", "undefined"), _plain()),
    "divisibleby": _plain(number=_NONE),
}
"""Those whose functions are called otherwise, or take more than is meant."""
