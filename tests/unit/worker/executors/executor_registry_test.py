"""Which executors are found."""

import logging
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from scheduler_core.config import Settings
from scheduler_worker.executors.executor_registry import GROUP, ExecutorRegistry
from scheduler_worker.executors.shell_executor import ShellExecutor
from scheduler_worker.worker_config import WorkerConfig

SHELL = EntryPoint("shell", "scheduler_worker.executors.shell_executor:ShellExecutor", GROUP)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Default settings."""
    return Settings.of(WorkerConfig(kill_grace_seconds=1.5, shell_enabled=True), state_dir=tmp_path)


def test_task_types_finds_what_is_installed(settings: Settings) -> None:
    """The built-in types are found by their entry points."""
    assert {"http", "python", "shell"} <= set(ExecutorRegistry(settings).task_types)


def test_task_types_leaves_out_what_is_broken(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """A broken plug-in is told and left out; the others work."""
    entries = [SHELL, EntryPoint("gone", "no_such_module:Executor", GROUP), EntryPoint("wrong", "os:getpid", GROUP)]

    with caplog.at_level(logging.WARNING, "scheduler.worker"):
        registry = ExecutorRegistry(settings, entries)

    assert registry.task_types == ["shell"]
    assert "'gone'" in caplog.text
    assert "not a task executor" in caplog.text


class UnwillingExecutor(ShellExecutor):
    """An executor that cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("no")

    @classmethod
    def from_settings(cls, settings: Settings) -> "UnwillingExecutor":
        """Fail."""
        return cls()


def test_task_types_leaves_out_what_cannot_be_made(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """A type whose executor cannot be made is not offered: its runs would be claimed and handed back for ever."""
    entries = [SHELL, EntryPoint("unwilling", f"{__name__}:UnwillingExecutor", GROUP)]

    registry = ExecutorRegistry(settings, entries)

    assert registry.task_types == ["shell"]
    assert "'unwilling' cannot be made" in caplog.text


def test_get_makes_an_executor_once_with_its_settings(settings: Settings) -> None:
    """An executor is made when first needed, from the settings, and kept."""
    registry = ExecutorRegistry(settings, [SHELL])

    executor = registry.get("shell")

    assert isinstance(executor, ShellExecutor)
    assert executor._grace_seconds == 1.5
    assert registry.get("shell") is executor
    assert registry.get("other") is None


def test_task_types_offers_shell_only_when_it_is_enabled(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A worker whose operator has not said so starts no programs, and that is no fault to be told."""
    registry = ExecutorRegistry(Settings.of(WorkerConfig(), state_dir=tmp_path), [SHELL])

    assert registry.task_types == []
    assert registry.get("shell") is None
    assert caplog.text == ""
