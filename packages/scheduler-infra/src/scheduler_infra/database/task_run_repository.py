"""Runs in PostgreSQL: the hot path."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from scheduler_core.decisions.admission import Admission, admission
from scheduler_core.decisions.limit_rules import grant
from scheduler_core.decisions.time_zone import zone_data_version
from scheduler_core.errors import SessionFencedError, TaskRunNotFoundError
from scheduler_core.interfaces import Settlement, TaskRunRepository
from scheduler_core.interfaces.repository_answer import HoldingSession, LateRuns, SingleAnswer
from scheduler_core.models import (
    ClaimedRun,
    CommitRing,
    CreatedRun,
    FinishedRun,
    FlowPlan,
    FlowRequest,
    Lane,
    LimitKeyState,
    PauseReport,
    RunChange,
    RunKey,
    RunStatistics,
    SingleRun,
    TaskRun,
    TaskRunStatus,
    TaskVersion,
)
from scheduler_core.models.situation import RunFacts
from scheduler_infra.database.repository import PostgresRepository, Row, converted, json_text
from scheduler_infra.database.settlement import RunSettlement, created_run

# Each round looks at more than the one before and takes whom it refuses out of the way: this only bounds what
# dispatchers let through once more meanwhile.
_CLAIM_ROUNDS_MAX = 64
_LOOK_MIN, _LOOK_MAX = 16, 1024

_RUNS = """
SELECT run.id, run.task_id, tasks.name AS task_name, run.namespace, version.version AS task_version, run.flow_id,
       run.status, run.trigger, run.task_type, run.queue, run.priority, run.scheduled_at, run.interval_from,
       run.interval_to, run.trigger_rule, run.group_id, run.group_size, run.shard_index, run.shard_total, run.item,
       run.skip_reason, run.stale_since, run.stale_run_id, (run.background IS TRUE
       OR coalesce((version.dispatch_options -> 'background')::boolean, false)) AS background,
       assigned.worker_id AS assigned_worker_id, run.not_before, run.created_at, run.started_at,
       run.completed_at, run.attempt, run.failures, run.losses, run.max_retries, session.worker_id,
       run.cancel_requested, run.waiting_on, run.parameters, run.result, run.error, run.retry_of,
       run.start_before, run.end_before, coalesce(run.pause_requested, false) AS pause_requested, run.paused_at,
       CASE WHEN (run.progress ->> 'attempt')::integer = run.attempt THEN run.progress END AS progress
FROM scheduler.task_runs AS run
JOIN scheduler.tasks ON tasks.id = run.task_id
JOIN scheduler.task_versions AS version ON version.id = run.task_version_id
LEFT JOIN scheduler.worker_sessions AS session ON session.id = run.session_id
LEFT JOIN scheduler.worker_sessions AS assigned ON assigned.id = run.assigned_to
"""
# A run of the slot that has completed since has taken its place.
_STALE = """
 AND run.stale_since IS NOT NULL
 AND NOT EXISTS (SELECT FROM scheduler.task_runs AS later
                 WHERE later.task_id = run.task_id AND later.scheduled_at = run.scheduled_at AND later.id > run.id
                   AND later.interval_to IS NOT NULL AND later.group_id IS NULL AND later.status = 'COMPLETED')
"""


class PostgresTaskRunRepository(PostgresRepository, TaskRunRepository):
    """TaskRunRepository over one connection."""

    async def create_flows(self, requests: Sequence[FlowRequest], now: datetime | None = None) -> list[CreatedRun]:
        """See TaskRunRepository."""
        columns = {**_flow_arrays(requests), "zone_data": zone_data_version(), "now": now}
        if not any(member.retry_of for request in requests for member in request.plan.members):
            return [created_run(row) for row in await self._rows("create_flows", columns)]
        async with self._together():
            created = [created_run(row) for row in await self._rows("create_flows", columns)]
            await self._take_over(requests, created)
            return created

    async def _take_over(self, requests: Sequence[FlowRequest], created: Sequence[CreatedRun]) -> None:
        """A plan with runs that take over what earlier ones had is the only one, and made once."""
        (request,) = requests
        # In the order of the plan: a flow's runs get their ids so, its first run the first.
        made = list(zip(request.plan.members, sorted(run.run_id for run in created), strict=True))
        taking = [(member, run_id) for member, run_id in made if member.retry_of is not None]
        await self._rows(
            "take_over_runs",
            {
                "run_ids": [run_id for _, run_id in taking],
                "earlier_ids": [member.retry_of for member, _ in taking],
                "group_ids": [None if member.group is None else made[member.group][1] for member, _ in taking],
                "keeps_group": [member.keeps_group for member, _ in taking],
            },
        )

    async def create_single(
        self, wanted: Sequence[SingleRun], ring: CommitRing | None = None, ring_runs: int = 0
    ) -> SingleAnswer:
        """See TaskRunRepository."""
        numbered = [{"ordinal": ordinal, **msgspec.structs.asdict(run)} for ordinal, run in enumerate(wanted)]
        rows = await self._rows(
            "create_single_runs",
            {
                "wanted": json_text(numbered),
                "channel_prefix": ring and ring.channel_prefix,
                "payload": ring and ring.payload,
                "ring_runs": ring_runs,
            },
        )
        created: list[CreatedRun | None] = [None] * len(wanted)
        for row in rows:
            created[row["ordinal"]] = created_run(row)
        return SingleAnswer(created, is_rung=bool(rows) and rows[0]["is_rung"])

    async def claim(
        self,
        session_id: int,
        lanes: Sequence[Lane],
        limit: int,
        now: datetime | None = None,
        *,
        has_grants: bool = False,
    ) -> list[ClaimedRun]:
        """See TaskRunRepository."""
        claimed: list[ClaimedRun] = []
        look = limit
        for _ in range(_CLAIM_ROUNDS_MAX):
            wanted = _claim(session_id, lanes, limit - len(claimed), look, now)
            if not has_grants:
                rows = await self._rows("claim_runs", wanted)
                has_grants = bool(rows) and rows[0]["has_grants"]
            if has_grants:
                rows = await self._rows("claim_granted_runs", wanted)
            if not rows:
                raise SessionFencedError(session_id)
            limited = rows[0]["limited"]
            claimed += [_claimed(row) for row in rows if row["id"] is not None]
            if not limited:
                break
            permitted = await self._claim_limited(session_id, limited, limit - len(claimed), now)
            claimed += permitted
            # Who was refused, or taken by others meanwhile, stood before runs that can be taken instead.
            if len(permitted) == len(limited) or len(claimed) >= limit:
                break
            look = max(limit, min(max(2 * look, _LOOK_MIN), _LOOK_MAX))
        return claimed

    async def claim_along(
        self, session_id: int, lanes: Sequence[Lane], limit: int, now: datetime | None = None
    ) -> list[ClaimedRun]:
        """See TaskRunRepository."""
        rows = await self._rows("claim_runs", _claim(session_id, lanes, limit, limit, now))
        if not rows:
            raise SessionFencedError(session_id)
        return [_claimed(row) for row in rows if row["id"] is not None]

    async def _claim_limited(
        self, session_id: int, run_ids: list[int], limit: int, now: datetime | None
    ) -> list[ClaimedRun]:
        """The first `limit` of the runs that get all permits of theirs; who does not waits for its turn again."""
        async with self._together():
            locks = {"session_id": session_id, "run_ids": run_ids}
            key_ids = [row["id"] for row in await self._rows("lock_limit_keys", locks)]
            # A statement of its own: only a new snapshot has what the former holders of the locks have written.
            runs = await self._rows("lock_limited_runs", {**locks, "key_ids": key_ids})
            states = converted(await self._rows("limit_key_states", {"key_ids": key_ids, "now": now}), LimitKeyState)
            if not runs:
                return []
            keys = {key.id: key for key in states}
            grants = grant([(row["id"], row["limit_key_ids"]) for row in runs], keys, limit)
            rows = await self._rows(
                "claim_limited_runs",
                {
                    "session_id": session_id,
                    "key_ids": key_ids,
                    "granted": list(grants.granted),
                    "refused": list(grants.refused),
                    "token_keys": list(grants.tokens),
                    "tokens": list(grants.tokens.values()),
                    "now": max((key.now for key in states), default=now),
                },
            )
            return [_claimed(row) for row in rows]

    async def versions(self, task_version_ids: Sequence[int]) -> list[TaskVersion]:
        """See TaskRunRepository."""
        rows = await self._execute(
            "SELECT version.id, version.task_id, tasks.name AS task_name, tasks.namespace, version.version, "
            "version.task_type, version.parameters, version.timeout_seconds, version.max_retries, version.retry, "
            "version.flow_options, version.run_options "
            "FROM scheduler.task_versions AS version JOIN scheduler.tasks ON tasks.id = version.task_id "
            "WHERE version.id = ANY(%(ids)s)",
            {"ids": list(task_version_ids)},
        )
        return converted(rows, TaskVersion)

    async def finish(
        self, session_id: int, finished: Sequence[FinishedRun], now: datetime | None = None
    ) -> list[RunChange]:
        """See TaskRunRepository."""
        rows = await self._rows(
            "finish_runs",
            {
                "session_id": session_id,
                "run_ids": [run.run_id for run in finished],
                "attempts": [run.attempt for run in finished],
                "statuses": [run.status.value for run in finished],
                "results": [run.result for run in finished],
                "errors": [run.error for run in finished],
                "delays": [run.retry_delay_seconds for run in finished],
                "now": now,
            },
        )
        return _changes(session_id, rows)

    async def hand_back(
        self,
        session_id: int,
        runs: Sequence[RunKey],
        now: datetime | None = None,
        *,
        delay_seconds: float = 0.0,
    ) -> list[RunChange]:
        """See TaskRunRepository."""
        rows = await self._rows(
            "hand_back_runs",
            {
                "session_id": session_id,
                "run_ids": [run.run_id for run in runs],
                "attempts": [run.attempt for run in runs],
                "delay": delay_seconds,
                "now": now,
            },
        )
        return _changes(session_id, rows)

    async def settle(self, limit: int, run_ids: Sequence[int] | None = None, now: datetime | None = None) -> Settlement:
        """See TaskRunRepository."""
        if run_ids is not None:
            return await self._settled(list(run_ids), now)
        after_id, is_later = 0, False
        while True:
            ended = await self._unsettled(limit, after_id)
            settled = await self._settled(ended, now)
            is_later |= settled.is_later
            if settled.released:
                return Settlement(settled.released, is_later)
            if len(ended) < limit:
                left_waiting = await self._settled(await self._left_waiting(limit), now)
                return Settlement([], is_later or left_waiting.is_later)
            after_id = ended[-1]

    async def _settled(self, ended: list[int], now: datetime | None) -> Settlement:
        return await RunSettlement(self._connection, now).of_ended(ended)

    async def _unsettled(self, limit: int, after_id: int) -> list[int]:
        rows = await self._execute(
            "SELECT id FROM scheduler.task_runs WHERE needs_settlement AND status IN "
            "('COMPLETED', 'FAILED', 'TIMEOUT', 'CANCELLED', 'SKIPPED', 'QUARANTINED') AND id > %(after_id)s "
            "ORDER BY id LIMIT %(limit)s",
            {"limit": limit, "after_id": after_id},
        )
        return [row["id"] for row in rows]

    async def _left_waiting(self, limit: int) -> list[int]:
        """Runs that somebody has settled who knew nothing of the schedules that wait for their ends."""
        rows = await self._rows("left_waiting_runs", {"limit": limit})
        return [row["id"] for row in rows]

    async def admit(self, limit: int, now: datetime | None = None) -> list[CreatedRun]:
        """See TaskRunRepository."""
        async with self._together():
            rows = await self._rows("lock_admissible_runs", {"limit": limit, "now": now})
            decided = {row.pop("id"): admission(msgspec.convert(row, RunFacts)) for row in rows}
            changed = {run_id: what.value for run_id, what in decided.items() if what is not Admission.WAIT}
            if not changed:
                return []
            rows = await self._rows(
                "admit_runs", {"run_ids": list(changed), "admissions": list(changed.values()), "now": now}
            )
        return [created_run(row) for row in rows if row["status"] == "DISPATCHED"]

    async def seconds_to_next(self, now: datetime | None = None) -> float | None:
        """See TaskRunRepository."""
        rows = await self._execute(
            "SELECT extract(epoch FROM min(not_before) - coalesce(%(now)s::timestamptz, clock_timestamp()))"
            "::double precision AS seconds FROM scheduler.task_runs "
            "WHERE status = 'PENDING' AND waiting_on = 0 AND NOT held AND expands IS NOT TRUE AND gated IS NOT TRUE",
            {"now": now},
        )
        seconds: float | None = rows[0]["seconds"]
        return None if seconds is None else max(0.0, seconds)

    async def cancel(self, run_ids: Sequence[int], now: datetime | None = None) -> list[RunChange]:
        """See TaskRunRepository."""
        changes: list[RunChange] = []
        ids = list(run_ids)
        async with self._together():
            while ids:
                rows = await self._rows("cancel_runs", {"run_ids": ids, "now": now})
                changes = changes or [_change(row) for row in rows]
                # Read after the groups are locked: none gets runs any more that would be overlooked.
                ids = await self._active_members([row["run_id"] for row in rows if row["is_group"]])
        return changes

    async def ask_for_pause(self, run_id: int, *, pause: bool) -> HoldingSession | None:
        """See TaskRunRepository."""
        rows = await self._rows("ask_for_pause", {"run_ids": [run_id], "pause": pause})
        if not rows:
            return None
        row = rows[0]
        return HoldingSession(TaskRunStatus(row["status"]), row["session_id"], row["cancel_requested"])

    async def report_pauses(
        self, session_id: int, reports: Mapping[RunKey, PauseReport], now: datetime | None = None
    ) -> None:
        """See TaskRunRepository."""
        rows = await self._rows(
            "report_pauses",
            {
                "session_id": session_id,
                "run_ids": [key.run_id for key in reports],
                "attempts": [key.attempt for key in reports],
                "verdicts": [report.value for report in reports.values()],
                "now": now,
            },
        )
        if not rows:
            raise SessionFencedError(session_id)

    async def give_up_late(self, limit: int, now: datetime | None = None) -> LateRuns:
        """See TaskRunRepository."""
        # Not together: who changes a task locks it before its runs, and what is not settled now is later.
        rows = await self._rows("give_up_late_runs", {"limit": limit, "now": now})
        settlement = await self._settled([row["id"] for row in rows if row["needs_settlement"]], now)
        return LateRuns(len(rows), settlement)

    async def seconds_to_late(self, now: datetime | None = None) -> float | None:
        """See TaskRunRepository."""
        rows = await self._execute(
            "SELECT extract(epoch FROM min(start_before) - coalesce(%(now)s::timestamptz, clock_timestamp()))"
            "::double precision AS seconds FROM scheduler.task_runs WHERE start_before IS NOT NULL "
            "AND CASE status WHEN 'PENDING' THEN true WHEN 'DISPATCHED' THEN true ELSE false END",
            {"now": now},
        )
        seconds: float | None = rows[0]["seconds"]
        return None if seconds is None else max(0.0, seconds)

    async def _active_members(self, group_ids: Sequence[int]) -> list[int]:
        if not group_ids:
            return []
        rows = await self._execute(
            "SELECT id FROM scheduler.task_runs WHERE group_id = ANY(%(group_ids)s) AND NOT cancel_requested "
            "AND status IN ('PENDING', 'DISPATCHED', 'RUNNING') ORDER BY id",
            {"group_ids": list(group_ids)},
        )
        return [row["id"] for row in rows]

    async def active(self, task_ids: Sequence[int]) -> list[tuple[int, int]]:
        """See TaskRunRepository."""
        rows = await self._rows("active_runs", {"task_ids": list(task_ids)})
        return [(row["task_id"], row["run_id"]) for row in rows]

    async def lock_active(self, task_ids: Sequence[int]) -> list[tuple[int, int]]:
        """See TaskRunRepository."""
        seen = [run_id for _, run_id in await self.active(task_ids)]
        rows = await self._rows("lock_active_runs", {"run_ids": seen}) if seen else []
        return sorted(((row["task_id"], row["run_id"]) for row in rows), key=lambda pair: pair[1])

    async def keep(self, run_id: int) -> TaskRun:
        """See TaskRunRepository."""
        await self._execute(
            "SELECT id FROM scheduler.task_runs WHERE id = %(run_id)s FOR KEY SHARE", {"run_id": run_id}
        )
        return await self.get(run_id)

    async def sessions_of(self, run_ids: Sequence[int]) -> list[int]:
        """See TaskRunRepository."""
        rows = await self._execute(
            "WITH RECURSIVE whole(id) AS (SELECT unnest(%(run_ids)s::bigint[]) UNION SELECT run.id FROM whole "
            "JOIN scheduler.task_runs AS run ON run.group_id = whole.id AND run.status IN ('PENDING', 'RUNNING')) "
            "SELECT DISTINCT run.session_id FROM whole JOIN scheduler.task_runs AS run ON run.id = whole.id "
            "WHERE run.status = 'RUNNING'",
            {"run_ids": list(run_ids)},
        )
        return [row["session_id"] for row in rows]

    async def get(self, run_id: int) -> TaskRun:
        """See TaskRunRepository."""
        for run in await self.get_many([run_id]):
            return run
        raise TaskRunNotFoundError(run_id)

    async def get_many(self, run_ids: Sequence[int]) -> list[TaskRun]:
        """See TaskRunRepository."""
        rows = await self._execute(
            _RUNS + "WHERE run.id = ANY(%(run_ids)s) ORDER BY run.id", {"run_ids": list(run_ids)}
        )
        return converted(rows, TaskRun)

    async def page(
        self,
        *,
        namespace: str | None = None,
        task_id: int | None = None,
        flow_id: int | None = None,
        group_id: int | None = None,
        statuses: Sequence[TaskRunStatus] = (),
        stale: bool = False,
        before_id: int | None = None,
        limit: int = 50,
    ) -> list[TaskRun]:
        """See TaskRunRepository."""
        # Only the conditions that are asked for stand in the statement: each combination has its own good plan.
        where = "WHERE true"
        if namespace is not None:
            where += " AND run.namespace = %(namespace)s"
        if task_id is not None:
            where += " AND run.task_id = %(task_id)s"
        if flow_id is not None:
            # A root's flow id is its own id, which the index on flow_id leaves out.
            where += " AND (run.id = %(flow_id)s OR (run.flow_id = %(flow_id)s AND run.flow_id <> run.id))"
        if group_id is not None:
            where += " AND run.group_id = %(group_id)s"
        if statuses:
            where += " AND run.status = ANY(%(statuses)s)"
        if stale:
            where += _STALE
        if before_id is not None:
            where += " AND run.id < %(before_id)s"
        rows = await self._execute(
            _RUNS + where + " ORDER BY run.id DESC LIMIT %(limit)s",
            {
                "namespace": namespace,
                "task_id": task_id,
                "flow_id": flow_id,
                "group_id": group_id,
                "statuses": [status.value for status in statuses],
                "before_id": before_id,
                "limit": limit,
            },
        )
        return converted(rows, TaskRun)

    async def statistics(self, task_id: int, days: int, now: datetime | None = None) -> RunStatistics:
        """See TaskRunRepository."""
        rows = await self._rows("run_statistics", {"task_id": task_id, "days": days, "now": now})
        row = rows[0]
        ended = sum(row["by_status"].get(status, 0) for status in ("COMPLETED", "FAILED", "TIMEOUT", "QUARANTINED"))
        rate = row["by_status"].get("COMPLETED", 0) / ended if ended else None
        return RunStatistics(**row, success_rate=rate)


def _flow_arrays(requests: Sequence[FlowRequest]) -> dict[str, list[Any]]:
    """The requests as columns; a plan that several requests share is sent once."""
    numbers: dict[int, int] = {}
    plans: list[FlowPlan] = []
    for request in requests:
        if id(request.plan) not in numbers:
            numbers[id(request.plan)] = len(plans)
            plans.append(request.plan)
    members = [
        (number, position, member) for number, plan in enumerate(plans) for position, member in enumerate(plan.members)
    ]
    awaited = [(ordinal, run_id) for ordinal, request in enumerate(requests, 1) for run_id in request.after_runs]
    edges = [(number, up, down) for number, plan in enumerate(plans) for up, down in plan.edges]
    given = [(number, run_id, down) for number, plan in enumerate(plans) for run_id, down in plan.given]
    return {
        "member_plans": [number for number, _, _ in members],
        "member_positions": [position for _, position, _ in members],
        "member_tasks": [member.task_id for _, _, member in members],
        "member_versions": [member.task_version_id for _, _, member in members],
        "member_statuses": [member.status.value for _, _, member in members],
        "member_waiting_on": [member.waiting_on for _, _, member in members],
        "member_needs_settlement": [member.needs_settlement for _, _, member in members],
        "member_trigger_rules": [member.trigger_rule for _, _, member in members],
        "member_upstreams": [member.upstreams if member.trigger_rule else 0 for _, _, member in members],
        "member_expands": [member.expands for _, _, member in members],
        "member_is_tolerated": [member.is_tolerated for _, _, member in members],
        "member_successes": [member.given_successes for _, _, member in members],
        "member_failures": [member.given_failures for _, _, member in members],
        "member_skips": [member.given_skips for _, _, member in members],
        "member_retry_of": [member.retry_of for _, _, member in members],
        "edge_plans": [number for number, _, _ in edges],
        "edge_upstreams": [up for _, up, _ in edges],
        "edge_downstreams": [down for _, _, down in edges],
        "flow_plans": [numbers[id(request.plan)] for request in requests],
        "flow_copies": [request.copies for request in requests],
        "flow_triggers": [request.trigger.value for request in requests],
        "flow_scheduled_at": [request.scheduled_at for request in requests],
        "flow_not_before": [request.not_before for request in requests],
        "flow_slots": [request.slot for request in requests],
        "flow_parameters": [request.parameters for request in requests],
        "flow_retry_of": [request.retry_of for request in requests],
        "flow_traces": [request.trace_context for request in requests],
        "flow_interval_from": [request.interval_from for request in requests],
        "flow_interval_to": [request.interval_to for request in requests],
        "given_plans": [number for number, _, _ in given],
        "given_runs": [run_id for _, run_id, _ in given],
        "given_downstreams": [down for _, _, down in given],
        "flow_background": [request.background for request in requests],
        "flow_ids": [request.flow_id for request in requests],
        "flow_group_ids": [request.group_id for request in requests],
        "flow_awaited_counts": [len(request.after_runs) for request in requests],
        "awaited_flows": [ordinal for ordinal, _ in awaited],
        "awaited_runs": [run_id for _, run_id in awaited],
    }


def _claim(session_id: int, lanes: Sequence[Lane], limit: int, look: int, now: datetime | None) -> dict[str, Any]:
    return {
        "session_id": session_id,
        "queues": [lane.queue for lane in lanes],
        "task_types": [lane.task_type for lane in lanes],
        "limit": limit,
        "look": look,
        "now": now,
    }


def _claimed(row: Row) -> ClaimedRun:
    row.pop("limited", None)
    row.pop("has_grants", None)
    return ClaimedRun(**row)


def _changes(session_id: int, rows: list[Row]) -> list[RunChange]:
    if not rows:
        raise SessionFencedError(session_id)
    return [_change(row) for row in rows if row["run_id"] is not None]


def _change(row: Row) -> RunChange:
    return RunChange(
        row["run_id"],
        TaskRunStatus(row["status"]),
        row.get("needs_settlement", False),
        row.get("is_gated", False),
    )
