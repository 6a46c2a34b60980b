"""What a worker says of its host before it starts the first job."""

import logging
import os
from pathlib import Path

import pytest

from scheduler_core.config import Settings
from scheduler_worker.containment import control_groups, supervision
from scheduler_worker.containment.preparation import prepare
from scheduler_worker.containment.run_directories import RunDirectories
from scheduler_worker.worker_config import WorkerConfig

_FILES = ("cgroup.procs", "cgroup.events", "cgroup.kill", "cgroup.freeze")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What is logged; the group of the process is a directory of the test, and other tests keep their settings."""
    monkeypatch.setattr(supervision, "uses_groups", True)
    monkeypatch.setattr(supervision, "directories", RunDirectories("token"))
    monkeypatch.setattr(control_groups, "_own_group", lambda: str(tmp_path))
    caplog.set_level(logging.INFO, "scheduler.worker")
    return caplog


def _told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_worker_unit_prepare_tells_of_control_groups(
    told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where groups can be made that is said with the place; nothing is left of the try."""
    (tmp_path / "cgroup.procs").touch()
    make, remove = os.mkdir, os.rmdir

    def make_group(path: str) -> None:
        make(path)
        for name in _FILES:
            Path(path, name).touch()

    def remove_group(path: str) -> None:
        for name in _FILES:
            Path(path, name).unlink()
        remove(path)

    monkeypatch.setattr(os, "mkdir", make_group)
    monkeypatch.setattr(os, "rmdir", remove_group)
    prepare(Settings.of(WorkerConfig(), state_dir=tmp_path / "state"))

    assert _told(told) == ["control groups found for jobs"]
    assert [path.name for path in tmp_path.iterdir()] == ["cgroup.procs"]


@pytest.mark.parametrize(("is_wanted", "reason"), [(True, "this kernel has no cgroup.procs"), (False, "is false")])
def test_worker_unit_prepare_tells_why_there_are_no_control_groups(
    told: pytest.LogCaptureFixture, tmp_path: Path, is_wanted: bool, reason: str
) -> None:
    """An operator who has forgotten to delegate them can see it in the log."""
    prepare(Settings.of(WorkerConfig(control_groups=is_wanted), state_dir=tmp_path / "state"))

    assert _told(told) == ["no control groups found for jobs"]
    assert reason in str(told.records[0].__dict__["reason"])
    assert list(tmp_path.iterdir()) == []
