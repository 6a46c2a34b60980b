"""The task type wait_for_file: a run ends when a file is there, has a size, and has stopped growing."""

import asyncio
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scheduler_core.interfaces import RunContext, RunNotice, RunOutcome, RunOutput, TaskExecutor
from scheduler_core.models import RunKey, RunProgress, TaskRunStatus

_LOOK_SECONDS = 1.0


class WaitForFileExecutor(TaskExecutor):
    """Looks for files without any process or thread: thousands of runs can wait in one worker.

    The worker makes one executor for all runs of the type. With a class method `from_settings(settings)` it would be
    given the configuration.
    """

    def __init__(self) -> None:
        self._waits: dict[RunKey, _Wait] = {}

    def check(self, parameters: Mapping[str, Any]) -> Sequence[str]:
        """All problems at once, each with the parameter's name and what to do. It may look at no file."""
        problems = [
            f"{name} is not known. Known: bytes_min, look_seconds, path." for name in parameters.keys() - _KNOWN
        ]
        path = parameters.get("path")
        if not isinstance(path, str) or not Path(path).is_absolute() or "\0" in path:
            problems.append(f"path is {path!r}. Give the absolute path of a file on the worker's host.")
        for name, least in (("bytes_min", 0), ("look_seconds", 0.01)):
            value = parameters.get(name, least)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 1e15:
                problems.append(f"{name} is {value!r}. Give a number from {least} on.")
        return sorted(problems)

    async def execute(self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput) -> RunOutcome:
        """One attempt. The worker has checked the parameters, enforces the time-out, and cancels this to stop it."""
        key = RunKey(context.run_id, context.attempt)
        wait = self._waits[key] = _Wait()
        try:
            return await self._look_until_there(parameters, wait, output)
        except OSError as error:
            # A fault of the job is an outcome, never an exception: this sentence is what people will read.
            return _failed(f"{parameters['path']} cannot be looked at: {error.strerror}.", retryable=True)
        finally:
            del self._waits[key]

    def notify(self, run: RunKey, notice: RunNotice) -> bool:
        """What the run is told while it waits; False would say that such jobs cannot be told that."""
        wait = self._waits.get(run)
        if wait is None:
            return False
        if notice is RunNotice.SOFT_TIMEOUT:
            wait.is_late = True
        elif notice is RunNotice.PAUSE:
            wait.may_look.clear()
        else:
            wait.may_look.set()
        return True

    def kill_now(self) -> None:
        """The session is lost. Called from any thread; an executor with child processes would kill them here."""

    async def close(self) -> None:
        """Nothing is held: no connection, no process."""

    async def _look_until_there(self, parameters: Mapping[str, Any], wait: "_Wait", output: RunOutput) -> RunOutcome:
        path, bytes_min = Path(parameters["path"]), parameters.get("bytes_min", 0)
        began_at = time.monotonic()
        size_before: int | None = -1  # so that the first look is told
        while True:
            await wait.may_look.wait()
            size = _size_of(path)
            if size is not None and size >= bytes_min and size == size_before:
                waited = round(time.monotonic() - began_at, 3)
                output.write("log", f"{path} is there with {size} bytes\n".encode())
                return RunOutcome(
                    status=TaskRunStatus.COMPLETED,
                    result={"path": str(path), "bytes": size, "waited_seconds": waited},
                )
            if wait.is_late:
                return _failed(f"{path} {_seen(size)} when the soft time-out came.", retryable=True)
            if size != size_before:
                # Shown by `scheduler run show` while it waits.
                output.report(RunProgress(text=f"{path} {_seen(size)}"))
            size_before = size
            # Cancelling the coroutine ends it here: there is nothing else to stop.
            await asyncio.sleep(parameters.get("look_seconds", _LOOK_SECONDS))


class _Wait:
    """One run that waits."""

    def __init__(self) -> None:
        self.may_look = asyncio.Event()
        self.may_look.set()
        self.is_late = False


_KNOWN = {"path", "bytes_min", "look_seconds"}


def _size_of(path: Path) -> int | None:
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    return seen.st_size if stat.S_ISREG(seen.st_mode) else None


def _seen(size: int | None) -> str:
    return "was not there" if size is None else f"had {size} bytes"


def _failed(error: str, *, retryable: bool) -> RunOutcome:
    return RunOutcome(status=TaskRunStatus.FAILED, error=error, retryable=retryable)
