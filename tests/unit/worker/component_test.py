"""The worker beside other components."""

import asyncio
from pathlib import Path

import pytest

from scheduler_core.config import Settings
from scheduler_core.interfaces import ReloadableComponent, WatchedComponent
from scheduler_core.runtime import SystemClock
from scheduler_core.runtime.component_context import ProcessContext
from scheduler_worker.component import WorkerComponent
from scheduler_worker.worker_config import WorkerConfig
from scheduler_worker.worker_error import ProcessesInOneError


async def test_worker_unit_component_shares_a_process_alone(tmp_path: Path) -> None:
    """Several worker processes cannot be had in one, and the sentence says how they can."""
    settings = Settings.of(WorkerConfig(processes=4), state_dir=tmp_path)
    component = WorkerComponent(ProcessContext(settings, SystemClock(), is_embedded=True))
    with pytest.raises(ProcessesInOneError, match=r"worker.processes is 4.*scheduler-worker.*worker.processes = 1"):
        await component.run(lambda _: None, asyncio.Event())


def test_worker_unit_component_is_watched_and_reloadable(tmp_path: Path) -> None:
    """The process asks it whether it works, from before it has begun."""
    component = WorkerComponent(ProcessContext(Settings.of(state_dir=tmp_path), SystemClock(), is_embedded=False))
    assert isinstance(component, WatchedComponent)
    assert isinstance(component, ReloadableComponent)
    assert component.is_working()
