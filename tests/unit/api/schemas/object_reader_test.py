"""Reading a JSON object by a struct's fields."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from scheduler_api.schemas.object_reader import read_object


class Inner(msgspec.Struct):
    """An object in the object."""

    size: float
    at: datetime | None = None


class Outer(msgspec.Struct):
    """The object."""

    name: str
    count: int = 0
    flag: bool = False
    inner: str | Inner | None = None
    words: list[str] = []
    free: dict[str, Any] = {}


def test_read_object_takes_what_fits() -> None:
    """Values of the right types arrive, whole numbers written as 2.0 and nested objects included."""
    read = read_object(
        {"name": "a", "count": 2.0, "inner": {"size": 1, "at": "2027-01-01T00:00:00Z"}, "words": ["x"]}, Outer
    )
    assert read.problems == []
    assert read.values == {
        "name": "a",
        "count": 2,
        "inner": Inner(1.0, datetime(2027, 1, 1, tzinfo=UTC)),
        "words": ["x"],
    }


def test_read_object_tells_all_problems_at_once() -> None:
    """A wrong type, an unknown field, a nested fault and a missing field are told together, each with its path."""
    read = read_object({"nam": 1, "count": "2", "inner": {"sise": 1}, "words": ["x", 1], "flag": 1}, Outer, path="o.")
    assert {problem.field for problem in read.problems} == {
        "o.nam",
        "o.count",
        "o.inner.sise",
        "o.inner.size",
        "o.words.1",
        "o.flag",
        "o.name",
    }
    assert read.values == {}


@pytest.mark.parametrize(
    ("document", "kind"), [(None, "null"), ([], "a list"), ("x", "a string"), (1, "a number"), (True, "true")]
)
def test_read_object_refuses_what_is_no_object(document: Any, kind: str) -> None:
    """A body that is no object is told by what it is."""
    (problem,) = read_object(document, Outer).problems
    assert problem.message == f"This is a JSON object, not {kind}."


@pytest.mark.parametrize("value", [True, 1.5, "1", None, []])
def test_read_object_keeps_whole_numbers_strict(value: Any) -> None:
    """Nothing but a whole number becomes one: true is no 1."""
    assert [p.field for p in read_object({"name": "a", "count": value}, Outer).problems] == ["count"]


def test_read_object_names_read_only_fields() -> None:
    """A field that only answers have is refused as such, so that an edited answer is easily put right."""
    (problem,) = read_object({"name": "a", "id": 7}, Outer, read_only=("id",)).problems
    assert problem == ("id", "This field can only be read. Leave it out.")


def test_read_object_partial_misses_nothing() -> None:
    """A change names only what it changes."""
    assert read_object({"count": 1}, Outer, partial=True).problems == []


def test_read_object_refuses_instants_that_are_none() -> None:
    """A text that is no instant is told with an example."""
    (problem,) = read_object({"name": "a", "inner": {"size": 1, "at": "tomorrow"}}, Outer).problems
    assert problem.field == "inner.at"
    assert "RFC 3339" in problem.message
