"""Waiting runs whose time has come become claimable."""

from scheduler_core.interfaces import Store
from scheduler_dispatcher import dispatcher_metrics
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.service_loop import LOOK_SPACING_SECONDS, seconds_to_next_look


class DispatchService:
    """Admits PENDING runs that wait for nothing any more: delays that ended, retries, runs handed back or rescued."""

    name = "dispatch"
    spacing_seconds = LOOK_SPACING_SECONDS

    def __init__(self, store: Store, ringer: Ringer, *, batch: int, poll_interval_seconds: float) -> None:
        self._store = store
        self._ringer = ringer
        self._batch = batch
        self._poll_interval_seconds = poll_interval_seconds

    async def look(self) -> float:
        """Admit up to `batch` runs; see Service."""
        async with self._store.autocommit() as work:
            admitted = await work.task_runs.admit(self._batch)
            to_next = await work.task_runs.seconds_to_next() if len(admitted) < self._batch else 0.0
        if admitted:
            dispatcher_metrics.runs_admitted.add(len(admitted))
            await self._ringer.ring_workers(admitted)
        return seconds_to_next_look(len(admitted), self._batch, to_next, self._poll_interval_seconds)
