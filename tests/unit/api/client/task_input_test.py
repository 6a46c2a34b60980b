"""Flags become the JSON of a task."""

from typing import Any

import pytest

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.task_input import TaskFlags, parse_parameters


@pytest.mark.parametrize(
    ("flags", "argv", "fields"),
    [
        ({}, (), {}),
        (
            {"command": "a; b | c && $(d)"},
            (),
            {"task_type": "shell", "parameters": {"command": "a; b | c && $(d)", "shell": True}},
        ),
        ({}, ("rsync", "-a"), {"task_type": "shell", "parameters": {"command": ["rsync", "-a"]}}),
        (
            {"url": "http://x", "param": ("method=POST",)},
            (),
            {"task_type": "http", "parameters": {"method": "POST", "url": "http://x"}},
        ),
        (
            {"callable": "m:f", "param": ('kwargs:={"a": 1}',)},
            (),
            {"task_type": "python", "parameters": {"kwargs": {"a": 1}, "callable": "m:f"}},
        ),
        (
            {"type": "custom", "params": '{"a": [1]}'},
            (),
            {"task_type": "custom", "parameters": {"a": [1]}},
        ),
        ({"schedule": "@daily", "timezone": "UTC"}, (), {"schedule": "@daily", "timezone": "UTC"}),
        ({"at": "2027-01-01T00:00:00Z"}, (), {"schedule": {"at": "2027-01-01T00:00:00Z"}}),
        (
            {"at": "2027-01-01T00:00:00", "timezone": "Asia/Tokyo"},
            (),
            {"schedule": {"at": "2027-01-01T00:00:00"}, "timezone": "Asia/Tokyo"},
        ),
        (
            {"every": "15m", "jitter": "30s", "valid_from": "2027-01-01 09:00"},
            (),
            {"schedule": {"every": "15m", "jitter": "30s", "valid_from": "2027-01-01 09:00"}},
        ),
        ({"after_end": "10m"}, (), {"schedule": {"after_end": "10m"}}),
        ({"rrule": "FREQ=DAILY", "on_gap": "skip"}, (), {"schedule": {"rrule": "FREQ=DAILY", "on_gap": "skip"}}),
        (
            {"schedule": "30 2 * * *", "on_gap": "skip", "on_overlap": "both", "valid_until": "2027-01-01"},
            (),
            {"schedule": "ON_GAP=skip ON_OVERLAP=both VALID_UNTIL=2027-01-01 30 2 * * *"},
        ),
        (
            {"misfire": "all", "misfire_grace": "1h30m", "misfire_runs_max": 5, "overlap": "queue"},
            (),
            {"misfire": "all", "misfire_grace_seconds": 5400.0, "misfire_runs_max": 5, "overlap": "queue"},
        ),
        ({"misfire_grace": "none"}, (), {"misfire_grace_seconds": None}),
        ({"timeout": "1.5"}, (), {"timeout_seconds": 1.5}),
        ({"timeout": "none"}, (), {"timeout_seconds": None}),
        (
            {"depends_on": ("a", "b"), "priority": 0, "max_retries": 0, "queue": "q"},
            (),
            {"dependencies": ["a", "b"], "priority": 0, "max_retries": 0, "queue": "q"},
        ),
    ],
)
def test_fields_name_what_was_given_and_nothing_else(
    flags: dict[str, Any], argv: tuple[str, ...], fields: dict[str, Any]
) -> None:
    """Only given flags are sent, under the API's names."""
    assert TaskFlags(**flags).fields(argv) == fields


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"command": "a", "url": "b"}, "--command and --url"),
        ({"command": "a", "type": "http"}, "--type http"),
        ({"schedule": "a", "at": "b"}, "--schedule and --at"),
        ({"every": "5m", "rrule": "FREQ=DAILY"}, "--every and --rrule"),
        ({"jitter": "5s"}, "--jitter: is a part of a schedule"),
        ({"schedule": "@daily", "valid_from": "2027-01-01 09:00"}, "--valid-from"),
        ({"schedule": "@daily | every 5m", "on_gap": "skip"}, "ON_GAP=skip"),
        ({"misfire_grace": "soon"}, "--misfire-grace"),
        ({"timeout": "soon"}, "soon"),
        ({"timeout": "nan"}, "nan"),
        ({"timeout": "-1"}, "-1"),
    ],
)
def test_fields_refuse_contradictions(flags: dict[str, Any], named: str) -> None:
    """Flags that contradict each other are refused by name before anything is sent."""
    with pytest.raises(UsageError, match=named):
        TaskFlags(**flags).fields()


def test_parse_parameters_text_stays_text() -> None:
    """KEY=TEXT never changes its type; KEY:=JSON does; an equals sign may be part of the text."""
    assert parse_parameters(["a=1", "b:=1", "c=x=y", "d=", "e=true"], None) == {
        "a": "1",
        "b": 1,
        "c": "x=y",
        "d": "",
        "e": "true",
    }


@pytest.mark.parametrize(
    ("pairs", "whole"), [(["a"], None), (["=x"], None), (["a:=x"], None), ([], "[1]"), ([], "{"), ([], '{"a": NaN}')]
)
def test_parse_parameters_bad_input_is_named(pairs: list[str], whole: str | None) -> None:
    """What cannot be read is named with its flag."""
    with pytest.raises(UsageError, match="--param"):
        parse_parameters(pairs, whole)
