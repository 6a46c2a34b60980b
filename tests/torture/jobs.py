"""The jobs of torture: each writes a line when it begins and one when it ends, and returns which attempt it was.

Those with processes of their own, which may outlive their worker, write lines meanwhile, too: nobody else would know
until when they were there.
"""

import asyncio
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from scheduler_worker.current_run import current_run

_BEAT_SECONDS = 0.1


async def work(seconds: float, key: str | None = None, fails: int = 0) -> dict[str, int]:
    """Take so long, in the worker's own process; the first `fails` attempts fail. `key` names the call for others."""
    with _written() as attempt:
        await asyncio.sleep(seconds)
    return _outcome(attempt, fails)


def work_in_child(seconds: float, key: str | None = None, fails: int = 0) -> dict[str, int]:
    """The same in a child process."""
    with _written() as attempt:
        for _ in range(_beats(seconds)):
            _write("alive")
            time.sleep(seconds / _beats(seconds))
    return _outcome(attempt, fails)


def shell_parameters(path: str, seconds: float) -> dict[str, Any]:
    """The same as a program, which writes to this file; what it returns tells nothing of its attempt."""
    line = f'"$$ $SCHEDULER_RUN_ID $SCHEDULER_ATTEMPT $EPOCHREALTIME" >> {path}'
    beats = _beats(seconds)
    # Nothing is ever written to 9: it waits without a process for each wait.
    alive = f"for _ in {{1..{beats}}}; do echo alive {line}; read -rt {seconds / beats:.3f} -u 9; done 9<> <(:)"
    return {"command": ["bash", "-c", f"echo begin {line}; {alive}; echo end {line}"]}


@contextmanager
def _written() -> Iterator[int]:
    attempt = _write("begin")
    try:
        yield attempt
    finally:
        # A job that is stopped ends, too.
        _write("end")


def _beats(seconds: float) -> int:
    return max(1, math.ceil(seconds / _BEAT_SECONDS))


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
