"""Rings for what a change has made, after its commit."""

from collections import Counter
from collections.abc import Iterable

import structlog

from scheduler_core.errors import RepositoryError
from scheduler_core.interfaces import MessageQueue, Store
from scheduler_core.models import DISPATCHERS, CommitRing, CreatedRun, Lane, TaskRunStatus, session_address

logger = structlog.get_logger("scheduler.api")


class WorkRinger:
    """Rings workers and dispatchers. Never raises for a store or a broker that is away: a ring is only faster."""

    def __init__(self, store: Store, queue: MessageQueue) -> None:
        self._store = store
        self._queue = queue

    @property
    def commit_ring(self) -> CommitRing | None:
        """How a statement of the store can ring by itself; None where it cannot."""
        return self._queue.commit_ring

    async def ring_for_runs(self, runs: Iterable[CreatedRun], *, many_begin: bool = False) -> None:
        """Ring workers that can take the DISPATCHED ones, and dispatchers for the first run of a flow that is not.

        With `many_begin` a flow may begin with several runs, of which any may be one that is not.
        """
        runs = list(runs)
        if any((many_begin or run.run_id == run.flow_id) and run.status is TaskRunStatus.PENDING for run in runs):
            # It is to be expanded, or to take its turn, before it can start.
            await self.ring_dispatchers()
        lanes = Counter(Lane(run.queue, run.task_type) for run in runs if run.status is TaskRunStatus.DISPATCHED)
        if not lanes:
            return
        try:
            async with self._store.autocommit() as work:
                targets = await work.worker_sessions.ring_targets(list(lanes), list(lanes.values()))
        except RepositoryError as error:
            logger.debug("ring given up", error=str(error))
            return
        await self.ring_sessions(targets)

    async def ring_sessions(self, session_ids: Iterable[int]) -> None:
        """Ring the sessions whose runs were changed."""
        addresses = [session_address(session_id) for session_id in session_ids]
        if addresses:
            await self._queue.ring(addresses)

    async def ring_dispatchers(self) -> None:
        """Ring a dispatcher: a schedule has changed, or runs can be admitted or settled."""
        await self._queue.ring([DISPATCHERS])
