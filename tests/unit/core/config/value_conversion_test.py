"""Types of settings, read from text and told in words."""

import enum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from scheduler_core.config.config_value import ConfigValue
from scheduler_core.config.value_conversion import convert_value, describe_type


class Level(enum.StrEnum):
    """Two words."""

    LOW = "low"
    HIGH = "high"


@pytest.mark.parametrize(
    ("text", "wanted", "value"),
    [
        ("5", int, 5),
        ("5", str | None, "5"),
        ("5", int | None, 5),
        ("high", Level, Level.HIGH),
        ("json", Literal["json", "console"], "json"),
        ("1", bool, True),
        ("/tmp/x", Path, Path("/tmp/x")),
        ("", list[str], []),
        ("[1, 2]", list[int], [1, 2]),
        ("a,b", tuple[str, ...], ("a", "b")),
        ('{"a": 1}', dict[str, int], {"a": 1}),
        ("{a = 1}", dict[str, int], {"a": 1}),
    ],
)
def test_convert_value_reads_text_as_the_type(text: str, wanted: Any, value: object) -> None:
    """Variables and flags can set a key of every supported type."""
    assert convert_value(ConfigValue(text, "x", is_text=True), wanted) == value


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (ConfigValue("", "x", is_text=True), int),
        (ConfigValue("yes please", "x", is_text=True), bool),
        (ConfigValue("[1", "x", is_text=True), list[int]),
        (ConfigValue("1", "x"), int),
        (ConfigValue(True, "x"), int),
        (ConfigValue("middle", "x"), Level),
    ],
)
def test_convert_value_refuses_what_does_not_fit(found: ConfigValue, wanted: Any) -> None:
    """In a file a number is written as a number; guessing is left to text."""
    with pytest.raises(ValueError):
        convert_value(found, wanted)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Annotated[int, msgspec.Meta(ge=1, le=9)], "a whole number, at least 1, at most 9"),
        (Annotated[float, msgspec.Meta(gt=0)] | None, "a number, more than 0 or unset"),
        (Level, 'one of "low", "high"'),
        (list[str], "a list (text each)"),
        (Path, "a path"),
    ],
)
def test_describe_type_speaks_to_people(wanted: Any, words: str) -> None:
    """Messages and documentation say what may be written."""
    assert sorted(describe_type(wanted).split(" or ")) == sorted(words.split(" or "))
