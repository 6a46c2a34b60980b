"""Options of http tasks, and paths into a response."""

from typing import Any

import pytest

from scheduler_core.decisions.http_option_rules import extracted, http_option_problems

RESPONSE = {"items": [{"id": 1}, {"id": 2}], "7": "seven", "none": None, "a.b": {"": 0}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("items.0.id", 1),
        ("items.-1.id", 2),
        (["items", 1, "id"], 2),
        ("7", "seven"),
        ([7], "seven"),
        ("none", None),
        (["a.b", ""], 0),
    ],
)
def test_core_unit_http_extracted(path: Any, value: object) -> None:
    """A path leads through objects and lists, from the end too; a key may look like a number or be empty."""
    assert extracted(RESPONSE, path) == (value, None)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("absent", "there is no 'absent' in the response"),
        ("items.2", "there is no position 2 in 'items', a list of 2"),
        ("items.-3", "there is no position -3 in 'items', a list of 2"),
        ("items.id", "'items' is a list, and 'id' is no position"),
        ("items.²", "'items' is a list, and '²' is no position"),
        ("none.x", "there is nothing within 'none', which is null"),
        ("items.0.id.x", "there is nothing within 'items.0.id', which is a number"),
        ("7.x", "there is nothing within '7', which is a text"),
    ],
)
def test_core_unit_http_extracted_says_where_a_path_ends(path: str, problem: str) -> None:
    """A path that leads nowhere is told with the place where it ends."""
    assert extracted(RESPONSE, path) == (None, problem)


def test_core_unit_http_options_accepts_what_is_documented() -> None:
    """Every option in every form."""
    options = {
        "connect_timeout_seconds": 5,
        "first_byte_timeout_seconds": 0.5,
        "redirects_max": 20,
        "respect_retry_after": True,
        "extract": {"id": "a.0.b", "c": ["d.e", 0]},
    }
    assert list(http_option_problems(options)) == []
    assert list(http_option_problems(dict.fromkeys(options))) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"connect_timeout_seconds": 0}, "connect_timeout_seconds is 0. Give seconds, more than 0 and at most 86400."),
        ({"connect_timeout_seconds": True}, "connect_timeout_seconds is True."),
        ({"first_byte_timeout_seconds": "5s"}, "first_byte_timeout_seconds is '5s'."),
        ({"first_byte_timeout_seconds": float("nan")}, "first_byte_timeout_seconds is nan."),
        ({"redirects_max": -1}, "redirects_max is -1. Give a number from 0 to 20."),
        ({"redirects_max": True}, "redirects_max is True."),
        ({"respect_retry_after": 1}, "respect_retry_after is true or false, not 1."),
        ({"extract": []}, "extract is an object of 1 to 100 names and paths"),
        ({"extract": {}}, "extract is an object of 1 to 100 names and paths"),
        ({"extract": {"id": "a..b"}}, "The path of 'id' is 'a..b'. Write keys and positions"),
        ({"extract": {"id": ""}}, "The path of 'id' is ''."),
        ({"extract": {"id": []}}, "The path of 'id' is []."),
        ({"extract": {"id": ["a", True]}}, "The path of 'id' is ['a', True]."),
        ({"extract": {"id": 5}}, "The path of 'id' is 5."),
    ],
)
def test_core_unit_http_options_refuses(options: dict[str, Any], told: str) -> None:
    """A refusal names the option, what was given and what to give."""
    ((key, message),) = http_option_problems(options)

    assert key in options
    assert message.startswith(told)
