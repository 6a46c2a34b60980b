"""Dependencies on intervals whose deadline passes, and what nobody has told those that wait."""

from typing import Final

import structlog

from scheduler_core.decisions.interval_text import interval_words
from scheduler_core.interfaces import Clock, Settlement, Store
from scheduler_core.interfaces.interval_repository import Overdue, SweepPlace
from scheduler_core.models.interval_wait import OverdueWait, WaitState
from scheduler_dispatcher import dispatcher_metrics
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.service_loop import seconds_to_next_look

logger = structlog.get_logger("scheduler.dispatcher")

_TOLD_MAX: Final = 20
"""How many overdue dependencies one look names in the log."""


class DeadlineService:
    """Ends the waiting for intervals at its deadline, and finds slots that will never get a run.

    The ends of runs are told by who settles them. The sweep, one batch each poll interval, is for the rest.
    """

    name = "deadlines"
    spacing_seconds = 0.05

    def __init__(self, store: Store, ringer: Ringer, clock: Clock, *, batch: int, poll_interval_seconds: float) -> None:
        self._store = store
        self._ringer = ringer
        self._clock = clock
        self._batch = batch
        self._poll_interval_seconds = poll_interval_seconds
        self._next_sweep = clock.monotonic()
        self._place = SweepPlace()

    async def look(self) -> float:
        """End up to `batch` dependencies, and sweep as many when it is time; see Service."""
        async with self._store.autocommit() as work:
            # A ring is seldom for this service: that there is nothing to do is one short statement.
            to_next = await work.intervals.seconds_to_deadline()
            waits, settlement = Overdue([], Settlement([]))
            if to_next == 0.0:
                waits, settlement = await work.intervals.end_overdue(self._batch)
                to_next = await work.intervals.seconds_to_deadline()
        _tell(waits)
        await self._ring(settlement, is_ended=any(wait.state is WaitState.UNMET for wait in waits))
        if self._clock.monotonic() >= self._next_sweep:
            await self._sweep()
        to_sweep = max(0.0, self._next_sweep - self._clock.monotonic())
        return min(seconds_to_next_look(len(waits), self._batch, to_next, self._poll_interval_seconds), to_sweep)

    async def _sweep(self) -> None:
        async with self._store.autocommit() as work:
            settlement, next_place = await work.intervals.sweep(self._batch, self._place)
        self._place = next_place or SweepPlace()
        if next_place is None:
            self._next_sweep = self._clock.monotonic() + self._poll_interval_seconds
        await self._ring(settlement, is_ended=False)

    async def _ring(self, settlement: Settlement, *, is_ended: bool) -> None:
        if settlement.is_later or is_ended:
            await self._ringer.ring_dispatchers()
        if settlement.released:
            dispatcher_metrics.runs_released.add(len(settlement.released))
            await self._ringer.ring_workers(settlement.released)


def _tell(waits: list[OverdueWait]) -> None:
    for state in {wait.state for wait in waits}:
        number = sum(wait.state is state for wait in waits)
        dispatcher_metrics.waits_overdue.add(number, {"state": state.value})
    for wait in [wait for wait in waits if wait.state is WaitState.OVERDUE][:_TOLD_MAX]:
        logger.warning("run waits beyond its deadline", run_id=wait.run_id, waits_for=interval_words(wait.dependency))
