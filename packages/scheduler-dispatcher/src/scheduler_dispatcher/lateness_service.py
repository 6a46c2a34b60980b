"""Runs that nobody has begun in time."""

import structlog

from scheduler_core.interfaces import Store
from scheduler_dispatcher import dispatcher_metrics
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.service_loop import seconds_to_next_look

logger = structlog.get_logger("scheduler.dispatcher")


class LatenessService:
    """Gives up runs whose queue_timeout_seconds, or total_timeout_seconds, are over while they wait for a worker."""

    name = "lateness"
    spacing_seconds = 0.05

    def __init__(self, store: Store, ringer: Ringer, *, batch: int, poll_interval_seconds: float) -> None:
        self._store = store
        self._ringer = ringer
        self._batch = batch
        self._poll_interval_seconds = poll_interval_seconds

    async def look(self) -> float:
        """Give up at most `batch` of them; see Service."""
        async with self._store.autocommit() as work:
            # A ring is seldom for this service: that there is nothing to do is one short statement.
            to_next = await work.task_runs.seconds_to_late()
            if to_next != 0.0:
                return seconds_to_next_look(0, self._batch, to_next, self._poll_interval_seconds)
            given_up, settlement = await work.task_runs.give_up_late(self._batch)
            to_next = await work.task_runs.seconds_to_late()
        if given_up:
            logger.info("runs not begun in time given up", runs=given_up)
            dispatcher_metrics.runs_late.add(given_up)
        if settlement.is_later:
            await self._ringer.ring_dispatchers()
        if settlement.released:
            dispatcher_metrics.runs_released.add(len(settlement.released))
            await self._ringer.ring_workers(settlement.released)
        return seconds_to_next_look(given_up, self._batch, to_next, self._poll_interval_seconds)
