"""What `scheduler worker list` shows of tags and resources."""

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
