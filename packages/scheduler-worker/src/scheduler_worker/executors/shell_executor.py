"""Programs and shell commands."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from scheduler_core.config import Settings
from scheduler_core.interfaces import RunContext, RunOutcome, RunOutput, TaskExecutor
from scheduler_core.models import TaskRunStatus
from scheduler_worker.executors.child_process import ChildProcess, ChildTable, ending, start_problem
from scheduler_worker.executors.job_environment import (
    hold_guard,
    job_environment,
    kill_all_runs,
    kill_run,
    release_guard,
)
from scheduler_worker.executors.parameter_check import parameter_problems
from scheduler_worker.own_thread import in_own_thread
from scheduler_worker.worker_config import WorkerConfig

_SHELL = "/bin/sh"
_LAST_LINE_BYTES = 300


class ShellExecutor(TaskExecutor):
    """Runs a program in a session of its own; its exit code decides.

    What the command leaves running in its process group ends with it. On time-out and cancel everything it started is
    stopped: SIGTERM to the group, after the grace SIGKILL, also to what has left the group.
    """

    def __init__(self, kill_grace_seconds: float = 5.0) -> None:
        self._grace_seconds = kill_grace_seconds
        self._children = ChildTable()
        self._holds_guard = False

    @classmethod
    def from_settings(cls, settings: Settings) -> "ShellExecutor":
        """Made with worker.kill_grace_seconds."""
        return cls(settings.section(WorkerConfig).kill_grace_seconds)

    def check(self, parameters: Mapping[str, Any]) -> Sequence[str]:
        """See TaskExecutor."""
        return parameter_problems("shell", parameters)

    async def execute(self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput) -> RunOutcome:
        """See TaskExecutor; the result is {"exit_code": …}."""
        command = parameters["command"]
        argv = [_SHELL, "-c", command] if isinstance(command, str) else list(command)
        working_dir = parameters.get("working_dir")
        if not self._holds_guard:
            self._holds_guard = True
            hold_guard()
        told = _LastLine(output)
        try:
            child = ChildProcess.start(
                argv,
                table=self._children,
                environment=job_environment(context, parameters.get("env")),
                working_dir=working_dir,
                write=told.write,
            )
        except OSError as error:
            return _failed(start_problem(error, argv[0], working_dir))
        except ValueError as error:
            return _failed(f"The command cannot be started: {error}.")
        return await self._outcome(child, context, told)

    def kill_now(self) -> None:
        """See TaskExecutor."""
        self._children.kill_all()
        if self._holds_guard:
            kill_all_runs()

    async def close(self) -> None:
        """See TaskExecutor."""
        if self._holds_guard:
            self._holds_guard = False
            await in_own_thread(release_guard)

    async def _outcome(self, child: ChildProcess, context: RunContext, told: "_LastLine") -> RunOutcome:
        try:
            async with asyncio.timeout(context.timeout_seconds):
                code = await child.wait()
        except TimeoutError:
            code = await self._end(child, context)
            return RunOutcome(
                status=TaskRunStatus.TIMEOUT,
                error=f"It did not end within {context.timeout_seconds:g} s and was stopped ({ending(code)}).",
            )
        except asyncio.CancelledError:
            await self._end(child, context)
            raise
        if code == 0:
            return RunOutcome(status=TaskRunStatus.COMPLETED, result={"exit_code": 0})
        hint = f" Last on stderr: {told.last_line}" if told.last_line else ""
        return RunOutcome(
            status=TaskRunStatus.FAILED, result={"exit_code": code}, error=f"It ended with {ending(code)}.{hint}"
        )

    async def _end(self, child: ChildProcess, context: RunContext) -> int:
        code = await child.end(self._grace_seconds)
        # Not in the loop: looking at all processes of the machine takes milliseconds. Not left before it is done.
        search = asyncio.ensure_future(in_own_thread(lambda: kill_run(context)))
        while not search.done():
            try:
                await asyncio.wait({search})
            except asyncio.CancelledError:
                continue
        return code


class _LastLine:
    """Passes output on and keeps the end of stderr, which usually says why a command failed."""

    def __init__(self, output: RunOutput) -> None:
        self._output = output
        self._end = b""

    def write(self, stream: str, data: bytes) -> None:
        """See RunOutput."""
        if stream == "stderr":
            self._end = (self._end + data[-_LAST_LINE_BYTES:])[-_LAST_LINE_BYTES:]
        self._output.write(stream, data)

    @property
    def last_line(self) -> str:
        """The last line of stderr that is not empty."""
        lines = self._end.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else ""


def _failed(error: str) -> RunOutcome:
    return RunOutcome(status=TaskRunStatus.FAILED, error=error)
