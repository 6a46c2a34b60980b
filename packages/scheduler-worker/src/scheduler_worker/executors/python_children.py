"""A small pool of child processes for python functions."""

import asyncio
import contextlib
import os
import time
from collections.abc import Collection
from typing import NamedTuple

from scheduler_core.interfaces import RunContext, RunOutput
from scheduler_worker.executors.child_process import ChildTable
from scheduler_worker.executors.job_environment import (
    base_environment,
    hold_guard,
    kill_all_runs,
    kill_run,
    release_guard,
)
from scheduler_worker.executors.live_call import LiveCall
from scheduler_worker.executors.python_process import ChildDiedError, PythonChild
from scheduler_worker.executors.python_protocol import Answer, Call, ChildSettings, Question, framed
from scheduler_worker.own_thread import in_own_thread


class ChildLimits(NamedTuple):
    """When a child is replaced: after so many runs, so many seconds, or a run that has left it that large."""

    runs_max: int = 1000
    age_seconds_max: float = 3600.0
    memory_bytes_max: float = 1024.0**3


class PythonChildren:
    """Up to `size_max` children; idle ones are used again, within their limits.

    A child whose request was interrupted is killed, never used again.
    """

    def __init__(
        self,
        *,
        size_max: int,
        limits: ChildLimits,
        settings: ChildSettings,
        environment_names: Collection[str],
        kill_grace_seconds: float,
        answer_bytes_max: int,
    ) -> None:
        self._free = asyncio.Semaphore(size_max)
        self._limits = limits
        self._settings = settings
        self._environment_names = environment_names
        self._grace_seconds = kill_grace_seconds
        self._answer_bytes_max = answer_bytes_max
        self._table = ChildTable()
        self._idle: list[PythonChild] = []
        # More would only hold memory; under load they are busy and never counted here.
        self._idle_max = min(size_max, os.cpu_count() or 1)
        self._holds_guard = False

    async def look_at(self, target: str, output: RunOutput) -> Answer:
        """Ask what kind of function this is; raises ChildDiedError, OSError."""
        return await self._ask(Question(target), output, None, None)

    async def call(self, call: Call, output: RunOutput, live: LiveCall) -> Answer:
        """Have a function called; cancelling this ends the child that is at it. Raises ChildDiedError, OSError."""
        return await self._ask(call, output, call.context, live)

    def kill_now(self) -> None:
        """Kill all children at once, from any thread."""
        self._table.kill_all()
        if self._holds_guard:
            kill_all_runs()

    async def close(self) -> None:
        """End the idle children; no others are left."""
        idle, self._idle = self._idle, []
        for child in idle:
            await child.end(0.0)
        if self._holds_guard:
            self._holds_guard = False
            await in_own_thread(release_guard)

    async def _ask(
        self, request: Question | Call, output: RunOutput, context: RunContext | None, live: LiveCall | None
    ) -> Answer:
        frame = framed(request)
        async with self._free:
            child = await self._idle_child() or await self._new_child()
            try:
                if live is not None:
                    await live.wait_while_paused()
                    live.take(child)
                answer = await child.ask(frame, output)
            except BaseException as error:
                # A dead child has nothing to be asked for; one that was interrupted may need its grace.
                await child.end(0.0 if isinstance(error, ChildDiedError) else self._grace_seconds)
                if context is not None:
                    await _kill_strays(context)
                raise
            finally:
                if live is not None:
                    live.leave()
            if answer.is_worn or self._has_served(child, answer) or len(self._idle) >= self._idle_max:
                await child.end(0.0)
            else:
                self._idle.append(child)
            return answer

    async def _new_child(self) -> PythonChild:
        if not self._holds_guard:
            self._holds_guard = True
            hold_guard()
        environment = base_environment(self._environment_names)
        return await PythonChild.start(self._table, self._settings, environment, self._answer_bytes_max)

    async def _idle_child(self) -> PythonChild | None:
        while self._idle:
            child = self._idle.pop()
            if not child.has_ended and not self._is_old(child):
                return child
            await child.end(0.0)
            # Ending a child lets no cancellation through; nobody would hear of it again.
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError
        return None

    def _has_served(self, child: PythonChild, answer: Answer) -> bool:
        is_used_up = child.runs >= self._limits.runs_max
        return is_used_up or answer.resident_bytes > self._limits.memory_bytes_max or self._is_old(child)

    def _is_old(self, child: PythonChild) -> bool:
        return time.monotonic() - child.started_at > self._limits.age_seconds_max


async def _kill_strays(context: RunContext) -> None:
    search = asyncio.ensure_future(in_own_thread(lambda: kill_run(context)))
    while not search.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({search})
