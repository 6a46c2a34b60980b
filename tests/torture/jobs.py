"""The jobs of torture: each writes a line when it begins and one when it ends, and returns which attempt it was."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from scheduler_worker.current_run import current_run


async def work(seconds: float, key: str | None = None, fails: int = 0) -> dict[str, int]:
    """Take so long, in the worker's own process; the first `fails` attempts fail. `key` names the call for others."""
    with _written() as attempt:
        await asyncio.sleep(seconds)
    return _outcome(attempt, fails)


def work_in_child(seconds: float, key: str | None = None, fails: int = 0) -> dict[str, int]:
    """The same in a child process."""
    with _written() as attempt:
        time.sleep(seconds)
    return _outcome(attempt, fails)


def shell_parameters(path: str, seconds: float) -> dict[str, Any]:
    """The same as a program, which writes to this file; what it returns tells nothing of its attempt."""
    line = f'"$$ $SCHEDULER_RUN_ID $SCHEDULER_ATTEMPT $(date +%s.%N)" >> {path}'
    return {"command": f"echo begin {line}; sleep {seconds}; echo end {line}", "shell": True}


@contextmanager
def _written() -> Iterator[int]:
    attempt = _write("begin")
    try:
        yield attempt
    finally:
        # A job that is stopped ends, too.
        _write("end")


def _outcome(attempt: int, fails: int) -> dict[str, int]:
    if attempt <= fails:
        raise RuntimeError("as asked")
    return {"attempt": attempt}


def _write(what: str) -> int:
    run = current_run()
    assert run is not None
    os.write(_lines(), f"{what} {os.getpid()} {run.run_id} {run.attempt} {time.time():.6f}\n".encode())
    return run.attempt


@cache
def _lines() -> int:
    # One write to a file opened for appending is never mixed with another's.
    return os.open(os.environ["TORTURE_LINES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
