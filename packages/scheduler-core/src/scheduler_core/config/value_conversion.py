"""From what was found to what a setting wants."""

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from scheduler_core.config.config_value import ConfigValue

_ARRAYS = (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType)
_TEXTS = (inspect.StrType, inspect.EnumType, inspect.LiteralType)


def convert_value(found: ConfigValue, wanted: Any) -> Any:
    """The value in the type of its setting; raises ValueError with a sentence on what is wrong.

    Text from variables and flags becomes a number, a boolean or a list only where the type asks for one; for a
    text setting it stays as it is, to the last character. Lists may be written as TOML or separated by commas.
    """
    try:
        if not found.is_text:
            return msgspec.convert(found.value, wanted, dec_hook=_convert_custom)
        return _convert_text(found.value, wanted)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def _convert_text(text: str, wanted: Any) -> Any:
    kinds = [_bare(kind) for kind in _kinds(inspect.type_info(wanted))]
    if any(isinstance(kind, _TEXTS) for kind in kinds):
        return msgspec.convert(text, wanted)
    text = text.strip()
    if any(isinstance(kind, _ARRAYS) for kind in kinds):
        items = (
            _parse_toml(text) if text.startswith("[") else [item.strip() for item in text.split(",") if item.strip()]
        )
        return msgspec.convert(items, wanted, strict=False, dec_hook=_convert_custom)
    if text.startswith("{"):
        return msgspec.convert(_parse_table(text), wanted, strict=False, dec_hook=_convert_custom)
    return msgspec.convert(text, wanted, strict=False, dec_hook=_convert_custom)


def _convert_custom(wanted: type, value: Any) -> Any:
    if wanted is Path and isinstance(value, str):
        return Path(value).expanduser()
    raise NotImplementedError(f"settings of type {wanted!r} are not supported")


def _kinds(info: inspect.Type) -> tuple[inspect.Type, ...]:
    info = _bare(info)
    return info.types if isinstance(info, inspect.UnionType) else (info,)


def _bare(info: inspect.Type) -> inspect.Type:
    return _bare(info.type) if isinstance(info, inspect.Metadata) else info


def _parse_toml(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"It is not a TOML list: {error}") from error


def _parse_table(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return _parse_toml(text)


def describe_type(wanted: Any) -> str:
    """A type in words for people, such as "a whole number, at least 1"."""
    return " or ".join(_describe(kind) for kind in _kinds(inspect.type_info(wanted)))


def _describe(info: inspect.Type) -> str:
    info = _bare(info)
    match info:
        case inspect.NoneType():
            return "unset"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number" + _range(info)
        case inspect.FloatType():
            return "a number" + _range(info)
        case inspect.StrType():
            return "text" + _shape(info)
        case inspect.LiteralType():
            return "one of " + ", ".join(f'"{value}"' for value in info.values)
        case inspect.EnumType():
            return "one of " + ", ".join(f'"{member.value}"' for member in info.cls)
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType():
            return f"a list ({_describe(info.item_type)} each)"
        case inspect.DictType():
            return f"a table ({_describe(info.value_type)} each)"
        case inspect.UnionType():
            return " or ".join(_describe(kind) for kind in info.types)
        case inspect.CustomType() if info.cls is Path:
            return "a path"
        case _:
            return "a value of its own kind"


def _range(info: inspect.IntType | inspect.FloatType) -> str:
    limits = {"at least": info.ge, "more than": info.gt, "at most": info.le, "less than": info.lt}
    words = [f"{words} {limit}" for words, limit in limits.items() if limit is not None]
    return "".join(f", {word}" for word in words)


def _shape(info: inspect.StrType) -> str:
    words = []
    if info.min_length:
        words.append(f", at least {info.min_length} characters")
    if info.max_length is not None:
        words.append(f", at most {info.max_length} characters")
    if info.pattern is not None:
        words.append(f", matching {info.pattern}")
    return "".join(words)
