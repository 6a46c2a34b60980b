"""What is said of a value that does not keep its schema."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from scheduler_core.decisions.nearest import hint

SHOWN_MAX = 80


def message_of(error: Any) -> str:
    """A sentence of a ValidationError that names the value and what is expected of it."""
    tell = _SENTENCES.get(str(error.validator))
    if tell is not None:
        return tell(error)
    if error.validator_value is False or error.schema is False:
        return f"There must be no value here; it is {_shown(error.instance)}. Remove it."
    return f"{_shown(error.instance)} does not keep {error.validator}: {_shown(error.validator_value)}."


def _shown(value: Any) -> str:
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        text = repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 1]}…"


def _limit(words: str) -> Callable[[Any], str]:
    return lambda error: f"{_shown(error.instance)} is not {words} {_shown(error.validator_value)}."


def _size(unit: str, words: str) -> Callable[[Any], str]:
    def tell(error: Any) -> str:
        return (
            f"{_shown(error.instance)} has {len(error.instance)} {unit}; {words} {error.validator_value} are expected."
        )

    return tell


def _type(error: Any) -> str:
    kinds = error.validator_value
    wanted = " or ".join([kinds] if isinstance(kinds, str) else map(str, kinds))
    return f"{_shown(error.instance)} is not of the type {wanted}."


def _required(_: Any) -> str:
    return "It is missing, and the schema requires it."


def _unknown(error: Any) -> str:
    known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    name = str(error.relative_path[-1]) if error.relative_path else ""
    return f"The schema knows no such parameter.{hint(name, known)}"


def _alternatives(error: Any) -> str:
    count = len(error.validator_value)
    reasons = [_located(each) for each in (error.context or ())[:3]]
    if not reasons:
        return f"{_shown(error.instance)} keeps more than one of the {count} alternatives, of which one is to be kept."
    return f"{_shown(error.instance)} keeps none of {count} alternatives: {' '.join(reasons)}"


def _located(error: Any) -> str:
    where = ".".join(map(str, error.relative_path))
    return f"{where}: {message_of(error)}" if where else message_of(error)


_SENTENCES: Mapping[str, Callable[[Any], str]] = {
    "type": _type,
    "required": _required,
    "additionalProperties": _unknown,
    "enum": lambda error: f"{_shown(error.instance)} is none of {_shown(error.validator_value)}.",
    "const": lambda error: f"{_shown(error.instance)} is not {_shown(error.validator_value)}.",
    "minimum": _limit("at least"),
    "maximum": _limit("at most"),
    "exclusiveMinimum": _limit("more than"),
    "exclusiveMaximum": _limit("less than"),
    "multipleOf": _limit("a multiple of"),
    "minLength": _size("characters", "at least"),
    "maxLength": _size("characters", "at most"),
    "minItems": _size("elements", "at least"),
    "maxItems": _size("elements", "at most"),
    "minProperties": _size("members", "at least"),
    "maxProperties": _size("members", "at most"),
    "pattern": lambda error: f"{_shown(error.instance)} does not match the pattern {error.validator_value!r:.100}.",
    "uniqueItems": lambda error: f"{_shown(error.instance)} holds an element more than once.",
    "anyOf": _alternatives,
    "oneOf": _alternatives,
}
