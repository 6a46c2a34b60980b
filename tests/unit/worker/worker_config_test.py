"""Settings of the worker, and whom it runs as."""

import logging
import os

import pytest

from scheduler_worker import worker_service
from scheduler_worker.worker_config import WorkerConfig
from scheduler_worker.worker_error import RunsAsRootError


def test_problems_refuses_a_short_lease() -> None:
    """A lease below three heartbeats is refused with both values and the remedy."""
    (problem,) = WorkerConfig(heartbeat_interval_seconds=10.0, lease_seconds=29.0).problems()

    assert problem.startswith("lease_seconds is 29, less than 3 times heartbeat_interval_seconds (10)")
    assert "Set it to 30 or more" in problem


def test_problems_accepts_the_defaults() -> None:
    """The defaults can be used."""
    assert WorkerConfig().problems() == []


def test_worker_config_refuses_the_own_queues_of_workers() -> None:
    """A queue that belongs to one worker cannot be served by configuration."""
    (problem,) = WorkerConfig(queues=("default", "@other")).problems()

    assert problem.startswith("queues names '@other'")


def test_check_user_refuses_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root is refused without consent, with the remedy."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    with pytest.raises(RunsAsRootError, match=r"worker\.allow_root = true"):
        worker_service.check_user(WorkerConfig())


def test_check_user_warns_of_root(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """With consent root is accepted, and told."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    with caplog.at_level(logging.WARNING, "scheduler.worker"):
        worker_service.check_user(WorkerConfig(allow_root=True))

    assert "runs as root" in caplog.text


def test_check_user_is_silent_for_others(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Everybody else needs no consent."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    worker_service.check_user(WorkerConfig())

    assert caplog.text == ""
