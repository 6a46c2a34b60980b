"""What templates can ask of a value with `is`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jinja2 import Undefined, pass_context
from jinja2.runtime import Context

from scheduler_core.decisions.templating.budget import Budget, LimitError
from scheduler_core.decisions.templating.operations import checked_number, compare, require
from scheduler_core.decisions.templating.values import is_number, kind_of

BUDGET = " budget"
"""Where a context keeps its budget: a name that no template can write."""

Test = Callable[..., bool]


def budget_of(context: Context) -> Budget:
    """The budget of the rendering under way."""
    budget = context.get(BUDGET)
    if not isinstance(budget, Budget):  # pragma: no cover - every rendering has one
        raise LimitError("it is rendered without limits.")
    return budget


def _kind(accepts: Callable[[Any], bool]) -> Test:
    @pass_context
    def test(context: Context, value: Any) -> bool:
        budget_of(context).step()
        require(value)
        return accepts(value)

    return test


def _comparison(sign: str) -> Test:
    @pass_context
    def test(context: Context, value: Any, other: Any) -> bool:
        return compare(sign, value, other, budget_of(context))

    return test


def _remainder(accepts: Callable[..., bool]) -> Test:
    @pass_context
    def test(context: Context, value: Any, *divisor: Any) -> bool:
        budget_of(context).step()
        for each in (value, *divisor):
            require(each)
            if not is_number(each):
                raise LimitError(f"only a number can be divided, not {kind_of(each)}.")
            checked_number(each)
        return accepts(value, *divisor)

    return test


def _is_defined(value: Any) -> bool:
    return not isinstance(value, Undefined)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_COMPARISONS = {
    "eq": ("eq", "equalto"),
    "ne": ("ne",),
    "lt": ("lt", "lessthan"),
    "lteq": ("le",),
    "gt": ("gt", "greaterthan"),
    "gteq": ("ge",),
    "in": ("in",),
}

TESTS: Mapping[str, Test] = {
    "defined": _is_defined,
    "undefined": lambda value: not _is_defined(value),
    "none": _kind(lambda value: value is None),
    "boolean": _kind(lambda value: isinstance(value, bool)),
    "true": _kind(lambda value: value is True),
    "false": _kind(lambda value: value is False),
    "integer": _kind(_is_whole),
    "float": _kind(lambda value: isinstance(value, float)),
    "number": _kind(is_number),
    "string": _kind(lambda value: isinstance(value, str)),
    "mapping": _kind(lambda value: isinstance(value, Mapping)),
    "sequence": _kind(lambda value: isinstance(value, list | tuple)),
    "instant": _kind(lambda value: isinstance(value, datetime)),
    "odd": _remainder(lambda value: value % 2 == 1),
    "even": _remainder(lambda value: value % 2 == 0),
    "divisibleby": _remainder(lambda value, divisor: value % divisor == 0),
    **{name: _comparison(sign) for sign, names in _COMPARISONS.items() for name in names},
}
"""All tests there are. None looks into anything but data."""
