"""What a run needs before it begins: the version of its task, and what it may know of the runs upstream."""

import logging
from collections.abc import Callable, Mapping, Sequence

from scheduler_core.errors import ConflictError, StoreUnavailableError
from scheduler_core.interfaces import Clock, Store
from scheduler_core.models import ClaimedRun, RunInputs, TaskVersion
from scheduler_worker.backoff import Backoff
from scheduler_worker.lease import Lease
from scheduler_worker.live_run import LiveRun
from scheduler_worker.version_cache import VersionCache

logger = logging.getLogger("scheduler.worker")


class RunNeeds:
    """Reads it from the store, again and again while that is away and the session goes on."""

    def __init__(self, store: Store, clock: Clock, lease: Lease, versions: VersionCache) -> None:
        self._store = store
        self._clock = clock
        self._lease = lease
        self._versions = versions

    async def versions_of(self, claimed: Sequence[ClaimedRun]) -> Mapping[int, TaskVersion]:
        """The versions of these runs' tasks by id, without those that are not there; none when the session is lost."""
        backoff = Backoff()
        while True:
            try:
                return await self._versions.get(self._store, {run.task_version_id for run in claimed})
            except (StoreUnavailableError, ConflictError) as error:
                if self._lease.is_lost:
                    return {}
                logger.warning("task versions not read", extra={"reason": str(error)})
                await self._clock.sleep(backoff.next_seconds())

    async def add_inputs(self, lives: Sequence[LiveRun], until: Callable[[], bool]) -> None:
        """Set the inputs of these runs, unless the session is lost or `until` comes true before they can be read."""
        ids = [live.claimed.id for live in lives]
        backoff = Backoff()
        while not self._lease.is_lost and not until():
            try:
                async with self._store.autocommit() as work:
                    inputs = await work.flows.inputs(ids)
            except (StoreUnavailableError, ConflictError) as error:
                logger.warning("inputs of runs not read", extra={"runs": len(ids), "reason": str(error)})
                await self._clock.sleep(backoff.next_seconds())
                continue
            for live in lives:
                live.inputs = inputs.get(live.claimed.id, RunInputs(run_id=live.claimed.id))
            return
