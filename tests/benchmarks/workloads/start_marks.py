"""When bodies began, by the clock of the host: a file that workers map and write an instant into for each run."""

import mmap
import os
import time
from functools import cache
from pathlib import Path

from scheduler_worker.current_run import current_run

VARIABLE = "BENCHMARK_MARKS"
JOB = "benchmarks.workloads.start_marks:mark_start"
_PLACES = 1 << 20
"""Runs whose ids differ by less have places of their own."""


async def mark_start() -> None:
    """The body: nothing but the instant at which it begins."""
    began = time.time_ns()
    run = current_run()
    assert run is not None
    _mapped(os.environ[VARIABLE])[run.run_id % _PLACES] = began


class StartMarks:
    """The same file as the one who measures sees it."""

    def __init__(self, file: Path) -> None:
        with file.open("wb") as made:
            made.truncate(_PLACES * 8)
        self._instants = _mapped(str(file))

    def seconds(self, run_id: int) -> float:
        """When the body of a run began, in seconds since 1970; 0 while it has not."""
        return self._instants[run_id % _PLACES] / 1e9


@cache
def _mapped(path: str) -> "memoryview[int]":
    with Path(path).open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), _PLACES * 8)).cast("q")
