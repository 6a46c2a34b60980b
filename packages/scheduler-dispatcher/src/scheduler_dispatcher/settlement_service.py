"""Runs that wait for finished ones are told. Workers do it as they finish; this catches everything else."""

from scheduler_core.interfaces import Store
from scheduler_dispatcher import dispatcher_metrics
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.service_loop import LOOK_SPACING_SECONDS


class SettlementService:
    """Settles finished runs that nobody has settled: cancelled and quarantined ones, and those of broken workers."""

    name = "settlement"
    spacing_seconds = LOOK_SPACING_SECONDS

    def __init__(self, store: Store, ringer: Ringer, *, batch: int, poll_interval_seconds: float) -> None:
        self._store = store
        self._ringer = ringer
        self._batch = batch
        self._poll_interval_seconds = poll_interval_seconds

    async def look(self) -> float:
        """Settle up to `batch` runs; see Service."""
        async with self._store.autocommit() as work:
            released, is_later = await work.task_runs.settle(self._batch)
        if is_later:
            # A schedule that counts from the end of a run, or a run whose time is yet to come: for the other loops.
            await self._ringer.ring_dispatchers()
        if not released:
            return self._poll_interval_seconds
        dispatcher_metrics.runs_released.add(len(released))
        await self._ringer.ring_workers(released)
        return 0.0
