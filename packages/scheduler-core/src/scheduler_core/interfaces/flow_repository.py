"""What a store must do for flows that grow while they run."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from scheduler_core.interfaces.repository_answer import Settlement
from scheduler_core.models import RunInputs
from scheduler_core.models.expansion import ExpandableRun, Expansion
from scheduler_core.models.rerun import FlowEdge, FlowRun


class FlowRepository(Protocol):
    """Runs as parts of their flows."""

    async def inputs(self, run_ids: Sequence[int]) -> dict[int, RunInputs]:
        """What each of these runs may know of the runs directly upstream of it; all ids are in the answer."""

    async def upstream_of(self, run_id: int) -> list[int]:
        """The runs that this one has waited for within its flow, in ascending order."""

    async def take_expandable(self, limit: int, now: datetime | None = None) -> list[ExpandableRun]:
        """Lock up to `limit` runs that wait for nothing but to be expanded, oldest first.

        Runs and tasks that others hold are stepped over; runs of tasks that are paused are left out.
        """

    async def expand(self, expansions: Sequence[Expansion], now: datetime | None = None) -> Settlement:
        """Do what was decided for runs that `take_expandable` has locked in this transaction."""

    async def seconds_to_expansion(self, now: datetime | None = None) -> float | None:
        """Seconds by the database's clock until the next run can be expanded; None when none is waiting for that."""

    async def give_up_orphans(self, limit: int = 1000, now: datetime | None = None) -> Settlement:
        """Skip broadcast runs that nobody has begun and whose worker has been gone for a minute."""

    async def lock_runs(self, flow_id: int) -> list[FlowRun]:
        """All runs of a flow in ascending order, locked against change until the commit; none: no such flow."""

    async def edges(self, flow_id: int) -> list[FlowEdge]:
        """Who waited for whom in a flow, without what waits for the runs of earlier slots."""
