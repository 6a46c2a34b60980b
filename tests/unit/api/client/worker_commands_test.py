"""The `scheduler worker` commands against a scripted server."""

import json
from typing import Any

import pytest

from fixtures.fake_api import FakeApi, page_of
from scheduler_core.runtime.cli import main

Capture = pytest.CaptureFixture[str]


def worker_document(**changes: Any) -> dict[str, Any]:
    """A live worker as the API tells it."""
    return {
        "id": 3,
        "worker_id": "w-1",
        "hostname": "host",
        "pid": 42,
        "state": "ALIVE",
        "draining": False,
        "running": 1,
        "places": 4,
        "queues": ["default"],
        "task_types": ["shell"],
        "last_heartbeat_at": None,
        "version": "0.1.0",
        **changes,
    }


def test_api_unit_worker_list_shows_tags_and_resources(fake_api: FakeApi, capsys: Capture) -> None:
    """Memory and disk are sizes, all else are numbers; they stand at the end, where no script counts columns."""
    resources = {"memory": 1610612736.0, "cpu": 2.0, "disk": 1099511627776.0, "gpu": 0.5}
    fake_api.answer("GET", "/api/v1/workers", page_of(worker_document(tags=["eu", "gpu"], resources=resources)))
    assert main(["worker", "list"]) == 0
    headings, row = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    shown = dict(zip(headings, row, strict=True))
    assert headings[-2:] == ["TAGS", "RESOURCES"]
    assert shown["TAGS"] == "eu, gpu"
    assert shown["RESOURCES"] == "cpu 2, disk 1TB, gpu 0.5, memory 1.5GB"


def test_api_unit_worker_list_knows_servers_without_them(fake_api: FakeApi, capsys: Capture) -> None:
    """A server of an earlier version tells neither."""
    fake_api.answer("GET", "/api/v1/workers", page_of(worker_document()))
    assert main(["worker", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("0.1.0\t-\t-")


LOAD = {
    "cpu_share": 0.254,
    "load_average": 1.5,
    "memory_bytes_used": 1024.0**3,
    "memory_bytes_total": 4 * 1024.0**3,
    "disk_bytes_free": 2 * 1024.0**3,
    "disk_bytes_total": 8 * 1024.0**3,
    "own_memory_bytes": 64 * 1024.0**2,
    "child_processes": 3.0,
}


def test_api_unit_worker_list_wide_shows_the_host(fake_api: FakeApi, capsys: Capture) -> None:
    """Behind the other columns; what a worker has not told is a dash."""
    told = worker_document(load=LOAD, python_version="3.13.1", draining=True)
    fake_api.answer("GET", "/api/v1/workers", page_of(told, worker_document(draining=True, state="LOST")))
    assert main(["worker", "list", "--wide"]) == 0
    headings, first, second = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert headings[12:] == ["PYTHON", "CPU", "LOAD", "MEMORY", "DISK FREE", "OWN MEMORY", "CHILDREN"]
    assert first[12:] == ["3.13.1", "25%", "1.50", "1GB of 4GB", "2GB free of 8GB", "64MB", "3"]
    assert second[12:] == ["-"] * 7
    assert [first[4], second[4]] == ["ALIVE, draining", "LOST"]


def test_api_unit_worker_show_tells_all_of_it(fake_api: FakeApi, capsys: Capture) -> None:
    """What it is, what its host does, and each run it holds with what was asked of that."""
    run = {
        "run_id": 9,
        "task_name": "report",
        "namespace": "default",
        "attempt": 2,
        "started_at": "2026-11-24T12:00:00Z",
        "cancel_requested": False,
        "paused_at": "2026-11-24T12:00:05Z",
    }
    worker = worker_document(
        load=LOAD, python_version="3.13.1", tags=["eu"], started_at="2026-11-24T11:00:00Z", drain_requested=True,
        draining=True, running=3, runs=[run, {**run, "run_id": 10, "cancel_requested": True}],
    )  # fmt: skip
    fake_api.answer("GET", "/api/v1/workers/w-1", worker)
    assert main(["worker", "show", "w-1"]) == 0
    printed = capsys.readouterr()
    assert "ALIVE, draining until `scheduler worker resume`" in printed.out
    assert "scheduler-worker 0.1.0, Python 3.13.1" in printed.out
    assert "1GB of 4GB" in printed.out
    rows = [line.split("\t") for line in printed.out.splitlines() if line.startswith(("9\t", "10\t"))]
    assert [(row[0], row[1], row[3], row[5]) for row in rows] == [
        ("9", "report", "2", "RUNNING, paused"),
        ("10", "report", "2", "RUNNING, being cancelled"),
    ]
    assert "It holds 1 more run" in printed.err


def test_api_unit_worker_drain_tells_each_worker(fake_api: FakeApi, capsys: Capture) -> None:
    """With --all those that are alive; one that is not running is told, too, and that this is so."""
    fake_api.answer("GET", "/api/v1/workers", page_of(worker_document(worker_id="b"), worker_document(worker_id="a")))
    for name, state in (("a", "ALIVE"), ("b", "ENDED")):
        changed = worker_document(worker_id=name, draining=True, drain_requested=True, state=state)
        fake_api.answer("GET", f"/api/v1/workers/{name}", changed)
        fake_api.answer("POST", f"/api/v1/workers/{name}/drain", changed)
    assert main(["worker", "drain", "--all"]) == 0
    assert fake_api.requests[0].query["alive"] == ["true"]
    printed = capsys.readouterr()
    assert [line.split("\t") for line in printed.out.splitlines()[1:]] == [
        ["a", "ALIVE, draining", "1 of 4"],
        ["b", "ENDED", "1 of 4"],
    ]
    assert "Not running now: b." in printed.err


def test_api_unit_worker_drain_waits_until_nothing_is_held(fake_api: FakeApi, capsys: Capture) -> None:
    """With --wait the answer comes when the runs have ended; with --timeout a failure names who still has some."""
    draining = worker_document(draining=True, drain_requested=True)
    fake_api.answer("POST", "/api/v1/workers/w-1/drain", draining)
    fake_api.answer("GET", "/api/v1/workers/w-1", draining, draining, {**draining, "running": 0})
    assert main(["worker", "drain", "w-1", "--wait", "-o", "json"]) == 0
    assert [worker["running"] for worker in json.loads(capsys.readouterr().out)] == [0]
    fake_api.answer("GET", "/api/v1/workers/w-1", draining)
    assert main(["worker", "drain", "w-1", "--wait", "--timeout", "0"]) == 6
    assert "w-1 (1)" in capsys.readouterr().err


def test_api_unit_worker_drain_judges_all_before_it_tells_one(fake_api: FakeApi, capsys: Capture) -> None:
    """When one of several does not exist, none is drained."""
    fake_api.answer("GET", "/api/v1/workers/a", worker_document(worker_id="a"))
    fake_api.answer("POST", "/api/v1/workers/a/drain", worker_document(worker_id="a"))
    assert main(["worker", "drain", "a", "nobody"]) == 3
    assert {request.method for request in fake_api.requests} == {"GET"}


def test_api_unit_worker_resume_lets_it_go_on(fake_api: FakeApi, capsys: Capture) -> None:
    """Its state is that of the answer."""
    fake_api.answer("POST", "/api/v1/workers/w-1/resume", worker_document())
    assert main(["worker", "resume", "w-1"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split("\t") == ["w-1", "ALIVE", "1 of 4"]


@pytest.mark.parametrize(
    "words", [["drain"], ["resume"], ["drain", "w-1", "--all"], ["drain", "w-1", "--timeout", "5"]]
)
def test_api_unit_worker_drain_needs_to_know_whom(fake_api: FakeApi, capsys: Capture, words: list[str]) -> None:
    """Nobody, or both names and all, is refused before anything is asked."""
    assert main(["worker", *words]) == 2
    assert "--all" in (told := capsys.readouterr().err) or "--wait" in told
    assert fake_api.requests == []
