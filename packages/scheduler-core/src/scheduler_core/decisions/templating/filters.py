"""Filters that make one value of another. Each accounts for what it does, and is called as (budget, value, …)."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from scheduler_core.decisions.templating import texts as template_texts
from scheduler_core.decisions.templating.budget import Budget, LimitError
from scheduler_core.decisions.templating.lookups import looped
from scheduler_core.decisions.templating.operations import checked_number
from scheduler_core.decisions.templating.values import as_json, as_text, is_number, kind_of

NUMBER_TEXT_MAX = 50
DIGITS_MAX = 20


def _length(_budget: Budget, value: Any) -> int:
    if not isinstance(value, list | tuple | str | Mapping):
        raise LimitError(f"a list, an object or a text has a length, not {kind_of(value)}.")
    return len(value)


def _join(budget: Budget, value: Any, separator: Any = "") -> str:
    if not isinstance(separator, str):
        raise LimitError(f"join takes a text to put between, not {kind_of(separator)}.")
    return template_texts.joined(looped(value), separator, budget)


def _cased(change: Callable[[str], str]) -> Callable[[Budget, Any], str]:
    def run(budget: Budget, value: Any) -> str:
        text = as_text(value, budget)
        # A letter has at most three capitals: ΐ.
        budget.produce(3 * len(text))
        made = change(text)
        budget.text(len(made))
        return made

    return run


def _int(_budget: Budget, value: Any, default: Any = None) -> Any:
    return _number(
        value, default, lambda each: int(each) if isinstance(each, str) else int(checked_number(each)), "whole"
    )


def _float(_budget: Budget, value: Any, default: Any = None) -> Any:
    return _number(value, default, float, "decimal")


def _number(value: Any, default: Any, convert: Callable[[Any], Any], word: str) -> Any:
    try:
        if isinstance(value, str) and len(value) > NUMBER_TEXT_MAX:
            raise ValueError
        if not isinstance(value, str | int | float):
            raise TypeError
        return checked_number(convert(value))
    except (TypeError, ValueError, OverflowError):
        if default is not None:
            return default
        shown = repr(value[:50]) if isinstance(value, str) else kind_of(value)
        raise LimitError(f"{shown} is no {word} number.") from None


def _abs(_budget: Budget, value: Any) -> int | float:
    return abs(_required_number(value, "abs"))


def _round(_budget: Budget, value: Any, precision: Any = 0) -> Any:
    if not isinstance(precision, int) or not 0 <= precision <= DIGITS_MAX:
        raise LimitError(f"round takes a number of digits from 0 to {DIGITS_MAX}.")
    number = round(_required_number(value, "round"), precision)
    return checked_number(int(number)) if precision == 0 else number


def _required_number(value: Any, name: str) -> int | float:
    if not is_number(value):
        raise LimitError(f"{name} works on a number, not on {kind_of(value)}.")
    return checked_number(value)


def _string(budget: Budget, value: Any) -> str:
    return as_text(value, budget)


def _tojson(budget: Budget, value: Any) -> str:
    encoded = msgspec.json.encode(as_json(value, budget))
    budget.text(len(encoded))
    return encoded.decode()


def _replace(budget: Budget, value: Any, old: Any, new: Any) -> str:
    return template_texts.replaced(as_text(value, budget), old, new, budget)


def _date(_budget: Budget, value: Any, form: Any = "%Y-%m-%d", zone: Any = None) -> str:
    return template_texts.formatted(value, form, zone)


def _quote(budget: Budget, value: Any) -> str:
    return template_texts.quoted(value, budget)


VALUE_FILTERS: Mapping[str, Callable[..., Any]] = {
    "length": _length,
    "count": _length,
    "join": _join,
    "lower": _cased(str.lower),
    "upper": _cased(str.upper),
    "title": _cased(str.title),
    "trim": _cased(str.strip),
    "int": _int,
    "float": _float,
    "abs": _abs,
    "round": _round,
    "string": _string,
    "tojson": _tojson,
    "replace": _replace,
    "date": _date,
    "quote": _quote,
}
