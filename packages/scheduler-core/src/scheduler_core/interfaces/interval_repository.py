"""What a store must do for runs that wait for intervals of other schedules."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from scheduler_core.interfaces.repository_answer import Settlement
from scheduler_core.models.interval_wait import DependentRun, IntervalSource, IntervalWait, NewWait, OverdueWait


class SweepPlace(NamedTuple):
    """Up to where the open dependencies have been swept."""

    run_id: int = 0
    position: int = -1


class Sweep(NamedTuple):
    """What a sweep led to; `next_place` None: it has come to the end."""

    settlement: Settlement
    next_place: SweepPlace | None


class Overdue(NamedTuple):
    """The dependencies whose deadline has passed, and what that led to."""

    waits: list[OverdueWait]
    settlement: Settlement


class IntervalRepository(Protocol):
    """Dependencies on intervals, from the slots they wait for to their end."""

    async def sources(self, task_ids: Sequence[int]) -> list[IntervalSource]:
        """The dependencies on intervals of these tasks, in ascending order of task and place."""

    async def create_waits(self, waits: Sequence[NewWait], now: datetime | None = None) -> Settlement:
        """Let runs that this transaction has just made wait, as far as what they wait for has not come yet.

        The runs that stand for the awaited slots are locked until the commit, so that none of them ends unseen. A run
        that waits for nothing then is released, one whose dependency can never be met goes as that says.
        """

    async def waits(self, run_ids: Sequence[int]) -> list[IntervalWait]:
        """What these runs wait for, or have waited for, in ascending order of run and place."""

    async def end_overdue(self, limit: int, now: datetime | None = None) -> Overdue:
        """Do with up to `limit` open dependencies whose deadline has passed what they ask for."""

    async def seconds_to_deadline(self, now: datetime | None = None) -> float | None:
        """Seconds by the database's clock until the next deadline (0 when late); None when there is none."""

    async def sweep(self, limit: int, after: SweepPlace = SweepPlace(), now: datetime | None = None) -> Sweep:  # noqa: B008 - frozen
        """Look at up to `limit` open dependencies for what nobody has told: slots without a run, and ended runs."""

    async def dependents_of(self, run_id: int, limit: int) -> list[DependentRun]:
        """Ended runs that had waited for the slot that this run stands for, newest first."""
