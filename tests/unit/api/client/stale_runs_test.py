"""What `scheduler run` says of runs whose intervals have been run again."""

import pytest

from fixtures.fake_api import FakeApi, page_of, run_document
from scheduler_core.runtime.cli import main

Capture = pytest.CaptureFixture[str]
SLOT = {"interval_from": "2026-11-24T05:00:00Z", "interval_to": "2026-11-24T06:00:00Z"}


def test_run_list_stale_offers_to_run_them_again(fake_api: FakeApi, capsys: Capture) -> None:
    """--stale is the API's filter, together with a task's name."""
    fake_api.answer("GET", "/api/v1/task-runs", page_of(run_document()))
    assert main(["run", "list", "--stale", "--task", "extract"]) == 0
    assert fake_api.requests[0].query == {"limit": ["50"], "stale": ["true"], "task": ["extract"]}
    assert "scheduler run retry ID" in capsys.readouterr().err


def test_run_list_stale_without_any_says_so(fake_api: FakeApi, capsys: Capture) -> None:
    """An empty list is good news here."""
    fake_api.answer("GET", "/api/v1/task-runs", page_of())
    assert main(["run", "list", "--stale"]) == 0
    assert "No run is stale" in capsys.readouterr().err


def test_run_retry_names_the_runs_that_become_stale(fake_api: FakeApi, capsys: Capture) -> None:
    """Retrying a slot's run tells which runs had waited for that slot: the first few, and how many more."""
    fake_api.answer("POST", "/api/v1/task-runs/7/retry", run_document(id=8, **SLOT), status=201)
    items = [{"id": 20 + number, "task_name": "report", "status": "COMPLETED"} for number in range(7)]
    fake_api.answer("GET", "/api/v1/task-runs/8/dependents", {"items": items})
    assert main(["run", "retry", "7"]) == 0
    err = capsys.readouterr().err
    assert "20 of report, 21 of report" in err
    assert "and 2 more" in err
    assert "scheduler run list --stale" in err


def test_run_retry_of_a_run_without_a_slot_asks_for_nothing_more(fake_api: FakeApi) -> None:
    """Nobody can have waited for it across schedules."""
    fake_api.answer("POST", "/api/v1/task-runs/7/retry", run_document(id=8), status=201)
    assert main(["run", "retry", "7"]) == 0
    assert [request.method for request in fake_api.requests] == ["POST"]


def test_run_show_tells_since_when_a_run_is_stale(fake_api: FakeApi, capsys: Capture) -> None:
    """And which run has made it so."""
    stale = run_document(stale_since="2026-11-24T08:00:00Z", stale_run_id=31)
    fake_api.answer("GET", "/api/v1/task-runs/7", stale)
    assert main(["run", "show", "7"]) == 0
    out = capsys.readouterr().out
    assert "run 31 had completed" in out
    assert "scheduler run retry 7" in out
