"""Filters of lists. Each accounts for what it does, and is called as (budget, value, …)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jinja2 import StrictUndefined, Undefined, pass_context
from jinja2.runtime import Context

from scheduler_core.decisions.nearest import hint
from scheduler_core.decisions.templating.budget import Budget, LimitError
from scheduler_core.decisions.templating.filters import VALUE_FILTERS
from scheduler_core.decisions.templating.lookups import element, looped
from scheduler_core.decisions.templating.operations import arithmetic, ordered, require
from scheduler_core.decisions.templating.tests import TESTS, budget_of
from scheduler_core.decisions.templating.values import is_number, kind_of

KEY_TEXT_MAX = 1000
"""How long a text may be to be sorted or grouped by: comparing is what could take long."""
ATTRIBUTE_PARTS_MAX = 10


def _first(_budget: Budget, value: Any) -> Any:
    return _end(value, 0)


def _last(_budget: Budget, value: Any) -> Any:
    return _end(value, -1)


def _end(value: Any, index: int) -> Any:
    if not isinstance(value, list | tuple | str):
        raise LimitError(f"a list or text has a first and a last element, not {kind_of(value)}.")
    return value[index] if value else StrictUndefined(hint="an empty list or text has no first and no last element.")


def _smallest(budget: Budget, value: Any) -> Any:
    return _sort(budget, value)[0] if looped(value) else _nothing("min")


def _largest(budget: Budget, value: Any) -> Any:
    return _sort(budget, value)[-1] if looped(value) else _nothing("max")


def _nothing(name: str) -> Any:
    raise LimitError(f"{name} of an empty list is nothing.")


def _sum(budget: Budget, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    total = start
    for each in _keys(budget, value, attribute):
        total = arithmetic("+", total, each, budget)
    return total


def _sort(budget: Budget, value: Any, reverse: Any = False, attribute: Any = None) -> list[Any]:
    elements = list(looped(value))
    keys = _keys(budget, elements, attribute)
    for each in keys:
        _check_key(each)
        ordered(keys[0], each)
    budget.produce(len(elements))
    order = sorted(range(len(elements)), key=keys.__getitem__, reverse=bool(reverse))
    return [elements[index] for index in order]


def _unique(budget: Budget, value: Any, attribute: Any = None) -> list[Any]:
    elements = looped(value)
    seen: dict[Any, Any] = {}
    for key, each in zip(_keys(budget, elements, attribute), elements, strict=True):
        _check_key(key)
        seen.setdefault((isinstance(key, bool), key), each)
    budget.produce(len(seen))
    return list(seen.values())


def _reverse(budget: Budget, value: Any) -> Any:
    elements = value if isinstance(value, str) else looped(value)
    budget.produce(len(elements))
    return elements[::-1]


def _list(budget: Budget, value: Any) -> list[Any]:
    elements = value if isinstance(value, str) else looped(value)
    budget.produce(len(elements))
    return list(elements)


def _map(budget: Budget, value: Any, *arguments: Any, attribute: Any = None, default: Any = None) -> list[Any]:
    if attribute is not None:
        return _keys(budget, value, attribute, default)
    name, *rest = arguments or ("",)
    change = VALUE_FILTERS.get(name) if isinstance(name, str) else None
    if change is None:
        raise LimitError(
            f"map takes attribute= or the name of a filter, not {name!r:.50}.{hint(str(name), VALUE_FILTERS)}"
        )
    made = []
    for each in looped(value):
        budget.step()
        require(each)
        made.append(change(budget, each, *rest))
    return made


def _group_by(budget: Budget, value: Any, attribute: Any) -> list[list[Any]]:
    elements = _sort(budget, value, attribute=attribute)
    groups: list[list[Any]] = []
    for key, each in zip(_keys(budget, elements, attribute), elements, strict=True):
        if not groups or groups[-1][0] != key:
            groups.append([key, []])
        groups[-1][1].append(each)
    budget.produce(len(elements))
    return groups


def _choosing(*, is_wanted: bool, by_attribute: bool) -> Callable[..., list[Any]]:
    """A filter that keeps the elements that pass a test, or that do not, by themselves or by an attribute."""

    @pass_context
    def run(context: Context, value: Any, *arguments: Any) -> list[Any]:
        budget = budget_of(context)
        budget.step()
        attribute, *rest = arguments if by_attribute else (None, *arguments)
        test = _test(*rest)
        elements = looped(value)
        keys = _keys(budget, elements, attribute, missing_is_error=False)
        return [each for key, each in zip(keys, elements, strict=True) if test(context, key) is is_wanted]

    return run


def _test(name: Any = None, *arguments: Any) -> Callable[[Context, Any], bool]:
    if name is None:
        return lambda _, key: not isinstance(key, Undefined) and bool(key)
    test = TESTS.get(name) if isinstance(name, str) else None
    if test is None:
        raise LimitError(f"there is no test {name!r:.50}.{hint(str(name), TESTS)}")
    if name in ("defined", "undefined"):
        return lambda _, key: test(key)
    return lambda context, key: test(context, key, *arguments)


def _keys(
    budget: Budget, value: Any, attribute: Any, default: Any = None, *, missing_is_error: bool = True
) -> list[Any]:
    """What each element is known by: itself, or the value at a dotted path in it."""
    elements = looped(value)
    budget.step(len(elements) // 10)
    budget.produce(len(elements))
    if attribute is None:
        return list(elements)
    parts = _parts(attribute)
    keys = []
    for each in elements:
        budget.step()
        for number, part in enumerate(parts):
            each = element(each, part, ".".join(["the element", *map(str, parts[:number])]))
            if isinstance(each, Undefined):
                break
        if isinstance(each, Undefined):
            if default is not None:
                each = default
            elif missing_is_error:
                raise LimitError(each._undefined_message)
        keys.append(each)
    return keys


def _parts(attribute: Any) -> list[str | int]:
    if isinstance(attribute, int) and not isinstance(attribute, bool):
        return [attribute]
    if not isinstance(attribute, str) or not attribute or attribute.count(".") >= ATTRIBUTE_PARTS_MAX:
        raise LimitError("an attribute is a text such as 'name' or 'file.size'.")
    return [
        int(part) if part.isascii() and part.isdigit() and len(part) < 10 else part for part in attribute.split(".")
    ]


def _check_key(key: Any) -> None:
    if not (key is None or isinstance(key, bool | datetime | str) or is_number(key)):
        raise LimitError(f"lists are sorted and grouped by numbers, texts or instants, not by {kind_of(key)}.")
    if isinstance(key, str) and len(key) > KEY_TEXT_MAX:
        raise LimitError(f"a text of more than {KEY_TEXT_MAX} characters is too long to sort or group by.")


LIST_FILTERS: Mapping[str, Callable[..., Any]] = {
    "first": _first,
    "last": _last,
    "min": _smallest,
    "max": _largest,
    "sum": _sum,
    "sort": _sort,
    "unique": _unique,
    "reverse": _reverse,
    "list": _list,
    "map": _map,
    "groupby": _group_by,
}

CHOOSING_FILTERS: Mapping[str, Callable[..., Any]] = {
    "select": _choosing(is_wanted=True, by_attribute=False),
    "reject": _choosing(is_wanted=False, by_attribute=False),
    "selectattr": _choosing(is_wanted=True, by_attribute=True),
    "rejectattr": _choosing(is_wanted=False, by_attribute=True),
}
"""Those that need the context, and are called with it as jinja2 does."""
