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
    assert capsys.readouterr().out.splitlines()[1].endswith("DISCARDED")
    assert main(["quarantine", "release"]) == 2


def test_trigger_tells_that_a_run_is_there_already(fake_api: FakeApi, capsys: Capture) -> None:
    """The run of a unique key is shown as it stands, with a sentence, and is marked in JSON."""
    standing = {**run_document(id=12, status="PENDING"), "existing": True}
    fake_api.answer("POST", "/api/v1/tasks/a/trigger", standing)
    fake_api.answer("GET", "/api/v1/tasks/a", {"status": "ACTIVE"})
    assert main(["task", "trigger", "a"]) == 0
    assert "Run 12 is there already (PENDING)" in capsys.readouterr().err
    assert main(["task", "trigger", "a", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["existing"] is True
