"""A validator of JSON Schema 2020-12 that cannot take long, whatever schema and value it is given."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import msgspec
import regex
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry

SECONDS_MAX = 0.5
SCHEMA_SECONDS_MAX = 2.0
MESSAGE_CHARACTERS_MAX = 16_777_216
UNEVALUATED_MAX = 1000

ALWAYS_KNOWN = frozenset({"required", "additionalProperties"})
"""Keywords of which an error is certain although the value itself may not be known yet."""

Keyword = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]


class TooMuchWorkError(Exception):
    """A value cannot be judged within the limits; the text is a sentence."""


class _Limits:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = time.thread_time() + seconds
        self._characters_left = MESSAGE_CHARACTERS_MAX

    def look(self) -> float:
        """How many seconds are left."""
        left = self._deadline - time.thread_time()
        if left <= 0:
            raise TooMuchWorkError(f"It takes more than {self._seconds:g} s to judge. Use a simpler schema.")
        return left

    def keep(self, message: str) -> None:
        """Account for what an error says, which holds the value."""
        self._characters_left -= len(message)
        if self._characters_left < 0:
            raise TooMuchWorkError("Too many alternatives fail for too large a value. Use a simpler schema.")


_limits: ContextVar[_Limits] = ContextVar("schema_limits")


@contextmanager
def limited(seconds: float | None = None) -> Iterator[None]:
    """Inside, all judging together keeps within the limits; raises TooMuchWorkError from where it does not."""
    token = _limits.set(_Limits(SECONDS_MAX if seconds is None else seconds))
    try:
        yield
    finally:
        _limits.reset(token)


def validator(schema: Mapping[str, Any]) -> Any:
    """A validator for a schema that `schema_problems` has accepted; nothing is ever fetched for it."""
    return _Validator(_unnamed(schema), registry=Registry())


def schema_validator() -> Any:
    """A validator that judges schemas of the draft 2020-12 by themselves."""
    return _Validator(_unnamed(Draft202012Validator.META_SCHEMA))  # the library brings what it refers to


def look_at_time() -> None:
    """Raise TooMuchWorkError when the time is over."""
    _limits.get().look()


def matches(pattern: str, text: str) -> bool:
    """Whether a text contains what a pattern describes. The library's own engine cannot be stopped, this one can."""
    try:
        return regex.search(pattern, text, timeout=_limits.get().look()) is not None
    except TimeoutError:
        raise TooMuchWorkError(
            f"The pattern {pattern[:100]!r} takes too long to match. Write it without repetitions within repetitions."
        ) from None


def _counted(keyword: Keyword) -> Keyword:
    def judge(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        limits = _limits.get()
        limits.look()
        for error in keyword(validator, value, instance, schema) or ():
            limits.keep(error.message)
            yield error

    return judge


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not matches(pattern, instance):
        yield ValidationError("")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for pattern, subschema in patterns.items():
            for key, value in instance.items():
                if matches(pattern, key):
                    yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, subschema: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key, value in instance.items():
        if key in known or any(matches(pattern, key) for pattern in patterns):
            continue
        if subschema is False:
            yield ValidationError("", path=(key,))
        else:
            yield from validator.descend(value, subschema, path=key)


def _required(_: Any, names: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for name in names:
            if name not in instance:
                yield ValidationError("", path=(name,))


def _multiple_of(validator: Any, divisor: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    try:
        yield from Draft202012Validator.VALIDATORS["multipleOf"](validator, divisor, instance, schema)
    except ArithmeticError:
        raise TooMuchWorkError("A number is too large for multipleOf.") from None


def _unique_items(_: Any, is_wanted: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
    if is_wanted and isinstance(instance, list):
        seen = {msgspec.json.encode(_canonical(each), order="sorted") for each in instance}
        if len(seen) < len(instance):
            yield ValidationError("")


def _canonical(value: Any) -> Any:
    """The same for numbers that are equal: 1 and 1.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [_canonical(each) for each in value]
    return {key: _canonical(each) for key, each in value.items()} if isinstance(value, dict) else value


def _unevaluated(keyword: Keyword) -> Keyword:
    def judge(validator: Any, value: Any, instance: Any, schema: Any) -> Iterable[ValidationError] | None:
        if isinstance(instance, list | dict) and len(instance) > UNEVALUATED_MAX:
            raise TooMuchWorkError(f"unevaluated… judges at most {UNEVALUATED_MAX} elements. Use additionalProperties.")
        return keyword(validator, value, instance, schema)

    return judge


_own: dict[str, Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "required": _required,
    "multipleOf": _multiple_of,
    "uniqueItems": _unique_items,
    "unevaluatedItems": _unevaluated(Draft202012Validator.VALIDATORS["unevaluatedItems"]),
    "unevaluatedProperties": _unevaluated(Draft202012Validator.VALIDATORS["unevaluatedProperties"]),
}


def _unnamed(schema: Any) -> Any:
    # The library judges what has a $schema with the class that is registered for it, which has no limits.
    if isinstance(schema, Mapping) and "$schema" in schema:
        return {key: value for key, value in schema.items() if key != "$schema"}
    return schema


_Validator: Any = extend(  # type: ignore[no-untyped-call]  # its own types say nothing
    Draft202012Validator,
    {name: _counted(keyword) for name, keyword in {**Draft202012Validator.VALIDATORS, **_own}.items()},
)


_evolve = _Validator.evolve


def _evolve_unnamed(validator: Any, **changes: Any) -> Any:
    return _evolve(validator, **{**changes, "schema": _unnamed(changes.get("schema", validator.schema))})


_Validator.evolve = _evolve_unnamed
