"""Output and progress of running jobs, stored in batches."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable

from scheduler_core.errors import ConflictError, RepositoryError, StoreUnavailableError
from scheduler_core.interfaces import Clock, Store
from scheduler_core.models import RunKey, RunLogEntry, RunProgress
from scheduler_worker.output_room import OutputRoom
from scheduler_worker.run_output import BufferedOutput

logger = logging.getLogger("scheduler.worker")

_ENTRIES_MAX = 500
_BYTES_MAX = 4 * 1024 * 1024
_WAITING_BYTES_MAX = 32 * 1024 * 1024
"""How much output of all runs may wait for the database; runs that print more lose it, not the worker its memory."""


class LogBuffer:
    """Stores the output and the progress of one session's runs every `interval_seconds`, and before a run is reported.

    Nothing is lost while the database is away: entries wait, as many as the runs' limits and `waiting_bytes_max` allow.
    """

    def __init__(
        self,
        store: Store,
        session_id: int,
        clock: Clock,
        *,
        limit_bytes: int,
        interval_seconds: float,
        waiting_bytes_max: int = _WAITING_BYTES_MAX,
    ) -> None:
        self._store = store
        self._session_id = session_id
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._interval_seconds = interval_seconds
        self._room = OutputRoom(waiting_bytes_max, self._hurry_up)
        self._waiting: dict[RunKey, BufferedOutput] = {}
        self._waiting_lock = threading.Lock()
        self._untaken: list[RunLogEntry] = []
        self._progress: dict[RunKey, RunProgress] = {}
        self._storing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def output(self, key: RunKey) -> BufferedOutput:
        """The output of an attempt that begins."""
        return BufferedOutput(key, self._limit_bytes, self._clock.now, self._announce, self._room)

    async def run(self) -> None:
        """Store what there is, again and again, until cancelled; sleeps while no run has anything to store."""
        self._loop = asyncio.get_running_loop()
        is_away = False
        while True:
            if not (self._waiting or self._untaken or self._progress):
                await self._wake.wait()
            self._wake.clear()
            if is_away or not self._room.is_scarce:
                await self._linger()
            else:
                await asyncio.sleep(0)
            try:
                await self.flush()
                is_away = False
            except (StoreUnavailableError, ConflictError):
                # Told by those that wait for the database; here the entries just wait for the next round.
                is_away = True

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to store, so that nobody needs to wait for it."""
        return not self._waiting and not self._untaken and not self._progress and not self._storing.locked()

    async def flush(self) -> None:
        """Store all that was written and reported so far; raises StoreUnavailableError or ConflictError, and keeps it.

        Not more than one batch is taken out of the runs' outputs at a time: there it costs least memory. What a run
        that prints faster than it is stored has written meanwhile is left for the next time.
        """
        async with self._storing:
            with self._waiting_lock:
                outputs, self._waiting = list(self._waiting.values()), {}
            due = {output.key: output.waiting_bytes for output in outputs}
            try:
                while outputs or self._untaken:
                    if not self._untaken:
                        outputs = self._take(outputs, due)
                    await self._store_entries()
                await self._store_progress()
            finally:
                for output in outputs:
                    self._announce(output)

    def _announce(self, output: BufferedOutput) -> None:
        with self._waiting_lock:
            self._waiting[output.key] = output
        self._in_loop(self._wake.set)

    def _hurry_up(self) -> None:
        self._in_loop(self._hurry.set)

    def _in_loop(self, act: Callable[[], None]) -> None:
        if self._loop is not None:
            # A thread that nothing can stop may print when the loop has ended.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(act)

    async def _linger(self) -> None:
        """Let more come, for the interval, or until it is so much that the rest might find no room."""
        waits = [
            asyncio.ensure_future(self._clock.sleep(self._interval_seconds)),
            asyncio.ensure_future(self._hurry.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hurry.clear()
            for wait in waits:
                wait.cancel()

    def _take(self, outputs: list[BufferedOutput], due: dict[RunKey, int]) -> list[BufferedOutput]:
        """Fill one batch; returns those that have more for the next one, of what is `due` of each."""
        left = _BYTES_MAX
        for count, output in enumerate(outputs):
            if left <= 0 or len(self._untaken) >= _ENTRIES_MAX:
                return outputs[count:]
            entries = output.take(left, _ENTRIES_MAX - len(self._untaken))
            self._untaken += entries
            taken = sum(len(entry.content) for entry in entries)
            due[output.key] -= taken
            if output.has_more and due[output.key] > 0:
                return outputs[count:]
            left -= taken
            progress = output.take_progress()
            if progress is not None:
                self._progress[output.key] = progress
            if output.is_waiting:
                self._announce(output)
        return []

    async def _store_entries(self) -> None:
        if not self._untaken:
            return
        try:
            async with self._store.autocommit() as work:
                await work.run_logs.append(self._session_id, self._untaken)
        except (StoreUnavailableError, ConflictError):
            raise
        except RepositoryError as error:
            # Output that the database refuses must not keep the run from being reported.
            logger.warning("output refused", extra={"entries": len(self._untaken), "reason": str(error)})
        self._untaken = []

    async def _store_progress(self) -> None:
        if not self._progress:
            return
        progress = dict(self._progress)
        try:
            async with self._store.autocommit() as work:
                await work.run_logs.report_progress(self._session_id, progress)
        except (StoreUnavailableError, ConflictError):
            raise
        except RepositoryError as error:
            logger.warning("progress refused", extra={"runs": len(progress), "reason": str(error)})
        self._progress = {}
