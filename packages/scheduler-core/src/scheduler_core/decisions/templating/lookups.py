"""What look-ups in templates find: never anything but data."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import StrictUndefined
from jinja2.runtime import LoopContext

from scheduler_core.decisions.templating.budget import Budget, LimitError
from scheduler_core.decisions.templating.operations import checked_number, require
from scheduler_core.decisions.templating.values import kind_of

RANGE_MAX = 10_000

_SHOWN_KEYS_MAX = 10
_LOOP_NAMES = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})
_INSTANT_NAMES = frozenset({"year", "month", "day", "hour", "minute", "second"})


def element(value: Any, key: Any, path: str) -> Any:
    """What `value.key` and `value[key]` give: never anything but data. `path` is how the template writes `value`."""
    require(value)
    require(key)
    if isinstance(value, Mapping):
        if not isinstance(key, str):
            raise LimitError(f"a key of {path} is a text, not {kind_of(key)}.")
        return value[key] if key in value else _missing(f"{path} has no {key[:100]!r} (it has {_keys(value)}).")
    if isinstance(value, list | tuple | str):
        if isinstance(key, int) and not isinstance(key, bool):
            is_there = -len(value) <= key < len(value)
            return value[key] if is_there else _missing(f"{path} has {len(value)} elements, and none at {key}.")
        return _missing(f"{path} is {kind_of(value)}, which has no {_shown(key)}.")
    if isinstance(value, LoopContext) and key in _LOOP_NAMES:
        return getattr(value, key)
    if isinstance(value, datetime) and key in _INSTANT_NAMES:
        return getattr(value, key)
    return _missing(f"{path} is {kind_of(value)}, which has no {_shown(key)}.")


def part(value: Any, start: Any, stop: Any, step: Any, budget: Budget) -> Any:
    """What `value[start:stop:step]` gives."""
    budget.step()
    require(value)
    if not isinstance(value, list | tuple | str):
        raise LimitError(f"only a list or text has parts, not {kind_of(value)}.")
    for bound in (start, stop, step):
        require(bound)
        if bound is not None and (not isinstance(bound, int) or isinstance(bound, bool)):
            raise LimitError(f"the bounds of a part are whole numbers, not {kind_of(bound)}.")
    if step == 0:
        raise LimitError("the step of a part is not 0.")
    chosen = slice(start, stop, step)
    budget.produce(len(range(*chosen.indices(len(value)))))
    return value[chosen]


def looped(value: Any) -> Sequence[Any]:
    """What a loop over this value goes through."""
    require(value)
    if isinstance(value, Mapping):
        return list(value)
    if isinstance(value, list | tuple):
        return value
    raise LimitError(f"a list or an object can be gone through, not {kind_of(value)}.")


def object_method(value: Mapping[str, Any], name: str, arguments: Sequence[Any], budget: Budget) -> Any:
    """What one of the methods that objects have in templates gives."""
    if name == "get" and 1 <= len(arguments) <= 2:
        key, default = (*arguments, None)[:2]
        require(key)
        return value.get(key, default) if isinstance(key, str) else default
    if name not in ("items", "keys", "values") or arguments:
        raise LimitError(f"an object has no method {name} with {len(arguments)} arguments.")
    budget.produce(len(value))
    return [list(pair) for pair in value.items()] if name == "items" else list(getattr(value, name)())


def whole_range(arguments: Sequence[Any], budget: Budget) -> list[int]:
    """What `range` gives."""
    budget.step()
    for each in arguments:
        require(each)
        if not isinstance(each, int) or isinstance(each, bool):
            raise LimitError(f"range takes whole numbers, not {kind_of(each)}.")
        checked_number(each)
    if not 1 <= len(arguments) <= 3 or (len(arguments) == 3 and arguments[2] == 0):
        raise LimitError("range takes one to three numbers, the last of which is not 0.")
    numbers = range(*arguments)
    if len(numbers) > RANGE_MAX:
        raise LimitError(f"range gives at most {RANGE_MAX} numbers.")
    budget.produce(len(numbers))
    return list(numbers)


def _missing(hint: str) -> StrictUndefined:
    return StrictUndefined(hint=hint)


def _keys(value: Mapping[str, Any]) -> str:
    if not value:
        return "nothing"
    names = [str(key)[:50] for _, key in zip(range(_SHOWN_KEYS_MAX), value, strict=False)]
    return ", ".join(names) + (", …" if len(value) > _SHOWN_KEYS_MAX else "")


def _shown(key: Any) -> str:
    return repr(key[:100]) if isinstance(key, str) else f"element {key}" if isinstance(key, int) else kind_of(key)
