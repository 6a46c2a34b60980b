"""The way of gated runs to their workers. All but `set_strategy` belong to a transaction that holds the window."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from scheduler_core.models import CreatedRun
from scheduler_core.models.dispatch import GatedRun, KeyedRun, TakenBack, WindowFacts, WindowPlan, WindowWork


class DispatchRepository(Protocol):
    """Gated runs: sorted into streams, and let through windows."""

    async def hold_window(self, now: datetime | None = None) -> WindowWork | None:
        """Take the window until the commit and say what there is to do; None when another dispatcher has it."""

    async def gated(
        self, limit: int, now: datetime | None = None, *, but: Sequence[int] = (), only: Sequence[int] = ()
    ) -> list[GatedRun]:
        """Lock up to `limit` gated runs that wait for nothing but their turn and are in no stream, oldest first.

        `but` leaves out those of these versions of tasks, `only` takes no others.
        Runs of tasks that are not ACTIVE are left to TaskRunRepository.admit, runs that others hold to the next call.
        """

    async def sort(self, runs: Sequence[KeyedRun], now: datetime | None = None) -> list[int]:
        """Put locked runs into their streams, which are made where they are new, and fail those with an error.

        Returns the failed ones that somebody waits for.
        """

    async def recall(
        self, timeout_seconds: float, now: datetime | None = None, *, ahead_seconds: float | None = None
    ) -> list[TakenBack]:
        """Take back claimable gated runs that nobody has claimed for so long, or whose session does not take them.

        What is granted to a session whose places are full of runs is taken back after `ahead_seconds` (None: no sooner
        than from others). They wait in their streams again. Told is of each session that had some, in ascending
        order of id, how many they were, and whether it had let one wait for `timeout_seconds` although it had room.
        """

    async def facts(self, now: datetime | None = None) -> WindowFacts:
        """All streams with waiting or claimable runs, and all that decides what is released of them."""

    async def heads(
        self,
        wanted: Mapping[int, int],
        now: datetime | None = None,
        *,
        since: Mapping[int, tuple[datetime, int]] | None = None,
    ) -> dict[int, list[tuple[int, datetime]]]:
        """Of each of these streams as many waiting runs, in their order, as (run id, claim_at).

        Of a stream that `since` names, those from this (claim_at, run id) on: whoever knows them of the first one saves
        the way over what is granted.
        """

    async def release(self, plan: WindowPlan, now: datetime | None = None) -> list[tuple[CreatedRun, int | None]]:
        """Carry out a plan. Returns the runs that are claimable now, each with the session that it is meant for."""

    async def set_strategy(self, strategy: str) -> None:
        """Tell whoever makes runs which strategy the dispatchers are set to."""

    async def forget(self, limit: int, now: datetime | None = None) -> int:
        """Remove up to `limit` streams and keys of limits that nothing uses any more; returns how many.

        A key goes when no stream names it, no run holds a permit of it and its bucket is full again.
        """
