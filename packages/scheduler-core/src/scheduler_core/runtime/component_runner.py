"""Several components in one process: started in order, stopped in reverse, and one exit code for all."""

import asyncio
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from scheduler_core.errors import SchedulerError
from scheduler_core.interfaces import Component
from scheduler_core.runtime.console import complain, say
from scheduler_core.runtime.exit_code import ExitCode
from scheduler_core.runtime.supervised_component import SupervisedComponent

# What every component gets to stop in even when those before it have used up the grace, and to leave when cancelled.
_LAST_SECONDS = 10.0
_CANCEL_SECONDS = 5.0
_PATIENCE_SECONDS = 15.0


class ComponentRunner:
    """Runs components to the end of the process.

    They start in the given order, each when the one before is ready. SIGINT, SIGTERM, SIGHUP and the end of any
    component stop them in reverse, one after another, within `grace_seconds` in all; a second signal cancels them.
    A SIGHUP for which `on_hangup` says True stops nothing. `report_stopping` is called once, when the stop begins.
    """

    def __init__(
        self,
        components: Sequence[Component],
        *,
        grace_seconds: float,
        report_ready: Callable[[str, str], None],
        report_all_ready: Callable[[], None],
        on_hangup: Callable[[], bool] = lambda: False,
        report_stopping: Callable[[], None] = lambda: None,
        exit_now: Callable[[int], Any] = os._exit,
    ) -> None:
        self._supervised = [SupervisedComponent(component, report_ready) for component in components]
        self._grace_seconds = grace_seconds
        self._report_all_ready = report_all_ready
        self._on_hangup = on_hangup
        self._report_stopping = report_stopping
        self._exit_now = exit_now
        self._stop = asyncio.Event()
        self._leave_now = asyncio.Event()
        self._forced_code: ExitCode | None = None
        self._is_stuck = False

    async def run(self) -> int:
        """Return the exit code: 0 after a stop that was asked for, 1 when a component failed, 128 + n when forced."""
        handled = self._handle_signals()
        try:
            async with asyncio.TaskGroup() as group:
                if await self._start(group):
                    self._report_all_ready()
                    await self._stop.wait()
                await self._stop_all()
                if self._is_stuck:
                    # The group would wait for it for ever.
                    self._exit_now(self._exit_code() or ExitCode.FAILURE)
        finally:
            for number in handled:
                asyncio.get_running_loop().remove_signal_handler(number)
        return self._exit_code()

    def _handle_signals(self) -> list[int]:
        loop = asyncio.get_running_loop()
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup is respected
            numbers.append(signal.SIGHUP)
        for number in numbers:
            loop.add_signal_handler(number, self._on_signal, number)
        return list(numbers)

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGHUP and self._on_hangup():
            return
        if not self._stop.is_set():
            self._stop.set()
            _say_if_anybody_listens("", f"Stopping ({signal.Signals(number).name}). Once more to leave at once.")
            return
        if not self._leave_now.is_set():
            self._forced_code = ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED
            self._leave_now.set()
            _say_if_anybody_listens("Leaving at once.")
            return
        # A third signal must end the process whatever a component is stuck in.
        self._exit_now(128 + number)

    async def _start(self, group: asyncio.TaskGroup) -> bool:
        """Start one after another; False when a stop came first."""
        for supervised in self._supervised:
            if self._stop.is_set():
                return False
            supervised.task = group.create_task(supervised.run(), name=supervised.name)
            supervised.task.add_done_callback(partial(self._on_end, supervised))
            while not await _any_set(supervised.ready, self._stop, timeout=_PATIENCE_SECONDS):
                say(f"Still waiting for {supervised.name} to be ready.")
        return not self._stop.is_set()

    def _on_end(self, supervised: SupervisedComponent, _: asyncio.Task[None]) -> None:
        if supervised.failure is not None:
            tell_failure(supervised.name, supervised.failure)
        self._stop.set()

    async def _stop_all(self) -> None:
        self._report_stopping()
        deadline = asyncio.get_running_loop().time() + self._grace_seconds
        for supervised in reversed(self._supervised):
            supervised.stopping.set()
            if supervised.task is not None and not supervised.has_ended:
                await self._wait_for_end(supervised, supervised.task, deadline)

    async def _wait_for_end(self, supervised: SupervisedComponent, task: asyncio.Task[None], deadline: float) -> None:
        left = max(deadline - asyncio.get_running_loop().time(), min(_LAST_SECONDS, self._grace_seconds))
        leaving = asyncio.create_task(self._leave_now.wait())
        try:
            await asyncio.wait({task, leaving}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
        if task.done():
            return
        if not self._leave_now.is_set():
            supervised.failure = SchedulerError(
                f"The component '{supervised.name}' did not stop within {self._grace_seconds:g} s and was cancelled. "
                "Runs it still held are given to others when its lease ends."
            )
        # Its end tells the failure.
        supervised.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_SECONDS)
        if not task.done():
            complain(f"The component '{supervised.name}' does not react to being cancelled; leaving without it.")
            # Only after the others: a database, for one, would be left running.
            self._is_stuck = True

    def _exit_code(self) -> int:
        told = any(supervised.failure is not None for supervised in self._supervised)
        if self._forced_code is not None:
            return self._forced_code
        return ExitCode.FAILURE if told else ExitCode.OK


def _say_if_anybody_listens(*lines: str) -> None:
    # The signal may say that the terminal was closed.
    with contextlib.suppress(OSError):
        say(*lines)


def tell_failure(name: str, error: BaseException) -> None:
    """Tell on stderr why a component failed: what Scheduler can explain as a paragraph, all else with its traceback."""
    explained = _explained(error)
    if explained:
        for text in dict.fromkeys(str(known) for known in explained):
            complain(text if f"'{name}'" in text else f"The component '{name}' failed: {text}")
        return
    if isinstance(error, SystemExit):
        complain(f"The component '{name}' failed: it left with exit code {error.code}. See the lines above.")
        return
    traceback.print_exception(error, file=sys.stderr)
    complain(
        f"The component '{name}' failed with {type(error).__name__}: {error}. This is not a mistake of yours that "
        "Scheduler knows; please report it with the lines above."
    )


def _explained(error: BaseException) -> list[BaseException]:
    """The errors that Scheduler can explain; none when anything else is among them."""
    if isinstance(error, BaseExceptionGroup):
        parts = [_explained(part) for part in error.exceptions]
        return [known for part in parts for known in part] if all(parts) else []
    return [error] if isinstance(error, SchedulerError) else []


async def _any_set(*events: asyncio.Event, timeout: float) -> bool:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for wait in waits:
            wait.cancel()
