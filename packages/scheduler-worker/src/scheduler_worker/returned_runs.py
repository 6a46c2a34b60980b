"""Runs that this session gives back without an outcome."""

import logging
from collections.abc import Collection

from scheduler_core.errors import ConflictError, StoreUnavailableError
from scheduler_core.interfaces import MessageQueue, Store
from scheduler_core.models import DISPATCHERS, RunChange, RunKey, TaskRunStatus
from scheduler_worker.live_run import LiveRun
from scheduler_worker.live_runs import LiveRuns
from scheduler_worker.log_buffer import LogBuffer

logger = logging.getLogger("scheduler.worker")

_PUT_OFF_SECONDS = 1.0
"""How long a run that this worker cannot carry out waits at first before it is offered again."""


class ReturnedRuns:
    """Keeps what is to be given back until the store has it; belongs to the loop of its session."""

    def __init__(
        self, store: Store, queue: MessageQueue, session_id: int, live_runs: LiveRuns, logs: LogBuffer
    ) -> None:
        self._store = store
        self._queue = queue
        self._session_id = session_id
        self._live_runs = live_runs
        self._logs = logs
        self._to_hand_back: set[RunKey] = set()
        self._to_put_off: set[RunKey] = set()

    def __bool__(self) -> bool:
        """Whether there is something to give back."""
        return bool(self._to_hand_back or self._to_put_off)

    def add(self, live: LiveRun) -> None:
        """Give this run back; one that this worker cannot carry out is offered again later, later each time."""
        self._live_runs.ended(live)
        (self._to_put_off if live.is_unknown else self._to_hand_back).add(live.key)

    def add_unknown(self, keys: Collection[RunKey]) -> bool:
        """Give back runs that the store says are held and nobody here knows; whether any of them is new."""
        unknown = set(keys) - self._to_hand_back - self._to_put_off
        if unknown:
            logger.warning("runs of a lost reply handed back", extra={"runs": len(unknown)})
            self._to_hand_back |= unknown
        return bool(unknown)

    async def give_back(self) -> bool:
        """Whether all of it is given back; what is not is kept for the next time. Raises SessionFencedError."""
        keys, put_off = list(self._to_hand_back), list(self._to_put_off)
        if not keys and not put_off:
            return True
        changes: list[RunChange] = []
        try:
            if not self._logs.is_empty:
                await self._logs.flush()
            async with self._store.autocommit() as work:
                if keys:
                    changes += await work.task_runs.hand_back(self._session_id, keys)
                if put_off:
                    changes += await work.task_runs.hand_back(self._session_id, put_off, delay_seconds=_PUT_OFF_SECONDS)
        except (StoreUnavailableError, ConflictError) as error:
            logger.warning("hand-back delayed", extra={"runs": len(keys) + len(put_off), "reason": str(error)})
            return False
        self._to_hand_back.difference_update(keys)
        self._to_put_off.difference_update(put_off)
        for key in (*keys, *put_off):
            self._live_runs.remove(key)
        await ring_for_returned(self._queue, changes)
        return True


async def ring_for_returned(queue: MessageQueue, changes: Collection[RunChange]) -> None:
    """Ring a dispatcher where runs wait again."""
    if any(change.status is TaskRunStatus.PENDING for change in changes):
        await queue.ring([DISPATCHERS])
