"""The values that templates handle: JSON and instants, as text and as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from jinja2 import Undefined

from scheduler_core.decisions.templating.budget import NESTING_MAX, Budget, LimitError


def as_json(value: Any, budget: Budget, depth: int = 0) -> Any:
    """The value as JSON of its own: instants become RFC 3339 text, tuples lists. Shared parts count each time."""
    if value is None or value is True or value is False or isinstance(value, int | float):
        budget.produce(1)
        return value
    if isinstance(value, str):
        budget.produce(len(value) + 2)
        return checked_text(value)
    if depth > NESTING_MAX:
        raise LimitError(f"a value is nested more than {NESTING_MAX} deep.")
    if isinstance(value, Mapping):
        budget.produce(len(value) + 2)
        return {_key(key, budget): as_json(each, budget, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        budget.produce(len(value) + 2)
        return [as_json(each, budget, depth + 1) for each in value]
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, Undefined):
        return str(value)  # raises, and says what is not there
    raise LimitError(f"{kind_of(value)} is no value that a parameter can have.")


def checked_text(text: str) -> str:
    """The text, if every character of it can be stored."""
    if not is_storable(text):
        raise LimitError("a text contains a NUL or half of a character, such as \\ud800, which cannot be stored.")
    return text


def is_storable(text: str) -> bool:
    """Whether the database can store every character of a text: no NUL, and no half of a surrogate pair."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_text(value: Any, budget: Budget) -> str:
    """The value as it stands in a text: texts as they are, instants in RFC 3339, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return instant_text(value)
    plain = as_json(value, budget)
    try:
        return msgspec.json.encode(plain).decode()
    except OverflowError:  # a whole number of more than 64 bits, out of somebody's JSON
        raise LimitError("a number is too large to be written.") from None


def instant_text(value: datetime) -> str:
    """RFC 3339, with Z for UTC.

    >>> from datetime import UTC
    >>> instant_text(datetime(2026, 1, 1, tzinfo=UTC))
    '2026-01-01T00:00:00Z'
    """
    text = value.isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def kind_of(value: Any) -> str:
    """What a value is, in the words of JSON."""
    if value is None:
        return "null"
    for types, name in (
        (bool, "true or false"),
        (int | float, "a number"),
        (str, "a text"),
        (Mapping, "an object"),
        (list | tuple, "a list"),
        (datetime, "an instant"),
    ):
        if isinstance(value, types):
            return name
    return f"a {type(value).__name__}"


def is_number(value: Any) -> bool:
    """Whether it is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _key(key: Any, budget: Budget) -> str:
    if not isinstance(key, str):
        raise LimitError(f"the key of an object is a text, not {kind_of(key)}.")
    budget.produce(len(key))
    return checked_text(key)
