"""What the operators of templates do: calculate and compare, with nothing large as operand or result."""

import math
import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jinja2 import Undefined

from scheduler_core.decisions.templating.budget import Budget, LimitError
from scheduler_core.decisions.templating.values import is_number, kind_of

INTEGER_BITS_MAX = 63

_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}


def arithmetic(sign: str, left: Any, right: Any, budget: Budget) -> int | float:
    """A calculation with two numbers, neither of which nor the result is beyond 64 bits."""
    budget.step()
    for value in (left, right):
        require(value)
        if not is_number(value):
            remedy = " Texts are joined with ~." if sign == "+" and isinstance(value, str) else ""
            raise LimitError(f"{sign} works on numbers, not on {kind_of(value)}.{remedy}")
        checked_number(value)
    try:
        return checked_number(_ARITHMETIC[sign](left, right))
    except ZeroDivisionError:
        raise LimitError("a number is divided by zero.") from None


def checked_number(value: Any) -> int | float:
    """The number, if it is finite and has at most 64 bits."""
    if isinstance(value, int) and value.bit_length() > INTEGER_BITS_MAX:
        raise LimitError("a whole number is too large: it has more than 64 bits.")
    if isinstance(value, float) and not math.isfinite(value):
        raise LimitError("a number is too large, or is none.")
    return value  # type: ignore[no-any-return]  # a number, as it came


def require(value: Any) -> None:
    """Return if the value is there; raises UndefinedError, which says what is not."""
    if isinstance(value, Undefined):
        str(value)


def compare(sign: str, left: Any, right: Any, budget: Budget) -> bool:
    """A comparison; `sign` is eq, ne, lt, lteq, gt, gteq, in or notin."""
    budget.step()
    require(left)
    require(right)
    if sign in ("eq", "ne"):
        return equal(left, right, budget) is (sign == "eq")
    if sign in ("in", "notin"):
        return contains(right, left, budget) is (sign == "in")
    ordered(left, right)
    return _ORDER[sign](left, right)


def ordered(left: Any, right: Any) -> None:
    """Return if the two have an order: two numbers, two texts or two instants."""
    pairs = (
        is_number(left) and is_number(right),
        *(isinstance(left, t) and isinstance(right, t) for t in (str, datetime)),
    )
    if not any(pairs):
        raise LimitError(f"{kind_of(left)} and {kind_of(right)} have no order: compare numbers, texts or instants.")


def equal(left: Any, right: Any, budget: Budget) -> bool:
    """Whether two values are equal; each pair of elements that is looked at is accounted for."""
    require(left)
    require(right)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(
            _same(one, other, budget) for one, other in zip(left, right, strict=True)
        )
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_same(each, right[key], budget) for key, each in left.items())
    if isinstance(left, list | tuple | Mapping) or isinstance(right, list | tuple | Mapping):
        return False
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


def _same(left: Any, right: Any, budget: Budget) -> bool:
    budget.produce(1)
    return equal(left, right, budget)


def contains(container: Any, value: Any, budget: Budget) -> bool:
    """Whether a list has this element, an object this key, or a text this part."""
    if isinstance(container, str):
        if not isinstance(value, str):
            raise LimitError(f"only a text can be in a text, not {kind_of(value)}.")
        return value in container
    if isinstance(container, Mapping):
        return isinstance(value, str) and value in container
    if isinstance(container, list | tuple):
        return any(_same(each, value, budget) for each in container)
    raise LimitError(f"nothing can be in {kind_of(container)}: use a list, an object or a text.")
