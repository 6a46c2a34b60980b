"""Several worker processes and their parent, which does no work itself."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from scheduler_core.runtime.console import say
from scheduler_core.runtime.exit_code import ExitCode
from scheduler_core.runtime.hangup import has_terminal
from scheduler_core.runtime.service_manager import ServiceManager
from scheduler_worker.worker_process import WorkerProcess

_WATCHDOG_SECONDS: Final = 60.0
_LOOKS_PER_PERIOD: Final = 4
_NO_MERCY: Final = 3
"""With that many signals to stop, the processes are killed."""

Command = Callable[[int, int], Sequence[str]]


class WorkerProcesses:
    """Keeps `count` processes running and ends when all have.

    `command(number, lifeline)` is how to start each, counted from 1; it ends when the other end of `lifeline` is
    closed. SIGTERM, SIGINT and SIGHUP are passed on. A process that ends is started again after a pause, and one that
    is silent for a minute, or for as long as the service manager bears, is killed before.
    """

    def __init__(self, name: str, count: int, command: Command, manager: ServiceManager) -> None:
        self._name = name
        self._count = count
        self._command = command
        self._manager = manager
        self._processes: list[WorkerProcess] = []
        self._signals: list[int] = []
        self._had_terminal = has_terminal()

    async def run(self) -> int:
        """The exit code: 0 after a stop that was asked for and in which all went well."""
        with self._hearing_signals(), _pipe() as lifeline, _folder() as folder:
            self._processes = [self._process(number, lifeline, folder) for number in range(1, self._count + 1)]
            watching = asyncio.create_task(self._watch(), name="watchdog")
            try:
                keeping = {asyncio.create_task(each.keep(), name="process") for each in self._processes}
                done, _ = await asyncio.wait(keeping, return_when=asyncio.FIRST_COMPLETED)
                if not self._signals:
                    # One could not even begin.
                    self._stop(signal.SIGTERM)
                codes = [task.result() for task in done] + list(await asyncio.gather(*(keeping - done)))
            finally:
                watching.cancel()
        if len(self._signals) > 1:
            return ExitCode.INTERRUPTED if self._signals[0] == signal.SIGINT else ExitCode.TERMINATED
        return next((code if code > 0 else ExitCode.FAILURE for code in codes if code), ExitCode.OK)

    def _process(self, number: int, lifeline: int, folder: Path) -> WorkerProcess:
        return WorkerProcess(
            f"{self._name}-{number}",
            self._command(number, lifeline),
            folder / str(number),
            lifeline=lifeline,
            watchdog_seconds=self._watchdog_seconds,
            on_ready=self._on_ready,
        )

    @property
    def _watchdog_seconds(self) -> float:
        return self._manager.watchdog_seconds or _WATCHDOG_SECONDS

    @property
    def _are_ready(self) -> bool:
        return all(process.was_ready for process in self._processes)

    def _on_ready(self) -> None:
        if self._are_ready:
            self._manager.tell_ready(f"{self._count} worker processes, {self._name}-1 to {self._name}-{self._count}")

    async def _watch(self) -> None:
        while True:
            self._manager.tell_alive()
            for process in self._processes:
                process.check()
            await asyncio.sleep(self._watchdog_seconds / _LOOKS_PER_PERIOD)

    @contextlib.contextmanager
    def _hearing_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup is respected
            numbers.append(signal.SIGHUP)
        for number in numbers:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGHUP and not (self._had_terminal and not has_terminal()):
            # The end of a reload says READY, which is not so before all have been.
            with self._manager.reloading() if self._are_ready else contextlib.nullcontext():
                self._send(number)
            return
        self._signals.append(number)
        if len(self._signals) == 1:
            with contextlib.suppress(OSError):  # the terminal may be what has gone
                say("", f"Stopping ({signal.Signals(number).name}). Once more to leave at once.")
        self._stop(signal.SIGKILL if len(self._signals) >= _NO_MERCY else number)

    def _stop(self, number: int) -> None:
        self._manager.tell_stopping()
        for process in self._processes:
            process.stop()
        self._send(number)

    def _send(self, number: int) -> None:
        for process in self._processes:
            process.send(number)


@contextlib.contextmanager
def _pipe() -> Iterator[int]:
    """The end of a pipe to give away; the other is closed when this process ends, however it does."""
    theirs, own = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(own)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A private place for sockets, whose paths have 107 bytes at most."""
    usual = tempfile.gettempdir()
    short = usual if len(usual) < 60 else "/tmp"  # noqa: S108 - the folder in it is new and private
    with tempfile.TemporaryDirectory(prefix="workers-", dir=short) as folder:
        yield Path(folder)
