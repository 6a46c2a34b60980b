"""The bodies that benchmarks run."""

import asyncio
import os
import time
from functools import cache

from scheduler_worker.current_run import current_run


async def no_op() -> None:
    """Do nothing, in the worker's loop."""


async def write_line() -> None:
    """Append the slot of this run to the file that BENCHMARK_LINES names: task, then instant."""
    run = current_run()
    assert run is not None
    os.write(_lines(), f"{run.task_name} {run.scheduled_at.isoformat()}\n".encode())


@cache
def _lines() -> int:
    # One write to a file opened for appending is never mixed with another's.
    return os.open(os.environ["BENCHMARK_LINES"], os.O_WRONLY | os.O_APPEND)


async def keyed_nap(seconds: float, key: str, weight: float) -> None:
    """Sleep in the worker's loop; the key and the weight are for the dispatcher."""
    await asyncio.sleep(seconds)


async def keyed_lines(seconds: float, key: str) -> None:
    """The same, and a line each when it begins and when it ends, or is stopped because its worker lost it."""
    _write_moment("begin", key)
    try:
        await asyncio.sleep(seconds)
    finally:
        _write_moment("end", key)


def _write_moment(what: str, key: str) -> None:
    run = current_run()
    assert run is not None
    os.write(_lines(), f"{what} {os.getpid()} {run.run_id} {run.attempt} {key} {time.time():.6f}\n".encode())
