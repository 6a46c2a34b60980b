"""The one place where runs that can be claimed become rings."""

from collections import Counter
from collections.abc import Iterable

import structlog

from scheduler_core.errors import RepositoryError
from scheduler_core.interfaces import MessageQueue, Store
from scheduler_core.models import DISPATCHERS, CreatedRun, Lane, TaskRunStatus, session_address

logger = structlog.get_logger("scheduler.dispatcher")


class Ringer:
    """Rings workers for claimable runs, at most one ring for each run, and dispatchers for all else."""

    def __init__(self, store: Store, queue: MessageQueue) -> None:
        self._store = store
        self._queue = queue

    async def ring_workers(self, runs: Iterable[CreatedRun]) -> None:
        """Ring for those of the runs that are DISPATCHED; call it after their commit.

        Never raises for a store or broker that is away: the runs are committed, and workers look by themselves.
        """
        lanes = Counter(Lane(run.queue, run.task_type) for run in runs if run.status == TaskRunStatus.DISPATCHED)
        if not lanes:
            return
        try:
            async with self._store.autocommit() as work:
                targets = await work.worker_sessions.ring_targets(list(lanes), list(lanes.values()))
        except RepositoryError as error:
            logger.debug("ring given up", error=str(error))
            return
        await self._queue.ring([session_address(session_id) for session_id in sorted(targets)])

    async def ring_sessions(self, session_ids: Iterable[int]) -> None:
        """Ring these sessions: runs that they hold were cancelled."""
        addresses = [session_address(session_id) for session_id in session_ids]
        if addresses:
            await self._queue.ring(addresses)

    async def ring_dispatchers(self) -> None:
        """Ring the dispatchers, this one included."""
        await self._queue.ring([DISPATCHERS])
