"""Flows in PostgreSQL: what their runs may know, and how they grow."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from scheduler_core.decisions.expansion_verdict import verdict_of
from scheduler_core.interfaces import FlowRepository, Settlement
from scheduler_core.models import (
    CreatedRun,
    FlowRequest,
    RunInputs,
    RunTrigger,
    SkipReason,
    TaskRunStatus,
    UpstreamRun,
)
from scheduler_core.models.expansion import ExpandableRun, Expansion
from scheduler_core.models.rerun import FlowEdge, FlowRun
from scheduler_core.models.settlement import RunVerdict
from scheduler_infra.database.repository import PostgresRepository, Row, converted
from scheduler_infra.database.settlement import RunSettlement, created_run
from scheduler_infra.database.task_run_repository import PostgresTaskRunRepository

_SLICE = 10_000
"""How many runs one statement makes."""
INPUT_BYTES_MAX = 64 * 1024 * 1024
"""How much the results upstream of one run may be in all, as JSON."""
ORPHAN_PATIENCE_SECONDS = 60.0
"""How long a broadcast run waits for its worker to come back."""


class PostgresFlowRepository(PostgresRepository, FlowRepository):
    """FlowRepository over one connection."""

    async def inputs(self, run_ids: Sequence[int]) -> dict[int, RunInputs]:
        """See FlowRepository."""
        # A run of a group knows what the group knows; that is read, and kept, once for all of them.
        owners = {
            row["id"]: row["owner_id"]
            for row in await self._execute(
                "SELECT id, CASE WHEN shard_index IS NOT NULL THEN group_id ELSE id END AS owner_id "
                "FROM scheduler.task_runs WHERE id = ANY(%(run_ids)s)",
                {"run_ids": list(run_ids)},
            )
        }
        upstream: dict[int, list[UpstreamRun]] = defaultdict(list)
        refused: dict[int, int] = {}
        for row in await self._rows(
            "run_inputs", {"owner_ids": sorted(set(owners.values())), "bytes_max": INPUT_BYTES_MAX}
        ):
            upstream[row["owner_id"]].append(_upstream(row))
            if row["bytes"] > INPUT_BYTES_MAX:
                refused[row["owner_id"]] = row["bytes"]
        known = {owner: tuple(runs) for owner, runs in upstream.items()}
        return {
            run_id: RunInputs(
                run_id=run_id,
                upstream=known.get(owners.get(run_id, run_id), ()),
                bytes_refused=refused.get(owners.get(run_id, run_id)),
            )
            for run_id in run_ids
        }

    async def upstream_of(self, run_id: int) -> list[int]:
        """See FlowRepository."""
        rows = await self._execute(
            "SELECT upstream_run_id FROM scheduler.task_run_dependencies "
            "WHERE run_id = %(run_id)s AND NOT regardless ORDER BY upstream_run_id",
            {"run_id": run_id},
        )
        return [row["upstream_run_id"] for row in rows]

    async def take_expandable(self, limit: int, now: datetime | None = None) -> list[ExpandableRun]:
        """See FlowRepository."""
        return converted(await self._rows("take_expandable", {"limit": limit, "now": now}), ExpandableRun)

    async def expand(self, expansions: Sequence[Expansion], now: datetime | None = None) -> Settlement:
        """See FlowRepository."""
        async with self._together():
            created = await self._make_members([each for each in expansions if each.members is not None], now)
            created += await self._make_flows([each for each in expansions if each.plan is not None], now)
            verdicts = [verdict for each in expansions if (verdict := verdict_of(each)) is not None]
            settlement = await RunSettlement(self._connection, now).of_verdicts(verdicts)
        claimable = [run for run in created if run.status == "DISPATCHED"]
        is_later = settlement.is_later or len(claimable) < len(created)
        return Settlement([*claimable, *settlement.released], is_later)

    async def seconds_to_expansion(self, now: datetime | None = None) -> float | None:
        """See FlowRepository."""
        rows = await self._execute(
            "SELECT extract(epoch FROM min(not_before) - coalesce(%(now)s::timestamptz, clock_timestamp()))"
            "::double precision AS seconds FROM scheduler.task_runs AS run "
            "JOIN scheduler.tasks ON tasks.id = run.task_id AND tasks.status = 'ACTIVE' "
            "WHERE run.status = 'PENDING' AND waiting_on = 0 AND expands AND NOT held",
            {"now": now},
        )
        seconds: float | None = rows[0]["seconds"]
        return None if seconds is None else max(0.0, seconds)

    async def give_up_orphans(self, limit: int = 1000, now: datetime | None = None) -> Settlement:
        """See FlowRepository."""
        async with self._together():
            rows = await self._rows(
                "orphaned_broadcasts", {"limit": limit, "patience": ORPHAN_PATIENCE_SECONDS, "now": now}
            )
            return await RunSettlement(self._connection, now).of_verdicts([_given_up(row["id"]) for row in rows])

    async def _make_members(self, expansions: Sequence[Expansion], now: datetime | None) -> list[CreatedRun]:
        if not expansions:
            return []
        wide = [(each, index, member) for each in expansions for index, member in enumerate(each.members or ())]
        created: list[CreatedRun] = []
        for start in range(0, len(wide), _SLICE):
            part = wide[start : start + _SLICE]
            rows = await self._rows(
                "make_members",
                {
                    "group_ids": [each.run_id for each, _, _ in part],
                    "indexes": [index for _, index, _ in part],
                    "totals": [len(each.members or ()) for each, _, _ in part],
                    "items": [member.item for _, _, member in part],
                    "queues": [member.queue for _, _, member in part],
                    "claimable": [each.max_parallel is None or index < each.max_parallel for each, index, _ in part],
                    "now": now,
                },
            )
            created += [created_run(row) for row in rows if row["status"] == "DISPATCHED"]
        await self._open_groups({each.run_id: len(each.members or ()) for each in expansions}, now)
        return created

    async def _make_flows(self, expansions: Sequence[Expansion], now: datetime | None) -> list[CreatedRun]:
        if not expansions:
            return []
        heads = await self._execute(
            "SELECT id, flow_id, scheduled_at, trace_context, interval_from, interval_to FROM scheduler.task_runs "
            "WHERE id = ANY(%(ids)s)",
            {"ids": [each.run_id for each in expansions]},
        )
        plans = {each.run_id: each.plan for each in expansions if each.plan is not None}
        created = await PostgresTaskRunRepository(self._connection).create_flows(
            [_request(head, plans[head["id"]]) for head in heads], now
        )
        await self._open_groups({run_id: len(plan.members) for run_id, plan in plans.items()}, now)
        return [run for run in created if run.status == "DISPATCHED" or run.run_id == run.flow_id]

    async def _open_groups(self, sizes: dict[int, int], now: datetime | None) -> None:
        await self._rows("open_groups", {"group_ids": list(sizes), "sizes": list(sizes.values()), "now": now})

    async def lock_runs(self, flow_id: int) -> list[FlowRun]:
        """See FlowRepository."""
        rows = await self._execute(
            "SELECT run.id, run.task_id, tasks.name AS task_name, run.status, run.skip_reason, run.trigger_rule, "
            "run.group_id, run.group_size, run.shard_index, run.namespace "
            "FROM scheduler.task_runs AS run JOIN scheduler.tasks ON tasks.id = run.task_id "
            "WHERE run.id = %(flow_id)s AND run.flow_id = %(flow_id)s "
            "OR run.flow_id = %(flow_id)s AND run.flow_id <> run.id ORDER BY run.id FOR NO KEY UPDATE OF run",
            {"flow_id": flow_id},
        )
        return converted(rows, FlowRun)

    async def edges(self, flow_id: int) -> list[FlowEdge]:
        """See FlowRepository."""
        rows = await self._execute(
            "SELECT edge.upstream_run_id, edge.run_id, edge.tolerant, upstream.status AS upstream_status, "
            "upstream.skip_reason AS upstream_skip_reason FROM scheduler.task_run_dependencies AS edge "
            "JOIN scheduler.task_runs AS run ON run.id = edge.run_id "
            "JOIN scheduler.task_runs AS upstream ON upstream.id = edge.upstream_run_id "
            "WHERE (run.id = %(flow_id)s OR (run.flow_id = %(flow_id)s AND run.flow_id <> run.id)) "
            "AND NOT edge.regardless ORDER BY edge.run_id, edge.upstream_run_id",
            {"flow_id": flow_id},
        )
        return converted(rows, FlowEdge)


def _given_up(run_id: int) -> RunVerdict:
    return RunVerdict(
        run_id=run_id,
        status=TaskRunStatus.SKIPPED,
        skip_reason=SkipReason.WORKER_GONE,
        error="Not run: the worker that it was meant for ended before it took it.",
    )


def _upstream(row: Row) -> UpstreamRun:
    results: list[Any] | None = row["results"]
    return UpstreamRun(
        task_name=row["task_name"],
        run_id=row["upstream_run_id"],
        status=TaskRunStatus(row["status"]),
        result=row["result"],
        results=None if results is None else tuple(results),
    )


def _request(head: Row, plan: Any) -> FlowRequest:
    return FlowRequest(
        plan=plan,
        trigger=RunTrigger.DEPENDENCY,
        scheduled_at=head["scheduled_at"],
        trace_context=head["trace_context"],
        interval_from=head["interval_from"],
        interval_to=head["interval_to"],
        flow_id=head["flow_id"],
        group_id=head["id"],
    )
