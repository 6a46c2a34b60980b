"""Flows and groups in PostgreSQL, as they are looked at."""

from collections.abc import Sequence

from scheduler_core.interfaces import FlowViewRepository
from scheduler_core.models.flow_view import (
    FlowFacts,
    FlowNode,
    FlowRoot,
    FlowSize,
    FlowViewEdge,
    GroupSummary,
    MemberPlace,
)
from scheduler_infra.database.repository import PostgresRepository, converted

_ID_MAX = 2**63 - 1
_BEFORE_THE_FIRST = MemberPlace(-1, 0)


class PostgresFlowViewRepository(PostgresRepository, FlowViewRepository):
    """FlowViewRepository over one connection."""

    async def roots(
        self, *, namespace: str | None = None, task_id: int | None = None, before_id: int | None = None, limit: int = 50
    ) -> list[FlowRoot]:
        """See FlowViewRepository."""
        parameters = {"before_id": _ID_MAX if before_id is None else before_id, "limit": limit}
        if task_id is not None:
            rows = await self._rows("flow_roots_of_task", {"task_id": task_id, **parameters})
        else:
            rows = await self._rows("flow_roots", {"namespace": namespace, **parameters})
        return [FlowRoot(**row) for row in rows]

    async def facts(self, flow_ids: Sequence[int]) -> list[FlowFacts]:
        """See FlowViewRepository."""
        return converted(await self._rows("flow_facts", {"flow_ids": list(flow_ids)}), FlowFacts)

    async def nodes(self, flow_id: int, limit: int) -> list[FlowNode]:
        """See FlowViewRepository."""
        return converted(await self._rows("flow_nodes", {"flow_id": flow_id, "limit": limit}), FlowNode)

    async def edges(self, run_ids: Sequence[int], limit: int) -> list[FlowViewEdge]:
        """See FlowViewRepository."""
        return converted(await self._rows("flow_edges", {"run_ids": list(run_ids), "limit": limit}), FlowViewEdge)

    async def size(self, flow_id: int) -> FlowSize:
        """See FlowViewRepository."""
        (row,) = await self._rows("flow_size", {"flow_id": flow_id})
        return FlowSize(**row)

    async def unfinished(self, flow_id: int) -> list[int]:
        """See FlowViewRepository."""
        return [row["id"] for row in await self._rows("flow_unfinished", {"flow_id": flow_id})]

    async def group(self, run_id: int) -> GroupSummary | None:
        """See FlowViewRepository."""
        rows = [row for row in await self._rows("flow_group", {"run_id": run_id}) if row["group"] is not None]
        return converted([row["group"] for row in rows], GroupSummary)[0] if rows else None

    async def members(self, group_id: int, after: MemberPlace | None, limit: int) -> list[MemberPlace]:
        """See FlowViewRepository."""
        place = after or _BEFORE_THE_FIRST
        rows = await self._rows("flow_members", {"group_id": group_id, **place._asdict(), "limit": limit})
        return [MemberPlace(**row) for row in rows]
