"""Flags and words of a task's time-outs and retries."""

from typing import Any

import pytest

from fixtures.fake_api import FakeApi, run_document
from scheduler_api.client.client_error import UsageError
from scheduler_api.client.run_view import run_fields, run_row
from scheduler_api.client.task_input import TaskFlags
from scheduler_api.client.task_time_words import time_fields
from scheduler_core.runtime.cli import main


@pytest.mark.parametrize(
    ("flags", "fields"),
    [
        ({"timeout": "60", "soft_timeout": "50.5"}, {"timeout_seconds": 60.0, "soft_timeout_seconds": 50.5}),
        ({"timeout": "none", "queue_timeout": "NONE"}, {"timeout_seconds": None, "queue_timeout_seconds": None}),
        ({"total_timeout": "1e3", "max_retries": 0}, {"total_timeout_seconds": 1000.0, "max_retries": 0}),
        (
            {"retry_delay": 0.0, "retry_multiplier": 1.0, "retry_max_delay": 9.0, "retry_jitter": 0.0},
            {"retry": {"delay_seconds": 0.0, "multiplier": 1.0, "max_delay_seconds": 9.0, "jitter": 0.0}},
        ),
        (
            {
                "retry_delays": "1,5, 30",
                "retry_on_exit_code": (75,),
                "retry_on_status": (503, 429),
                "retry_on_exception": ("OSError",),
                "retry_on_output": ("reset",),
            },
            {
                "retry": {
                    "delays": [1.0, 5.0, 30.0],
                    "on_exit_codes": [75],
                    "on_statuses": [503, 429],
                    "on_exceptions": ["OSError"],
                    "on_output": ["reset"],
                }
            },
        ),
    ],
)
def test_api_unit_fields_name_times_and_retries(flags: dict[str, Any], fields: dict[str, Any]) -> None:
    """Only given flags are sent, under the API's names, zeros too."""
    assert TaskFlags(**flags).fields() == fields


@pytest.mark.parametrize(
    ("flags", "flag"),
    [
        ({"queue_timeout": "soon"}, "--queue-timeout"),
        ({"soft_timeout": "0"}, "--soft-timeout"),
        ({"total_timeout": "inf"}, "--total-timeout"),
        ({"retry_delays": "1;2"}, "--retry-delays"),
        ({"retry_delays": "1,-2"}, "--retry-delays"),
    ],
)
def test_api_unit_fields_refuse_what_is_no_time(flags: dict[str, Any], flag: str) -> None:
    """A usage error names the flag and what was given."""
    with pytest.raises(UsageError, match=f"{flag}: '{next(iter(flags.values()))}'"):
        TaskFlags(**flags).fields()


def test_api_unit_time_fields_tell_conditions() -> None:
    """What is tried again, and after which waits, can be read in one line."""
    retry = {"delay_seconds": 5, "multiplier": 1, "on_exit_codes": [75], "on_output": ["reset"]}
    told = dict(time_fields({"timeout_seconds": None, "max_retries": 3, "retry": retry}))
    assert told == {
        "Time-out": "none",
        "Retries": "up to 3, each after 5 s; only after exit code 75 or output reset, or a time-out",
    }


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"pause_requested": True}, "RUNNING, pausing"),
        ({"pause_requested": True, "paused_at": "2027-01-31T09:00:00Z"}, "RUNNING, paused"),
        ({"pause_requested": False, "paused_at": "2027-01-31T09:00:00Z"}, "RUNNING, resuming"),
        ({}, "RUNNING"),
    ],
)
def test_api_unit_run_list_shows_who_stands_still(changes: dict[str, Any], status: str) -> None:
    """A paused run is told from one that works, in the list and in full."""
    run = run_document(status="RUNNING", completed_at=None, **changes)
    assert (run_row(run)[2], dict(run_fields(run))["Status"]) == (status, status)


def test_api_unit_run_pause_says_how_it_goes_on(fake_api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """The answer comes before the job stands still; the note says so, and names the command that ends it."""
    pausing = run_document(status="RUNNING", completed_at=None, pause_requested=True)
    fake_api.answer("POST", "/api/v1/task-runs/7/pause", pausing)

    assert main(["run", "pause", "7"]) == 0

    out, err = capsys.readouterr()
    assert "RUNNING, pausing" in out
    assert "`scheduler run resume 7`" in err
