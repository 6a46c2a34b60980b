"""Output of running jobs, stored in batches."""

import asyncio
import logging
import threading

from scheduler_core.errors import ConflictError, RepositoryError, StoreUnavailableError
from scheduler_core.interfaces import Clock, Store
from scheduler_core.models import RunKey, RunLogEntry
from scheduler_worker.run_output import BufferedOutput

logger = logging.getLogger("scheduler.worker")

_ENTRIES_MAX = 500
_CHARS_MAX = 4 * 1024 * 1024


class LogBuffer:
    """Stores the output of one session's runs every `interval_seconds`, and before a run is reported.

    Nothing is lost while the database is away: entries wait, as many as the runs' limits allow.
    """

    def __init__(
        self, store: Store, session_id: int, clock: Clock, *, limit_bytes: int, interval_seconds: float
    ) -> None:
        self._store = store
        self._session_id = session_id
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._interval_seconds = interval_seconds
        self._waiting: dict[RunKey, BufferedOutput] = {}
        self._waiting_lock = threading.Lock()
        self._untaken: list[RunLogEntry] = []
        self._storing = asyncio.Lock()

    def output(self, key: RunKey) -> BufferedOutput:
        """The output of an attempt that begins."""
        return BufferedOutput(key, self._limit_bytes, self._clock.now, self._announce)

    async def run(self) -> None:
        """Store what there is, again and again, until cancelled."""
        while True:
            await self._clock.sleep(self._interval_seconds)
            if self._waiting or self._untaken:
                try:
                    await self.flush()
                except (StoreUnavailableError, ConflictError):
                    # Told by those that wait for the database; here the entries just wait for the next round.
                    continue

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to store, so that nobody needs to wait for it."""
        return not self._waiting and not self._untaken and not self._storing.locked()

    async def flush(self) -> None:
        """Store all output written so far; raises StoreUnavailableError or ConflictError, and then keeps it."""
        async with self._storing:
            self._untaken.extend(self._take())
            while self._untaken:
                batch = _first_batch(self._untaken)
                try:
                    async with self._store.autocommit() as work:
                        await work.run_logs.append(self._session_id, batch)
                except (StoreUnavailableError, ConflictError):
                    raise
                except RepositoryError as error:
                    # Output that the database refuses must not keep the run from being reported.
                    logger.warning("output refused", extra={"entries": len(batch), "reason": str(error)})
                del self._untaken[: len(batch)]

    def _announce(self, output: BufferedOutput) -> None:
        with self._waiting_lock:
            self._waiting[output.key] = output

    def _take(self) -> list[RunLogEntry]:
        with self._waiting_lock:
            outputs, self._waiting = self._waiting, {}
        entries = []
        for output in outputs.values():
            entries.extend(output.take())
            if output.is_waiting:
                self._announce(output)
        return entries


def _first_batch(entries: list[RunLogEntry]) -> list[RunLogEntry]:
    chars = 0
    for count, entry in enumerate(entries[:_ENTRIES_MAX]):
        chars += len(entry.content)
        if chars > _CHARS_MAX and count:
            return entries[:count]
    return entries[:_ENTRIES_MAX]
