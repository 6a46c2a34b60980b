"""Outcomes of many runs, reported in one statement."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from scheduler_core.errors import ConflictError, RepositoryError, SessionFencedError, StoreUnavailableError
from scheduler_core.interfaces import Clock, MessageQueue, Settlement, Store
from scheduler_core.models import (
    DISPATCHERS,
    CreatedRun,
    FinishedRun,
    Lane,
    RunChange,
    TaskRunStatus,
    session_address,
)
from scheduler_worker.backoff import Backoff
from scheduler_worker.lease import Lease
from scheduler_worker.live_runs import LiveRuns
from scheduler_worker.log_buffer import LogBuffer
from scheduler_worker.next_claim import NextClaim
from scheduler_worker.task_runner import key_of, refused
from scheduler_worker.worker_metrics import count_finished, count_stale

logger = logging.getLogger("scheduler.worker")

_CONFLICTS_MAX = 3


class ReportBuffer:
    """Reports outcomes in batches: when one is full, after `interval_seconds`, and at once when nothing else runs.

    A report is repeated until it is answered or the lease is no longer trusted; repeating it changes nothing.
    `look` is called when this session may have got work by what was reported, `on_fenced` when it is over.
    """

    def __init__(
        self,
        store: Store,
        queue: MessageQueue,
        session_id: int,
        live_runs: LiveRuns,
        logs: LogBuffer,
        lease: Lease,
        clock: Clock,
        *,
        next_claim: NextClaim,
        batch_size_max: int,
        interval_seconds: float,
        on_reported: Callable[[], None],
        on_fenced: Callable[[str], None],
        look: Callable[[], None],
    ) -> None:
        self._store = store
        self._queue = queue
        self._session_id = session_id
        self._live_runs = live_runs
        self._logs = logs
        self._lease = lease
        self._clock = clock
        self._next_claim = next_claim
        self._batch_size_max = batch_size_max
        self._interval_seconds = interval_seconds
        self._on_reported = on_reported
        self._on_fenced = on_fenced
        self._look = look
        self._pending: list[FinishedRun] = []
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def add(self, finished: FinishedRun) -> None:
        """Report this outcome soon."""
        self._pending.append(finished)
        self._empty.clear()
        self._wake.set()
        if self._is_due():
            self._hurry.set()

    async def drained(self) -> None:
        """Return when everything added so far has been reported or given up."""
        await self._empty.wait()

    async def run(self) -> None:
        """Report what is added until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                if not self._is_due():
                    await self._linger()
                batch = self._pending[: self._batch_size_max]
                del self._pending[: len(batch)]
                await self._report(batch)
            self._empty.set()

    def _is_due(self) -> bool:
        return len(self._pending) >= self._batch_size_max or not self._live_runs.executing

    async def _linger(self) -> None:
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._interval_seconds):
                await self._hurry.wait()

    async def _report(self, batch: list[FinishedRun]) -> None:
        answer = await self._recorded(batch)
        if answer is not None:
            stale = len(batch) - len(answer.changes)
            if stale:
                count_stale(stale)
                logger.warning("reports refused: others have these runs", extra={"runs": stale})
            count_finished(answer.changes)
        for finished in batch:
            self._live_runs.remove(key_of(finished))
        self._on_reported()
        if answer is not None:
            await self._ring(*answer)

    async def _recorded(self, batch: list[FinishedRun], *, may_substitute: bool = True) -> "_Recorded | None":
        """Where the runs went and what may be claimed now; None when the session is over."""
        backoff = Backoff(0.05)
        conflicts = 0
        while True:
            try:
                if not self._logs.is_empty:
                    await self._logs.flush()
                return await self._finish(batch, with_settlement=conflicts < _CONFLICTS_MAX)
            except SessionFencedError as error:
                self._on_fenced(str(error))
                return None
            except (StoreUnavailableError, ConflictError) as error:
                # The change may have been made or not: doing it again changes nothing then.
                conflicts += isinstance(error, ConflictError)
                if not self._lease.seconds_left(self._clock.monotonic()):
                    self._on_fenced(f"The lease ended while runs could not be reported: {error}")
                    return None
                logger.warning("report delayed", extra={"runs": len(batch), "reason": str(error)})
                await self._clock.sleep(backoff.next_seconds())
            except RepositoryError as error:
                return await self._record_singly(batch, error, may_substitute=may_substitute)

    async def _record_singly(
        self, batch: list[FinishedRun], error: RepositoryError, *, may_substitute: bool
    ) -> "_Recorded | None":
        """Find the report that the database refuses, so that the others are not lost with it."""
        if len(batch) == 1:
            logger.error("report refused by the database", extra={"run_id": batch[0].run_id, "reason": str(error)})
            substitute = [refused(batch[0], str(error))]
            return await self._recorded(substitute, may_substitute=False) if may_substitute else _Recorded([], [])
        changes: list[RunChange] = []
        claimable: list[CreatedRun] = []
        is_later = False
        for finished in batch:
            answer = await self._recorded([finished])
            if answer is not None:
                changes += answer.changes
                claimable += answer.claimable
                is_later |= answer.is_later
        return _Recorded(changes, claimable, is_later)

    async def _finish(self, batch: list[FinishedRun], *, with_settlement: bool) -> "_Recorded":
        if not with_settlement or not any(finished.needs_settlement for finished in batch):
            async with self._store.autocommit() as work:
                changes = await work.task_runs.finish(self._session_id, batch)
            # What is not settled here is settled by a dispatcher: also the end of a run that others wait for only
            # since it was claimed.
            return _Recorded(changes, [], bool(_to_settle(changes)))
        with self._next_claim.around():
            async with self._store.transaction() as work:
                changes = await work.task_runs.finish(self._session_id, batch)
                ended = _to_settle(changes)
                settled = await work.task_runs.settle(len(ended), ended) if ended else Settlement([])
                claimable = (
                    await self._next_claim.claim(work, settled.released) if not self._pending else settled.released
                )
        return _Recorded(changes, claimable, settled.is_later)

    async def _ring(self, changes: Sequence[RunChange], claimable: Sequence[CreatedRun], is_later: bool) -> None:
        # As long as more is granted to this session, it has no room to tell of; dispatchers look in time by themselves.
        has_more = self._live_runs.granted_left > 0
        # Back in the queue, or room for a gated run: a dispatcher has something to do.
        is_back = any(
            change.status is TaskRunStatus.PENDING or (change.is_gated and not has_more) for change in changes
        )
        addresses = [DISPATCHERS] if is_back or is_later else []
        if claimable:
            addresses += await self._sessions_for(claimable)
        if addresses:
            await self._queue.ring(addresses)

    async def _sessions_for(self, claimable: Sequence[CreatedRun]) -> list[str]:
        # Looking costs nothing, so this session need not be told that it has free places.
        self._look()
        wanted = Counter(Lane(run.queue, run.task_type) for run in claimable)
        try:
            async with self._store.autocommit() as work:
                targets = await work.worker_sessions.ring_targets(list(wanted), list(wanted.values()))
        except RepositoryError as error:
            # A lost ring costs latency only.
            logger.warning("ring lost", extra={"reason": str(error)})
            return []
        return [session_address(target) for target in targets if target != self._session_id]


class _Recorded(NamedTuple):
    """Where reported runs went, what may be claimed now, and whether the dispatchers have something to look at."""

    changes: list[RunChange]
    claimable: list[CreatedRun]
    is_later: bool = False


def _to_settle(changes: Sequence[RunChange]) -> list[int]:
    return [change.run_id for change in changes if change.needs_settlement and change.status.is_final]
