"""What a store must tell so that it can be explained why something runs or does not."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from scheduler_core.models.dispatch import Release
from scheduler_core.models.situation import Claims, RunSituation, SystemFacts, TaskSituation
from scheduler_core.models.turn import TurnSituation


class ExplanationRepository(Protocol):
    """The facts that decisions follow from. Nothing is locked or changed."""

    async def runs(self, run_ids: Sequence[int], now: datetime | None = None) -> list[RunSituation]:
        """The situations of these runs, each as of one moment, in ascending id order; unknown ids are left out."""

    async def turns(self, run_ids: Sequence[int], now: datetime | None = None) -> list[TurnSituation]:
        """What the turns of those of these runs depend on that are gated and have not begun, in ascending id order."""

    async def claims(
        self,
        run_ids: Sequence[int],
        *,
        with_pending: bool,
        releases: Sequence[Release] = (),
        places: Mapping[int, datetime] | None = None,
        now: datetime | None = None,
    ) -> list[Claims]:
        """Which runs the live sessions will take before each of these runs.

        `with_pending` counts those among them that a dispatcher is about to admit, gated ones aside, which are those of
        `releases`. `places` gives runs another place in the order of claims than they have.
        """

    async def system(self, now: datetime | None = None) -> SystemFacts:
        """The dispatchers and the live sessions."""

    async def task(self, task_id: int) -> TaskSituation:
        """When a task runs next, and what waits; raises TaskNotFoundError."""
