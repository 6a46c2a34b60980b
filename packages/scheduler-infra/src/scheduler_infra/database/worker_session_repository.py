"""Worker sessions and their leases in PostgreSQL."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from scheduler_core.decisions.ring_choice import FreeSession, choose_sessions
from scheduler_core.errors import AlreadyExistsError, WorkerIdTakenError, WorkerNotFoundError
from scheduler_core.interfaces import WorkerSessionRepository
from scheduler_core.models import (
    HeldRun,
    Lane,
    NewWorkerSession,
    ReapedRun,
    RunChange,
    SessionSighting,
    TaskRunStatus,
    WorkerSession,
)
from scheduler_core.models.dispatch_options import DEFAULT_MAX_LOSSES
from scheduler_core.models.worker import RunOnWorker
from scheduler_infra.database.repository import PostgresRepository, Row, converted, json_text

_RINGS_MAX = 1000
"""How many sessions are looked at for each lane."""

_SESSION_ID = re.compile(r"[0-9]{1,18}")

_SEEN = (
    "session.id, worker_id, hostname, pid, state, draining, queues, task_types, places, "
    "(SELECT count(*) FROM scheduler.task_runs AS run "
    "WHERE run.session_id = session.id AND run.status = 'RUNNING') AS running, "
    "lease_seconds, lease_expires_at, version, python_version, tags, resources, started_at, last_heartbeat_at, "
    "ended_at, drain_requested, load "
    "FROM scheduler.worker_sessions AS session"
)

_SECONDS_LEFT = (
    "extract(epoch FROM lease_expires_at - coalesce(%(now)s::timestamptz, clock_timestamp()))"
    "::double precision AS seconds_left"
)


class PostgresWorkerSessionRepository(PostgresRepository, WorkerSessionRepository):
    """WorkerSessionRepository over one connection."""

    async def open(self, session: NewWorkerSession, now: datetime | None = None) -> int:
        """See WorkerSessionRepository."""
        holder = await self._holder(session.worker_id, now)
        if holder is not None:
            if holder["seconds_left"] > 0:
                raise _taken(holder)
            await self.reap([holder["id"]], now)
        try:
            async with self._together():
                rows = await self._rows("open_session", {**_fields(session), "now": now})
        except AlreadyExistsError:
            holder = await self._holder(session.worker_id, now)
            if holder is None:
                raise
            raise _taken(holder) from None
        session_id: int = rows[0]["id"]
        return session_id

    async def alive_with_id(self, worker_id: str) -> NewWorkerSession | None:
        """See WorkerSessionRepository."""
        holder = await self._holder(worker_id, None)
        if holder is None:
            return None
        return msgspec.convert({k: holder[k] for k in NewWorkerSession.__struct_fields__}, NewWorkerSession)

    async def declare_lost(
        self, worker_id: str, pid: int, process_started_at: int, now: datetime | None = None
    ) -> None:
        """See WorkerSessionRepository."""
        holder = await self._holder(worker_id, now)
        if holder and (holder["pid"], holder["process_started_at"]) == (pid, process_started_at):
            await self._reap([holder["id"]], now, force=True)

    async def renew(
        self,
        session_id: int,
        draining: bool = False,
        now: datetime | None = None,
        places: int | None = None,
        load: Mapping[str, float] | None = None,
    ) -> list[HeldRun] | None:
        """See WorkerSessionRepository."""
        told = None if load is None else json_text(dict(load))
        rows = await self._rows(
            "renew_session",
            {"session_id": session_id, "draining": draining, "places": places, "load": told, "now": now},
        )
        if not rows:
            return None
        return [HeldRun(**row) for row in rows if row["run_id"] is not None]

    async def drain(self, worker_id: str, drained: bool) -> None:
        """See WorkerSessionRepository."""
        told: int | None = None
        while rows := await self._rows("drain_sessions", {"worker_id": worker_id, "drained": drained}):
            # One that was begun while the one before it was waited for has to be told, too.
            if told == (told := rows[0]["id"]):
                return

    async def close(self, session_id: int, now: datetime | None = None) -> list[RunChange]:
        """See WorkerSessionRepository."""
        async with self._together():
            rows = await self._rows(
                "hand_back_runs",
                {"session_id": session_id, "run_ids": None, "attempts": None, "delay": 0.0, "now": now},
            )
            await self._rows("close_session", {"session_id": session_id, "now": now})
        return [RunChange(row["run_id"], TaskRunStatus(row["status"])) for row in rows if row["run_id"] is not None]

    async def sightings(self, now: datetime | None = None) -> list[SessionSighting]:
        """See WorkerSessionRepository."""
        rows = await self._execute(
            "SELECT id AS session_id, worker_id, hostname, boot_id, pid, process_started_at, renewals, lease_seconds, "
            "lease_expires_at < coalesce(%(now)s::timestamptz, clock_timestamp()) AS lease_expired "
            "FROM scheduler.worker_sessions WHERE state = 'ALIVE' ORDER BY id",
            {"now": now},
        )
        return [SessionSighting(**row) for row in rows]

    async def reap(self, session_ids: Sequence[int], now: datetime | None = None) -> list[ReapedRun]:
        """See WorkerSessionRepository."""
        return await self._reap(session_ids, now, force=False)

    async def ring_targets(self, lanes: Sequence[Lane], counts: Sequence[int]) -> list[int]:
        """See WorkerSessionRepository."""
        rows = await self._rows(
            "ring_targets",
            {
                "queues": [lane.queue for lane in lanes],
                "task_types": [lane.task_type for lane in lanes],
                "runs": min(sum(counts), _RINGS_MAX),
                "now": None,
            },
        )
        free = [
            FreeSession(row["id"], row["places"], frozenset(lanes[each - 1] for each in row["lanes"])) for row in rows
        ]
        return choose_sessions(dict(zip(lanes, counts, strict=True)), free)

    async def page(
        self, *, alive_only: bool = False, before_id: int | None = None, limit: int = 50
    ) -> list[WorkerSession]:
        """See WorkerSessionRepository."""
        rows = await self._execute(
            f"SELECT {_SEEN} "
            "WHERE (NOT %(alive_only)s OR state = 'ALIVE') AND (%(before_id)s::bigint IS NULL OR id < %(before_id)s) "
            "ORDER BY session.id DESC LIMIT %(limit)s",
            {"alive_only": alive_only, "before_id": before_id, "limit": limit},
        )
        return converted(rows, WorkerSession)

    async def newest(self, reference: str) -> WorkerSession:
        """See WorkerSessionRepository."""
        number = int(reference) if _SESSION_ID.fullmatch(reference) else None
        rows = await self._execute(
            f"SELECT {_SEEN} "
            "WHERE session.worker_id = %(reference)s OR session.worker_id = (SELECT named.worker_id "
            "FROM scheduler.worker_sessions AS named WHERE named.id = %(number)s::bigint) "
            "ORDER BY session.worker_id = %(reference)s DESC, session.id DESC LIMIT 1",
            {"reference": reference, "number": number},
        )
        if not rows:
            raise WorkerNotFoundError(reference)
        return converted(rows, WorkerSession)[0]

    async def held_by(self, session_id: int, limit: int = 100) -> list[RunOnWorker]:
        """See WorkerSessionRepository."""
        rows = await self._execute(
            "SELECT run.id AS run_id, task.name AS task_name, task.namespace, run.attempt, run.started_at, "
            "run.cancel_requested, run.paused_at "
            "FROM scheduler.task_runs AS run JOIN scheduler.tasks AS task ON task.id = run.task_id "
            "WHERE run.session_id = %(session_id)s AND run.status = 'RUNNING' "
            "ORDER BY run.started_at, run.id LIMIT %(limit)s",
            {"session_id": session_id, "limit": limit},
        )
        return converted(rows, RunOnWorker)

    async def _holder(self, worker_id: str, now: datetime | None) -> Row | None:
        rows = await self._execute(
            "SELECT id, worker_id, hostname, pid, boot_id, process_started_at, queues, task_types, places, "
            "lease_seconds, version, python_version, tags, resources, "
            + _SECONDS_LEFT
            + " FROM scheduler.worker_sessions "
            "WHERE worker_id = %(worker_id)s AND state = 'ALIVE'",
            {"worker_id": worker_id, "now": now},
        )
        return rows[0] if rows else None

    async def _reap(self, session_ids: Sequence[int], now: datetime | None, *, force: bool) -> list[ReapedRun]:
        rows = await self._rows(
            "reap_sessions",
            {"session_ids": list(session_ids), "force": force, "max_losses": DEFAULT_MAX_LOSSES, "now": now},
        )
        return [ReapedRun(**row) for row in rows]


def _fields(session: NewWorkerSession) -> dict[str, Any]:
    fields = msgspec.structs.asdict(session)
    return {
        **fields,
        "queues": list(session.queues),
        "task_types": list(session.task_types),
        "tags": list(session.tags),
        "resources": json_text(session.resources),
    }


def _taken(holder: Row) -> WorkerIdTakenError:
    return WorkerIdTakenError(holder["worker_id"], holder["hostname"], holder["pid"], max(0.0, holder["seconds_left"]))
