"""The `scheduler quarantine` commands, and triggers of unique runs, against a scripted server."""

import json
from typing import Any

import pytest

from fixtures.fake_api import FakeApi, page_of, run_document
from scheduler_core.runtime.cli import main

Capture = pytest.CaptureFixture[str]


def quarantined(**changes: Any) -> dict[str, Any]:
    """A quarantined run as the API tells it."""
    loss = {
        "attempt": 1,
        "worker_id": "w-1",
        "hostname": "host",
        "started_at": "2026-11-24T12:00:00Z",
        "ended_at": "2026-11-24T12:00:05Z",
        "reason": "The worker session was lost.",
        "signal": None,
        "last_lines": ["allocating"],
    }
    return {
        "run_id": 7,
        "task_id": 3,
        "task_name": "killer",
        "namespace": "default",
        "quarantined_at": "2026-11-24T12:00:10Z",
        "losses": 2,
        "evidence": [loss, {**loss, "attempt": 2, "worker_id": None, "hostname": None, "signal": "SIGKILL"}],
        "decision": None,
        "decided_at": None,
        "released_run_id": None,
        **changes,
    }


def test_quarantine_list_shows_what_was_decided(fake_api: FakeApi, capsys: Capture) -> None:
    """Each run with its last worker, and with --decided what was decided."""
    released = quarantined(decision="RELEASED", released_run_id=9, evidence=quarantined()["evidence"][:1])
    fake_api.answer("GET", "/api/v1/quarantine", page_of(quarantined(), released))
    assert main(["quarantine", "list", "--decided", "--namespace", "default"]) == 0
    assert fake_api.requests[0].query["decided"] == ["true"]
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()[1:]]
    assert [(row[0], row[1], row[3:]) for row in rows] == [
        ("7", "killer", ["2", "-", "-"]),
        ("7", "killer", ["2", "w-1", "RELEASED as run 9"]),
    ]


def test_quarantine_list_empty_names_the_rest(fake_api: FakeApi, capsys: Capture) -> None:
    """Nothing is open: how to see what was decided is named."""
    fake_api.answer("GET", "/api/v1/quarantine", page_of())
    assert main(["quarantine", "list"]) == 0
    assert "decided" not in fake_api.requests[0].query
    assert "scheduler quarantine list --decided" in capsys.readouterr().err


def test_quarantine_show_tells_each_loss(fake_api: FakeApi, capsys: Capture) -> None:
    """The worker, how long it took, the signal where it is known, and the last lines; what can be done is named."""
    fake_api.answer("GET", "/api/v1/quarantine/7", quarantined())
    assert main(["quarantine", "show", "7"]) == 0
    shown = capsys.readouterr()
    assert "on w-1 (host), lost after 5 s. The worker session was lost." in shown.out
    assert "ended by SIGKILL" in shown.out
    assert "allocating" in shown.out
    assert "scheduler quarantine release 7" in shown.err


def test_quarantine_release_and_discard_tell_what_they_made(fake_api: FakeApi, capsys: Capture) -> None:
    """The new run, or the decision; several at once as a list."""
    fake_api.answer("POST", "/api/v1/quarantine/7/release", run_document(id=9, retry_of=7))
    fake_api.answer("POST", "/api/v1/quarantine/7/discard", quarantined(decision="DISCARDED"))
    assert main(["quarantine", "release", "7", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == 9
    assert main(["quarantine", "discard", "7"]) == 0
    discarded = capsys.readouterr()
    assert discarded.out.splitlines()[1].endswith("DISCARDED")
    assert "Discarded: 7." in discarded.err
    assert main(["quarantine", "release"]) == 2


@pytest.mark.parametrize("action", ["release", "discard"])
def test_quarantine_decides_of_all_or_of_none(fake_api: FakeApi, capsys: Capture, action: str) -> None:
    """When one of several runs cannot be decided, every such run is named and nothing is sent."""
    fake_api.answer("GET", "/api/v1/quarantine/7", quarantined())
    fake_api.answer("GET", "/api/v1/quarantine/8", {"detail": "Run 8 is not in quarantine."}, status=404)
    fake_api.answer("GET", "/api/v1/quarantine/9", quarantined(run_id=9, decision="RELEASED", released_run_id=12))
    assert main(["quarantine", action, "7", "8", "9"]) == 3
    err = capsys.readouterr().err
    assert f"None is {action.removesuffix('e')}ed, because 2 of 3 runs cannot be" in err.replace("\n", " ")
    assert "Run 8 is not in quarantine." in err
    assert "released already, as run 12" in err
    assert [request.method for request in fake_api.requests] == ["GET"] * 3


def test_quarantine_release_of_several_tells_each_new_run(fake_api: FakeApi, capsys: Capture) -> None:
    """Which run took whose place; a run that is named twice is released once."""
    for run in (7, 8):
        fake_api.answer("GET", f"/api/v1/quarantine/{run}", quarantined(run_id=run))
        fake_api.answer("POST", f"/api/v1/quarantine/{run}/release", run_document(id=run + 10, retry_of=run))
    assert main(["quarantine", "release", "7", "8", "7"]) == 0
    told = capsys.readouterr()
    assert "Released: 7 as 17, 8 as 18." in told.err
    assert len(told.out.splitlines()) == 3


def test_quarantine_release_that_stops_halfway_tells_what_was_done(fake_api: FakeApi, capsys: Capture) -> None:
    """A refusal that only the act itself could meet leaves nothing in the dark: done, refused, and not tried."""
    for run in (7, 8, 9):
        fake_api.answer("GET", f"/api/v1/quarantine/{run}", quarantined(run_id=run))
    fake_api.answer("POST", "/api/v1/quarantine/7/release", run_document(id=17, retry_of=7))
    fake_api.answer("POST", "/api/v1/quarantine/8/release", {"detail": "Flow 8 is RUNNING."}, status=409)
    assert main(["quarantine", "release", "7", "8", "9", "--quiet"]) == 5
    told = capsys.readouterr()
    assert [line.split("\t")[0] for line in told.out.splitlines()] == ["ID", "17"]
    assert "Released: 7 as 17. Stopped at run 8; not released: 9." in told.err
    assert "Flow 8 is RUNNING." in told.err
    assert not [request for request in fake_api.requests if request.path.endswith("9/release")]
    assert main(["quarantine", "release", "7", "8", "9", "-o", "json"]) == 5
    assert json.loads(capsys.readouterr().out)["id"] == 17


def test_trigger_tells_that_a_run_is_there_already(fake_api: FakeApi, capsys: Capture) -> None:
    """The run of a unique key is shown as it stands, with a sentence, and is marked in JSON."""
    standing = {**run_document(id=12, status="PENDING"), "existing": True}
    fake_api.answer("POST", "/api/v1/tasks/a/trigger", standing)
    fake_api.answer("GET", "/api/v1/tasks/a", {"status": "ACTIVE"})
    assert main(["task", "trigger", "a"]) == 0
    assert "Run 12 is there already (PENDING)" in capsys.readouterr().err
    assert main(["task", "trigger", "a", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["existing"] is True
