"""Threads that jobs cannot take away."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fixtures.worker import CollectedOutput, make_context
from scheduler_worker.executors.python_executor import PythonExecutor
from scheduler_worker.executors.python_protocol import ChildSettings
from scheduler_worker.executors.shell_executor import ShellExecutor
from scheduler_worker.own_thread import in_own_thread


async def test_in_own_thread_returns_and_raises() -> None:
    """What is called gives its result or its exception, from another thread."""
    assert await in_own_thread(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await in_own_thread(lambda: 1 // 0)


@pytest.mark.parametrize("task_type", ["shell", "python"])
async def test_execute_ends_when_cancelled_while_jobs_block_all_threads(task_type: str) -> None:
    """Async functions that block every thread of the loop do not keep other runs from being stopped."""
    loop = asyncio.get_running_loop()
    release = threading.Event()
    pool = ThreadPoolExecutor(1)
    loop.set_default_executor(pool)
    blocked = loop.run_in_executor(None, release.wait)
    settings = ChildSettings(modules=("time",))
    executor = ShellExecutor(0.1) if task_type == "shell" else PythonExecutor(settings=settings, kill_grace_seconds=0.1)
    parameters = {"command": ["sleep", "60"], "callable": "time:sleep", "args": [60]}
    # Without a thread of its own the stop would wait for this.
    late = loop.call_later(15, release.set)
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await executor.execute(parameters, make_context(), CollectedOutput())
        await executor.close()
        assert not release.is_set()
    finally:
        late.cancel()
        release.set()
        await blocked
