"""One of several worker processes, under the eyes of their parent."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from scheduler_core.runtime.exit_code import ExitCode
from scheduler_worker.backoff import Backoff
from scheduler_worker.containment.program import ending

logger = logging.getLogger("scheduler.worker")

_PAUSE_SECONDS_FIRST: Final = 1.0
_PAUSE_SECONDS_MAX: Final = 30.0
_CALM_SECONDS: Final = 60.0
"""A process that has lived that long does not end again and again."""


class WorkerProcess(asyncio.DatagramProtocol):
    """Keeps one process running. What it tells of itself comes as to a service manager, by datagrams to `address`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        address: Path,
        *,
        lifeline: int,
        watchdog_seconds: float,
        on_ready: Callable[[], None],
    ) -> None:
        self._name = name
        self._command = command
        self._address = address
        self._lifeline = lifeline
        self._watchdog_seconds = watchdog_seconds
        self._on_ready = on_ready
        self._backoff = Backoff(_PAUSE_SECONDS_FIRST, longest=_PAUSE_SECONDS_MAX)
        self._process: asyncio.subprocess.Process | None = None
        self._heard_at: float | None = None
        self._stopping = asyncio.Event()
        self.was_ready = False

    def datagram_received(self, data: bytes, _: object) -> None:
        """The process tells how it stands."""
        lines = data.split(b"\n")
        if b"READY=1" in lines or b"WATCHDOG=1" in lines:
            self._heard_at = time.monotonic()
        if b"READY=1" in lines and not self.was_ready:
            self.was_ready = True
            self._on_ready()

    async def keep(self) -> int:
        """Start it, and again when it ends, until the stop; its last exit code.

        One that ends by itself before it has ever been ready is not started again: its settings, or what it needs, are
        not right.
        """
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(str(self._address))
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=listener)
        try:
            while not self._stopping.is_set():
                began_at = time.monotonic()
                code = await self._run_once()
                if self._stopping.is_set():
                    # It may not have come to hear signals yet.
                    return 0 if code in (-signal.SIGTERM, -signal.SIGINT) else code
                if not self.was_ready and code >= 0:
                    return code
                if time.monotonic() - began_at > _CALM_SECONDS:
                    self._backoff.reset()
                seconds = self._backoff.next_seconds()
                logger.error("worker process %s ended with %s; again in %.1f s", self._name, ending(code), seconds)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), seconds)
            return 0
        finally:
            transport.close()

    def stop(self) -> None:
        """It is not started again."""
        self._stopping.set()

    def send(self, number: int) -> None:
        """Pass a signal on, where there is a process."""
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(number)

    def check(self) -> None:
        """Kill a process that was ready and has been silent for too long; it is started again."""
        silent = self._heard_at is not None and time.monotonic() - self._heard_at > self._watchdog_seconds
        if silent and not self._stopping.is_set():
            logger.error("worker process %s has been silent for %g s; killed", self._name, self._watchdog_seconds)
            self._heard_at = None
            self.send(signal.SIGKILL)

    async def _run_once(self) -> int:
        self._heard_at = None
        # A process group of its own: Ctrl-C reaches it once, by way of its parent.
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, env=self._environment(), pass_fds=(self._lifeline,), process_group=0
            )
        except OSError as error:
            logger.error("worker process %s cannot be started: %s", self._name, error)
            return ExitCode.FAILURE
        if self._stopping.is_set():
            # It was told while this one was being started.
            self.send(signal.SIGTERM)
        logger.info("worker process %s has the pid %d", self._name, self._process.pid)
        try:
            return await self._process.wait()
        finally:
            self._heard_at = None

    def _environment(self) -> Mapping[str, str]:
        told = {"NOTIFY_SOCKET": str(self._address), "WATCHDOG_USEC": str(int(self._watchdog_seconds * 1_000_000))}
        return {**os.environ, **told}
