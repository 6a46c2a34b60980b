"""The `scheduler ledger` commands against a scripted server."""

import json
from typing import Any

import pytest

from fixtures.fake_api import Answer, FakeApi, Received, page_of
from scheduler_core.runtime.cli import main

Capture = pytest.CaptureFixture[str]
VERIFICATION = "/api/v1/ledger/verification"
NOON = "2026-11-24T12:00:00Z"


def entry(**changes: Any) -> dict[str, Any]:
    """An entry as the API gives it."""
    return {
        "scheduled_at": NOON,
        "last_scheduled_at": NOON,
        "count": 1,
        "run_id": 7,
        "run_status": "COMPLETED",
        "run_completed_at": NOON,
        "reason": None,
        "zone_data": "2026.1",
        **changes,
    }


def finding(**changes: Any) -> dict[str, Any]:
    """A hole."""
    return {
        "kind": "HOLE",
        "first_at": NOON,
        "last_at": "2026-11-24T12:02:00Z",
        "expected": 3,
        "recorded": 0,
        "run_id": None,
        "zone_data": None,
        "error": None,
        **changes,
    }


def item(task_id: int = 1, **changes: Any) -> dict[str, Any]:
    """A task whose ledger is clean."""
    return {
        "task_id": task_id,
        "task_name": f"task-{task_id}",
        "namespace": "default",
        "status": "ACTIVE",
        "slots": 10,
        "runs": 7,
        "reasons": {"MISSED": 3},
        "findings": [],
        "findings_count": 0,
        "behind_since": None,
        "unverifiable": 0,
        **changes,
    }


def verified(*items: Any, next_cursor: str | None = None) -> dict[str, Any]:
    """A page of a verification as the API gives it."""
    return {
        **page_of(*items, next_cursor=next_cursor),
        "from": None,
        "to": "2026-11-24T13:00:00Z",
        "checked_at": "2026-11-24T13:00:00Z",
    }


def test_ledger_show_lists_runs_and_stretches(fake_api: FakeApi, capsys: Capture) -> None:
    """A run is told by its status, a stretch by end, number and reason; the range goes to the API in UTC."""
    stretch = entry(
        run_id=None, run_status=None, reason="PAUSED", count=3, last_scheduled_at="2026-11-24T12:02:00Z", zone_data=None
    )
    gone = entry(run_status=None, run_completed_at=None)
    fake_api.answer("GET", "/api/v1/tasks/tick/slots", page_of(entry(), stretch, gone))
    assert main(["ledger", "show", "tick", "--from", "2026-11-24", "--to", "2026-11-24T15:00:00+03:00"]) == 0
    assert fake_api.requests[0].query == {
        "limit": ["50"],
        "from": ["2026-11-24T00:00:00+00:00"],
        "to": ["2026-11-24T12:00:00+00:00"],
    }
    assert capsys.readouterr().out.splitlines()[1:] == [
        "2026-11-24 12:00:00 UTC\t-\t1\tCOMPLETED\t7\t2026.1",
        "2026-11-24 12:00:00 UTC\t2026-11-24 12:02:00 UTC\t3\tPAUSED\t-\t-",
        "2026-11-24 12:00:00 UTC\t-\t1\trun, removed by retention\t7\t2026.1",
    ]


def test_ledger_show_without_a_beginning_asks_for_the_newest(fake_api: FakeApi, capsys: Capture) -> None:
    """Who looks at a ledger wants to know what happened last; the note says how to see more."""
    fake_api.answer("GET", "/api/v1/tasks/tick/slots", page_of(entry(), entry()))
    assert main(["ledger", "show", "tick", "--limit", "2"]) == 0
    assert fake_api.requests[0].query == {"limit": ["2"], "newest": ["true"]}
    assert "Earlier ones" in capsys.readouterr().err


def test_ledger_show_of_nothing_says_where_to_look(fake_api: FakeApi, capsys: Capture) -> None:
    """An empty ledger names the command that tells when the next slot is due."""
    fake_api.answer("GET", "/api/v1/tasks/tick/slots", page_of())
    assert main(["ledger", "show", "tick"]) == 0
    assert "scheduler task show tick" in capsys.readouterr().err


def test_ledger_verify_clean(fake_api: FakeApi, capsys: Capture) -> None:
    """All pages are asked for; a clean ledger is one line and exit code 0."""

    def pages(received: Received) -> Answer:
        if "cursor" not in received.query:
            return Answer(verified(item(1), item(2), next_cursor="x"))
        return Answer(verified(item(2, slots=5, runs=5, reasons={}), item(3, reasons={"PAUSED": 3})))

    fake_api.answer("GET", VERIFICATION, pages)
    assert main(["ledger", "verify", "--namespace", "default"]) == 0
    assert fake_api.requests[0].query == {"limit": ["100"], "namespace": ["default"]}
    assert capsys.readouterr().out == "Ledger\tclean: 3 tasks, 35 slots (26 runs, 6 MISSED, 3 PAUSED)\n"


def test_ledger_verify_names_findings_and_what_helps(fake_api: FakeApi, capsys: Capture) -> None:
    """Each finding is a line with its task and slots, each kind has one remedy, and the exit code is 1."""
    stranger = finding(kind="STRANGER", expected=0, recorded=1, run_id=9, zone_data="2020.1", last_at=NOON)
    found = item(findings=[finding(), stranger], findings_count=120, unverifiable=2)
    fake_api.answer("GET", VERIFICATION, verified(found))
    assert main(["ledger", "verify"]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[1:] == [
        "task-1 (id 1)\tHOLE\t2026-11-24 12:00:00 UTC\t2026-11-24 12:02:00 UTC\t3\t0\t-\t-",
        "task-1 (id 1)\tSTRANGER\t2026-11-24 12:00:00 UTC\t2026-11-24 12:00:00 UTC\t0\t1\t9\t2020.1",
        "Ledger\t120 findings: 1 tasks, 10 slots (7 runs, 3 MISSED)",
    ]
    assert "118 more findings" in captured.err
    assert "trigger the task by hand" in captured.err
    assert "2 slots cannot be verified" in captured.err


def test_ledger_verify_behind_is_a_warning(fake_api: FakeApi, capsys: Capture) -> None:
    """Slots that wait for a dispatcher are told with their age and are no fault; a moment's wait is not told."""
    late, at_once = item(1, behind_since=NOON), item(2, behind_since="2026-11-24T12:59:59Z")
    fake_api.answer("GET", VERIFICATION, verified(late, at_once))
    assert main(["ledger", "verify"]) == 0
    assert "the due slots of 1 tasks wait for a dispatcher, the oldest one for 1 h" in capsys.readouterr().err


def test_ledger_verify_json_is_one_document(fake_api: FakeApi, capsys: Capture) -> None:
    """A task that comes in pieces is one item; the totals say whether all is clean."""

    def pages(received: Received) -> Answer:
        if "cursor" not in received.query:
            return Answer(verified(item(1), next_cursor="x"))
        return Answer(verified(item(1, findings=[finding()], findings_count=1, behind_since=NOON)))

    fake_api.answer("GET", VERIFICATION, pages)
    assert main(["ledger", "verify", "--from", "2026-11-01", "-o", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "items": [
            item(slots=20, runs=14, reasons={"MISSED": 6}, findings=[finding()], findings_count=1, behind_since=NOON)
        ],
        "totals": {
            "tasks": 1,
            "slots": 20,
            "runs": 14,
            "reasons": {"MISSED": 6},
            "findings": 1,
            "unverifiable": 0,
            "behind": 1,
            "clean": False,
        },
        "from": "2026-11-01T00:00:00+00:00",
        "to": "2026-11-24T13:00:00Z",
        "checked_at": "2026-11-24T13:00:00Z",
    }


def test_ledger_verify_tells_an_uncomputable_schedule(fake_api: FakeApi, capsys: Capture) -> None:
    """The error of the schedule comes with the remedy."""
    broken = finding(kind="UNCOMPUTABLE", expected=0, error="schedule.timezone: There is no time zone 'Atlantis'.")
    fake_api.answer("GET", VERIFICATION, verified(item(findings=[broken], findings_count=1)))
    assert main(["ledger", "verify"]) == 1
    told = capsys.readouterr().err
    assert "Atlantis" in told
    assert "scheduler task update" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "soon"], "--from: 'soon' is no moment"),
        (["--from", "2026-11-02", "--to", "2026-11-01"], "--from: '2026-11-02' is not before --to '2026-11-01'"),
        (["--from", "now", "--to", "now"], "'now' is not before --to 'now'"),
    ],
)
def test_ledger_range_that_is_none(fake_api: FakeApi, capsys: Capture, arguments: list[str], words: str) -> None:
    """A range that cannot be is refused before anything is asked, with the flag and its value."""
    assert main(["ledger", "verify", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert fake_api.requests == []


def test_ledger_commands_take_times_before_now_as_the_help_writes_them(fake_api: FakeApi, capsys: Capture) -> None:
    """A time that begins with a minus is the value of its flag, not a flag."""
    fake_api.answer("GET", VERIFICATION, verified(item()))
    assert main(["ledger", "verify", "--from", "-2h", "--to", "now"]) == 0
    assert fake_api.requests[0].query.keys() >= {"from", "to"}


def test_ledger_verify_finds_no_namespace_clean_that_has_nothing(fake_api: FakeApi, capsys: Capture) -> None:
    """A namespace that is misspelt is an error, not a clean ledger."""
    fake_api.answer("GET", VERIFICATION, verified())
    assert main(["ledger", "verify", "--namespace", "tema"]) == 3
    assert "No task of namespace 'tema'" in capsys.readouterr().err
