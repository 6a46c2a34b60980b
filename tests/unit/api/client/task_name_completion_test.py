"""Completion of task names: quick, cached, and silent when the server is away."""

import os
import time
from pathlib import Path

import pytest

from fixtures.fake_api import HANG_UP, FakeApi, page_of, task_document
from scheduler_api.client.task_name_completion import CACHE_SECONDS, names_for_completion
from scheduler_core.runtime.cli import main


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache directory of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_names_for_completion_asks_once_in_thirty_seconds(fake_api: FakeApi, cache: Path) -> None:
    """Names come with their schedules; a second press of TAB asks nobody; an old answer is asked for again."""
    fake_api.answer("GET", "/api/v1/tasks", page_of(task_document()))
    offered = [("extract", "0 9 * * * (Europe/Istanbul)")]
    assert names_for_completion() == offered
    assert names_for_completion() == offered
    assert len(fake_api.requests) == 1
    (file,) = (cache / "scheduler").iterdir()
    old = time.time() - CACHE_SECONDS - 1
    os.utime(file, (old, old))
    assert names_for_completion() == offered
    assert len(fake_api.requests) == 2


def test_names_for_completion_does_not_share_between_keys(fake_api: FakeApi) -> None:
    """What one key may see is not offered to another."""
    fake_api.answer("GET", "/api/v1/tasks", page_of(task_document()), page_of())
    assert names_for_completion(api_key="one") != []
    assert names_for_completion(api_key="two") == []


def test_names_for_completion_is_silent_when_offline(fake_api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """No server, a broken one and an unknown one offer nothing and print nothing."""
    fake_api.answer("GET", "/api/v1/tasks", HANG_UP)
    assert names_for_completion() == []
    assert names_for_completion(server="http://127.0.0.1:9") == []
    assert names_for_completion(server="nonsense") == []
    assert capsys.readouterr() == ("", "")


def test_complete_command_offers_the_names(fake_api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """The shell's question for the word after `task show` is answered with task names."""
    fake_api.answer("GET", "/api/v1/tasks", page_of(task_document()))
    for words in (["task", "show", ""], ["run", "list", "--task", ""], ["task", "create", "x", "--depends-on", "e"]):
        assert main(["__complete", *words]) == 0
        assert "extract\t0 9 * * * (Europe/Istanbul)" in capsys.readouterr().out.splitlines()
