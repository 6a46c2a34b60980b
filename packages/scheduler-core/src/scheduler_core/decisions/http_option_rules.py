"""What http tasks say besides what they send: how long they wait, where they follow, what they take from a response."""

from collections.abc import Iterator, Mapping
from typing import Any

HTTP_OPTIONS = (
    "connect_timeout_seconds",
    "first_byte_timeout_seconds",
    "redirects_max",
    "respect_retry_after",
    "extract",
)

_SECONDS_MAX = 86_400
_REDIRECTS_MAX = 20
_EXTRACTS_MAX = 100

PathPart = str | int


def http_option_problems(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with these parameters: their names, and sentences."""
    for key in ("connect_timeout_seconds", "first_byte_timeout_seconds"):
        seconds = parameters.get(key)
        if seconds is not None and not (_is_number(seconds) and 0 < seconds <= _SECONDS_MAX):
            yield key, f"{key} is {seconds!r:.80}. Give seconds, more than 0 and at most {_SECONDS_MAX}."
    redirects = parameters.get("redirects_max")
    if redirects is not None and not (type(redirects) is int and 0 <= redirects <= _REDIRECTS_MAX):
        yield "redirects_max", f"redirects_max is {redirects!r:.80}. Give a number from 0 to {_REDIRECTS_MAX}."
    respect = parameters.get("respect_retry_after")
    if respect is not None and not isinstance(respect, bool):
        yield "respect_retry_after", f"respect_retry_after is true or false, not {respect!r:.80}."
    yield from _extract_problems(parameters.get("extract"))


def path_parts(path: Any) -> tuple[PathPart, ...] | None:
    """The keys and positions of a path, from the outermost; None for what is no path.

    A text is split at its dots, and a part of digits is a position in a list, or a key in an object. A list is taken
    as it is, for keys with dots in them.

    >>> path_parts("data.items.0.id"), path_parts(["data", "a.b", 0]), path_parts("data..id")
    (('data', 'items', '0', 'id'), ('data', 'a.b', 0), None)
    """
    if isinstance(path, str):
        path = path.split(".")
        if "" in path:
            return None
    if not isinstance(path, list | tuple) or not path:
        return None
    return tuple(path) if all(isinstance(part, str) or type(part) is int for part in path) else None


def extracted(value: Any, path: Any) -> tuple[Any, str | None]:
    """What stands at a path of a JSON value, and None; or None, and why there is nothing.

    >>> extracted({"items": [{"id": 7}]}, "items.-1.id"), extracted({"items": []}, "items.0")
    ((7, None), (None, "there is no position 0 in 'items', a list of 0"))
    """
    seen: list[str] = []
    for part in path_parts(path) or ():
        where = f"'{'.'.join(seen)[:100]}'" if seen else "the response"
        if isinstance(value, Mapping):
            if str(part) not in value:
                return None, f"there is no {str(part)[:50]!r} in {where}"
            value = value[str(part)]
        elif isinstance(value, list):
            position = _position(part)
            if position is None:
                return None, f"{where} is a list, and {str(part)[:50]!r} is no position"
            if not -len(value) <= position < len(value):
                return None, f"there is no position {position} in {where}, a list of {len(value)}"
            value = value[position]
        else:
            return None, f"there is nothing within {where}, which is {_kind(value)}"
        seen.append(str(part))
    return value, None


def _extract_problems(extract: Any) -> Iterator[tuple[str, str]]:
    if extract is None:
        return
    if not isinstance(extract, Mapping) or not 1 <= len(extract) <= _EXTRACTS_MAX:
        yield "extract", f'extract is an object of 1 to {_EXTRACTS_MAX} names and paths, such as {{"id": "data.0.id"}}.'
        return
    for name, path in extract.items():
        if path_parts(path) is None:
            told = f"The path of '{str(name)[:80]}' is {path!r:.80}. Write keys and positions with dots between them, "
            yield "extract", told + 'such as "data.items.0.id", or a list of them: ["data", "a.b", 0].'


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _position(part: PathPart) -> int | None:
    text = str(part)
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= 9 else None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return "true or false" if isinstance(value, bool) else "a text" if isinstance(value, str) else "a number"
