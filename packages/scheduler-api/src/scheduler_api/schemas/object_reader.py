"""Reads a JSON object by the fields of a struct and tells everything that is wrong with it, not only the first."""

import re
import types
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple, Union, get_args, get_origin

import msgspec

from scheduler_core.decisions.nearest import hint, nearest
from scheduler_core.errors import Problem

_SHORT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII)


class ReadObject(NamedTuple):
    """The fields that were given and could be read, and the problems of the others."""

    values: dict[str, Any]
    problems: list[Problem]


def read_object(
    document: Any,
    model: type[msgspec.Struct],
    *,
    path: str = "",
    partial: bool = False,
    read_only: tuple[str, ...] = (),
) -> ReadObject:
    """Read `document` as an object with the fields of `model`.

    Wrong types, unknown fields (with the nearest name) and missing ones are all told, with paths such as
    ``schedule.cron`` below `path`. With `partial` nothing is missing. `read_only` are names that only answers have.
    The values have the names of the struct's own fields.

    >>> class Point(msgspec.Struct):
    ...     x: int
    ...     y: int = 0
    >>> [str(p.message) for p in read_object({"x": "1", "yy": 2}, Point).problems]
    ['x is a whole number, not a string.', 'There is no such field. Did you mean y?']
    """
    problems: list[Problem] = []
    if not isinstance(document, dict):
        problems.append(Problem(path.rstrip("."), f"This is a JSON object, not {kind_of(document)}."))
        return ReadObject({}, problems)
    fields = {field.encode_name: field for field in msgspec.structs.fields(model)}
    values = {}
    for name, value in document.items():
        if name in fields:
            before = len(problems)
            read = _read(value, fields[name].type, f"{path}{name}", name, problems)
            if len(problems) == before:
                values[fields[name].name] = read
        elif name in read_only:
            problems.append(Problem(f"{path}{name}", "This field can only be read. Leave it out."))
        else:
            problems.append(Problem(f"{path}{name[:100]}", f"There is no such field.{hint(name, fields)}"))
    if not partial:
        problems += [
            Problem(f"{path}{name}", f"{name} is missing.")
            for name, field in fields.items()
            if field.required and name not in document
        ]
    return ReadObject(values, problems)


def kind_of(value: Any) -> str:
    """The JSON name of what was given.

    >>> kind_of(True), kind_of([1])
    ('true', 'a list')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    for python_type, name in ((str, "a string"), (int | float, "a number"), (dict, "an object"), (list, "a list")):
        if isinstance(value, python_type):
            return name
    return type(value).__name__


def _read(value: Any, wanted: Any, path: str, name: str, problems: list[Problem]) -> Any:
    options = _options(wanted)
    for option in options:
        if _fits(value, option):
            return _taken(value, option, path, name, problems)
    names = " or ".join(dict.fromkeys(_describe(option) for option in options))
    problems.append(Problem(path, f"{name} is {names}, not {kind_of(value)}."))
    return None


def _options(wanted: Any) -> tuple[Any, ...]:
    if get_origin(wanted) in (Union, types.UnionType):
        return get_args(wanted)
    return (wanted,)


def _fits(value: Any, wanted: Any) -> bool:
    shape = _shape(wanted)
    return shape is None or shape.fits(value)


def _taken(value: Any, wanted: Any, path: str, name: str, problems: list[Problem]) -> Any:
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        read = read_object(value, wanted, path=f"{path}.")
        problems.extend(read.problems)
        return None if read.problems else wanted(**read.values)
    if get_origin(wanted) is list:
        (item,) = get_args(wanted)
        return [_read(each, item, f"{path}.{index}", f"{name}[{index}]", problems) for index, each in enumerate(value)]
    if wanted is datetime:
        return _instant(value, path, problems)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return _choice(value, wanted, path, name, problems)
    if wanted is int:
        return int(value)
    if wanted is float:
        return _float(value, path, name, problems)
    return value


def _instant(text: str, path: str, problems: list[Problem]) -> datetime | None:
    """As RFC 3339 has it, the seconds or the whole time of day left out as people do."""
    try:
        return datetime.fromisoformat(text) if _SHORT.fullmatch(text) else msgspec.convert(text, datetime)
    except ValueError:
        problems.append(
            Problem(path, f"'{text[:50]}' is no instant. Write it as in RFC 3339: 2027-01-31T09:00:00+03:00.")
        )
        return None


def _choice(value: str, wanted: type[Enum], path: str, name: str, problems: list[Problem]) -> Enum | None:
    choices = [str(each.value) for each in wanted]
    if value in choices:
        return wanted(value)
    problems.append(Problem(path, f"'{value[:50]}' is not known as {name}. {_remedy(value, choices)}"))
    return None


def _remedy(value: str, choices: list[str]) -> str:
    near = nearest(value, choices)
    return f"Did you mean {near}?" if near else f"Known: {', '.join(choices)}."


def _float(value: int | float, path: str, name: str, problems: list[Problem]) -> float | None:
    try:
        return float(value)
    except OverflowError:
        problems.append(Problem(path, f"{name} is too large."))
        return None


class _Shape(NamedTuple):
    fits: Callable[[Any], bool]
    description: str


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_SHAPES: Mapping[Any, _Shape] = {
    str: _Shape(lambda value: isinstance(value, str), "a string"),
    bool: _Shape(lambda value: isinstance(value, bool), "true or false"),
    int: _Shape(lambda value: _is_number(value) and value == value // 1, "a whole number"),
    float: _Shape(_is_number, "a number"),
    datetime: _Shape(lambda value: isinstance(value, str), "an instant in a string"),
    types.NoneType: _Shape(lambda value: value is None, "null"),
    dict: _Shape(lambda value: isinstance(value, dict), "an object"),
    list: _Shape(lambda value: isinstance(value, list), "a list"),
}


def _shape(wanted: Any) -> _Shape | None:
    """How a type is recognised; None for what takes any value."""
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return _SHAPES[dict]
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return _SHAPES[str]
    return _SHAPES.get(get_origin(wanted) or wanted)


def _describe(wanted: Any) -> str:
    shape = _shape(wanted)
    return "any value" if shape is None else shape.description
