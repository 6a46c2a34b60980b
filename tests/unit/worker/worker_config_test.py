"""Settings of the worker, and whom it runs as."""

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from scheduler_core.config import load_settings
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


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"tags": ("gpu", "a b")}, "tags: The tag 'a b' is not valid: use"),
        ({"tags": ("",)}, "tags: The tag '' is not valid: use"),
        ({"resources": {"GPU": 1.0}}, "resources names 'GPU'. Use"),
        ({"resources": {"gpu": 0.0}}, "resources: gpu is 0. Give an amount above 0"),
        ({"resources": {"gpu": -1.0}}, "resources: gpu is -1. Give an amount above 0"),
        ({"resources": {"gpu": float("inf")}}, "resources: gpu is inf. Give an amount above 0"),
        ({"resources": {"memory": "4XB"}}, "resources: memory cannot be used: '4XB' is no size."),
    ],
)
def test_worker_unit_config_refuses_tags_and_resources(changes: dict[str, Any], problem: str) -> None:
    """Names that no task could name, and amounts that are none, are told with the remedy."""
    (told,) = WorkerConfig(**changes).problems()

    assert told.startswith(problem)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"python_modules": ("shop", "a b")}, "python_modules names 'a b'. Name modules or packages"),
        ({"python_modules": ("shop.*",)}, "python_modules names 'shop.*'."),
        ({"python_warm_modules": ("*",)}, "python_warm_modules names '*'. Name modules such as"),
        ({"python_child_memory_max": "much"}, "python_child_memory_max cannot be used: 'much' is no size."),
    ],
)
def test_worker_unit_config_refuses_what_python_tasks_cannot_use(changes: dict[str, Any], problem: str) -> None:
    """Names that are no modules, and sizes that are none, are told with the remedy."""
    (told,) = WorkerConfig(**changes).problems()

    assert told.startswith(problem)


def test_worker_unit_config_tells_every_problem_at_once() -> None:
    """Each bad tag and each bad resource is told, and none keeps another from being told."""
    config = WorkerConfig(tags=("a b", "c d"), resources={"GPU": 1.0, "gpu": 0.0, "cpu": 1.0})

    assert len(config.problems()) == 4


def test_worker_unit_config_reads_resources_from_file_and_variable(tmp_path: Path) -> None:
    """Numbers and sizes, as a table of the file and as a variable, become numbers."""
    (tmp_path / "scheduler.toml").write_text(
        '[worker]\ntags = ["gpu"]\n[worker.resources]\ngpu = 2\nmemory = "4GB"\n', encoding="utf-8"
    )
    config = load_settings(config_dir=tmp_path, environ={}).section(WorkerConfig)

    assert (config.tags, config.resource_amounts()) == (("gpu",), {"gpu": 2.0, "memory": 4.0 * 1024**3})

    environ = {"SCHEDULER_WORKER__RESOURCES": '{ licence = 3, disk = "1TB" }', "SCHEDULER_WORKER__TAGS": "eu,ssd"}
    config = load_settings(config_dir=tmp_path, environ=environ).section(WorkerConfig)

    assert (config.tags, config.resource_amounts()) == (("eu", "ssd"), {"licence": 3.0, "disk": 1024.0**4})


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


def test_worker_unit_config_refuses_what_http_tasks_could_not_call() -> None:
    """Entries that name nothing are told with what to write instead."""
    (problem,) = WorkerConfig(http_allow=("10.0.0.0/8", "127.1")).problems()

    assert problem.startswith("http_allow: '127.1' is no address, network or host. Write one such as 10.1.0.0/16")
