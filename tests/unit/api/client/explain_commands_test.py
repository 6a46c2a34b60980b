"""The `scheduler explain` commands against a scripted server."""

import json
from typing import Any

import pytest

from fixtures.fake_api import FakeApi
from scheduler_core.runtime.cli import main

Capture = pytest.CaptureFixture[str]
NOON = "2027-03-01T12:00:00Z"


def blocker(**changes: Any) -> dict[str, Any]:
    """A paused task."""
    return {
        "code": "PAUSED",
        "message": "Task 'report' is paused.",
        "clears": "Resume it: `scheduler task resume report`.",
        "blocks": True,
        "since": NOON,
        "estimate": None,
        "run_id": None,
        "task": "report",
        **changes,
    }


def explanation(**changes: Any) -> dict[str, Any]:
    """Of a run that waits."""
    return {
        "subject": "run",
        "task": "report",
        "task_id": 3,
        "namespace": "default",
        "status": "PENDING",
        "summary": "Run 7 of 'report' is PENDING: 1 thing keeps it from running.",
        "now": NOON,
        "is_blocked": True,
        "run_id": 7,
        "slot": None,
        "blockers": [blocker()],
        "story": [{"message": "Triggered by hand.", "at": NOON}],
        "runs": [],
        **changes,
    }


def test_api_unit_explain_run_shows_blockers_and_story(fake_api: FakeApi, capsys: Capture) -> None:
    """The answer, a line for each blocker with what clears it, and how it came about."""
    broker = blocker(code="BROKER_UNREACHABLE", message="No broker.", clears="Bring it back.", blocks=False, since=None)
    fake_api.answer("GET", "/api/v1/task-runs/7/explain", explanation(blockers=[blocker(), broker]))
    assert main(["explain", "run", "7"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Answer\tRun 7 of 'report' is PENDING: 1 thing keeps it from running.",
        "BLOCKER\tWHY\tSINCE\tWHAT CLEARS IT\tEXPECTED",
        "PAUSED\tTask 'report' is paused.\t2027-03-01 12:00:00 UTC\tResume it: `scheduler task resume report`.\t-",
        "BROKER_UNREACHABLE (only delays)\tNo broker.\t-\tBring it back.\t-",
        "WHEN\tWHAT HAPPENED",
        "2027-03-01 12:00:00 UTC\tTriggered by hand.",
    ]


def test_api_unit_explain_task_shows_its_waiting_runs(fake_api: FakeApi, capsys: Capture) -> None:
    """Below the task's own blockers come its runs, each with its blockers."""
    run = {
        "run_id": 7,
        "status": "PENDING",
        "scheduled_at": NOON,
        "is_blocked": True,
        "blockers": [blocker(code="NO_WORKER", message="No worker is alive.", clears="Start one.")],
        "story": [],
    }
    fake_api.answer("GET", "/api/v1/tasks/report/explain", explanation(subject="task", story=[], runs=[run]))
    assert main(["explain", "task", "report", "--namespace", "other"]) == 0
    assert fake_api.requests[0].query == {"namespace": ["other"]}
    assert capsys.readouterr().out.splitlines()[3:] == [
        "Run 7\tPENDING, blocked",
        "BLOCKER\tWHY\tSINCE\tWHAT CLEARS IT\tEXPECTED",
        "NO_WORKER\tNo worker is alive.\t2027-03-01 12:00:00 UTC\tStart one.\t-",
    ]


def test_api_unit_explain_slot_asks_for_the_instant(fake_api: FakeApi, capsys: Capture) -> None:
    """The instant may be written as elsewhere; JSON is the server's answer as it is."""
    fake_api.answer("GET", "/api/v1/tasks/report/explain", explanation(subject="slot"))
    assert main(["explain", "slot", "report", "2027-03-01 12:00", "-o", "json"]) == 0
    assert fake_api.requests[0].query == {"slot": ["2027-03-01T12:00:00+00:00"]}
    assert json.loads(capsys.readouterr().out) == explanation(subject="slot")


def test_api_unit_explain_slot_refuses_what_is_no_instant(fake_api: FakeApi, capsys: Capture) -> None:
    """The error names the argument and what was typed, and nothing is asked."""
    assert main(["explain", "slot", "report", "someday"]) == 2
    error = capsys.readouterr().err
    assert "INSTANT" in error
    assert "someday" in error
    assert fake_api.requests == []
