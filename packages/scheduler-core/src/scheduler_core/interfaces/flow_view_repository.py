"""What a store must tell of flows and groups to those who look at them."""

from collections.abc import Sequence
from typing import Protocol

from scheduler_core.models.flow_view import (
    FlowFacts,
    FlowNode,
    FlowRoot,
    FlowSize,
    FlowViewEdge,
    GroupSummary,
    MemberPlace,
)


class FlowViewRepository(Protocol):
    """Flows as they are looked at: read without locks."""

    async def roots(
        self, *, namespace: str | None = None, task_id: int | None = None, before_id: int | None = None, limit: int = 50
    ) -> list[FlowRoot]:
        """The next `limit` runs that may be what is looked for, newest first; fewer: there are no more."""

    async def facts(self, flow_ids: Sequence[int]) -> list[FlowFacts]:
        """How these flows stand, newest first; ids of what is no root run are left out."""

    async def nodes(self, flow_id: int, limit: int) -> list[FlowNode]:
        """The flow's runs in ascending order, of groups only the runs of sub-flows."""

    async def edges(self, run_ids: Sequence[int], limit: int) -> list[FlowViewEdge]:
        """What these runs wait or waited for, in ascending order of the runs, then of what they wait for."""

    async def size(self, flow_id: int) -> FlowSize:
        """How many there are in all of what `nodes` and `edges` give."""

    async def unfinished(self, flow_id: int) -> list[int]:
        """Runs of the flow that are neither final nor about to be cancelled, in ascending order."""

    async def group(self, run_id: int) -> GroupSummary | None:
        """The group that a run stands for, if it does."""

    async def members(self, group_id: int, after: MemberPlace | None, limit: int) -> list[MemberPlace]:
        """The runs of a group behind `after`, in the order of their index, then of their id."""
