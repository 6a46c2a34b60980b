"""Gated runs in PostgreSQL: sorted into streams, and let through windows."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from scheduler_core.decisions.admission import Admission, admission
from scheduler_core.decisions.limit_rules import is_idle
from scheduler_core.interfaces import DispatchRepository
from scheduler_core.models import CreatedRun, LimitKeyState
from scheduler_core.models.dispatch import (
    GatedRun,
    KeyedRun,
    Stream,
    StreamClass,
    StreamKey,
    TakenBack,
    WindowFacts,
    WindowPlan,
    WindowWork,
    WorkerView,
)
from scheduler_core.models.situation import RunFacts
from scheduler_infra.database.repository import PostgresRepository, Row, converted, json_text
from scheduler_infra.database.settlement import created_run

_encode = msgspec.json.Encoder(order="deterministic").encode
_FACTS = ("task_status", "is_due", "is_held", "attempt", "unaccounted", "is_group")


class PostgresDispatchRepository(PostgresRepository, DispatchRepository):
    """DispatchRepository over one connection."""

    async def hold_window(self, now: datetime | None = None) -> WindowWork | None:
        """See DispatchRepository."""
        rows = await self._rows("hold_window", {"now": now})
        return WindowWork(**rows[0]) if rows else None

    async def gated(
        self, limit: int, now: datetime | None = None, *, but: Sequence[int] = (), only: Sequence[int] = ()
    ) -> list[GatedRun]:
        """See DispatchRepository."""
        rows = await self._rows(
            "lock_gated_runs", {"limit": limit, "but": list(but), "only": list(only) or None, "now": now}
        )
        decided = [(row, admission(_facts(row))) for row in rows]
        aside = {row["id"]: what.value for row, what in decided if what in (Admission.HOLD, Admission.CANCEL)}
        if aside:
            await self._rows("admit_runs", {"run_ids": list(aside), "admissions": list(aside.values()), "now": now})
        return converted(
            [
                {name: row[name] for name in GatedRun.__struct_fields__}
                for row, what in decided
                if what is Admission.ADMIT
            ],
            GatedRun,
        )

    async def sort(self, runs: Sequence[KeyedRun], now: datetime | None = None) -> list[int]:
        """See DispatchRepository."""
        streams = {_signature(run.stream): run.stream for run in runs if run.stream is not None}
        sorted_runs = [(run.run_id, _signature(run.stream)) for run in runs if run.stream is not None]
        versions = {run.version_id: _signature(run.stream) for run in runs if run.version_id and run.stream is not None}
        failed = [run for run in runs if run.stream is None]
        if streams:
            await self._rows(
                "make_streams",
                {
                    "signatures": list(streams),
                    "keys": [_encode(stream).decode() for stream in streams.values()],
                    "fairness_keys": [_fairness_key(stream) for stream in streams.values()],
                },
            )
        rows = await self._rows(
            "sort_runs",
            {
                "run_ids": [run_id for run_id, _ in sorted_runs],
                "signatures": [signature for _, signature in sorted_runs],
                "version_ids": list(versions),
                "version_signatures": list(versions.values()),
                "failed_ids": [run.run_id for run in failed],
                "errors": [run.error for run in failed],
                "now": now,
            },
        )
        return [row["id"] for row in rows if row["needs_settlement"]]

    async def recall(
        self, timeout_seconds: float, now: datetime | None = None, *, ahead_seconds: float | None = None
    ) -> list[TakenBack]:
        """See DispatchRepository."""
        ahead = timeout_seconds if ahead_seconds is None else ahead_seconds
        offered = await self._rows("recall_offered", {"timeout": timeout_seconds, "now": now})
        granted = await self._rows("take_back_grants", {"timeout": timeout_seconds, "ahead": ahead, "now": now})
        runs = Counter(row["session_id"] for row in offered if row["session_id"] is not None)
        missed = set(runs)
        for row in granted:
            runs[row["session_id"]] += row["runs"]
            if row["is_missed"]:
                missed.add(row["session_id"])
        return [
            TakenBack(session_id=session_id, runs=count, is_missed=session_id in missed)
            for session_id, count in sorted(runs.items())
        ]

    async def facts(self, now: datetime | None = None) -> WindowFacts:
        """See DispatchRepository."""
        streams = converted(await self._rows("window_streams", {"now": now}), Stream)
        moment = (await self._execute("SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now", {"now": now}))[
            0
        ]["now"]
        waiting = [stream for stream in streams if stream.head_at is not None]
        key_ids = sorted({key_id for stream in waiting for key_id in stream.limit_key_ids})
        limit_keys: list[LimitKeyState] = []
        if key_ids:
            limit_keys = converted(
                await self._rows("limit_key_states", {"key_ids": key_ids, "now": now}), LimitKeyState
            )
        clocks = {}
        if any(stream.stream_class is not StreamClass.PLAIN for stream in waiting):
            rows = await self._execute(
                "SELECT queue, background, virtual_time FROM scheduler.fairness_clocks WHERE queue = ANY(%(queues)s)",
                {"queues": sorted({stream.key.queue for stream in waiting})},
            )
            clocks = {(row["queue"], row["background"]): row["virtual_time"] for row in rows}
        keys = {stream.id: stream.key for stream in streams}
        workers = [_worker(row, keys) for row in await self._rows("window_workers", {"now": now})] if waiting else []
        return WindowFacts(
            now=moment, streams=tuple(streams), limit_keys=tuple(limit_keys), clocks=clocks, workers=tuple(workers)
        )

    async def heads(
        self,
        wanted: Mapping[int, int],
        now: datetime | None = None,
        *,
        since: Mapping[int, tuple[datetime, int]] | None = None,
    ) -> dict[int, list[tuple[int, datetime]]]:
        """See DispatchRepository."""
        firsts = [(since or {}).get(stream_id, (None, None)) for stream_id in wanted]
        rows = await self._rows(
            "window_heads",
            {
                "stream_ids": list(wanted),
                "counts": list(wanted.values()),
                "since_ats": [claim_at for claim_at, _ in firsts],
                "since_ids": [run_id for _, run_id in firsts],
                "now": now,
            },
        )
        return {row["stream_id"]: list(zip(row["run_ids"], row["claim_ats"], strict=True)) for row in rows}

    async def release(self, plan: WindowPlan, now: datetime | None = None) -> list[tuple[CreatedRun, int | None]]:
        """See DispatchRepository."""
        granted: dict[tuple[int, int], list[int]] = {}
        releases = []
        for release in plan.releases:
            if release.session_id is not None and release.granted_of is not None:
                granted.setdefault((release.session_id, release.granted_of), []).append(release.run_id)
            else:
                releases.append(release)
        if granted:
            grants = [
                {"session_id": session_id, "stream_id": stream_id, "run_ids": run_ids}
                for (session_id, stream_id), run_ids in granted.items()
            ]
            await self._rows("grant_runs", {"grants": json_text(grants), "now": now})
        if not releases and not plan.virtual_times and not plan.clocks:
            return []
        rows = await self._rows(
            "release_runs",
            {
                "run_ids": [release.run_id for release in releases],
                "claim_ats": [release.claim_at for release in releases],
                "session_ids": [release.session_id for release in releases],
                "fairness_ids": list(plan.virtual_times),
                "virtual_times": list(plan.virtual_times.values()),
                "clock_queues": [queue for queue, _ in plan.clocks],
                "clock_backgrounds": [background for _, background in plan.clocks],
                "clock_times": list(plan.clocks.values()),
                "now": now,
            },
        )
        return [(created_run(row), row["assigned_to"]) for row in rows]

    async def set_strategy(self, strategy: str) -> None:
        """See DispatchRepository."""
        await self._execute(
            "UPDATE scheduler.dispatch_state SET strategy = %(strategy)s WHERE id = 1 AND strategy <> %(strategy)s",
            {"strategy": strategy},
        )

    async def forget(self, limit: int, now: datetime | None = None) -> int:
        """See DispatchRepository."""
        rows = await self._rows("forget_streams", {"limit": limit})
        streams: int = rows[0]["count"]
        return streams + await self._forget_limit_keys(limit - streams, now)

    async def _forget_limit_keys(self, limit: int, now: datetime | None) -> int:
        rows = await self._rows("lock_idle_limit_keys", {"limit": limit, "now": now}) if limit else []
        if not rows:
            return 0
        states = await self._rows("limit_key_states", {"key_ids": [row["id"] for row in rows], "now": now})
        idle = {"key_ids": [key.id for key in converted(states, LimitKeyState) if is_idle(key)]}
        await self._rows("remove_permits", idle)
        await self._execute("DELETE FROM scheduler.limit_keys WHERE id = ANY(%(key_ids)s::bigint[])", idle)
        return len(idle["key_ids"])


def _facts(row: Row) -> RunFacts:
    return msgspec.convert({name: row[name] for name in _FACTS}, RunFacts)


def _signature(stream: StreamKey) -> str:
    return hashlib.sha256(_encode(stream)).hexdigest()


def _fairness_key(stream: StreamKey) -> str | None:
    """Background runs without a key take their turns as one."""
    return "" if stream.fairness_key is None and stream.background else stream.fairness_key


def _worker(row: Row, keys: Mapping[int, StreamKey]) -> WorkerView:
    running = [(stream_id, task_type, count) for stream_id, task_type, count, _ in row["running"]]
    held = [*running, *row["assigned"]]
    return WorkerView(
        session_id=row["session_id"],
        worker_id=row["worker_id"],
        queues=frozenset(row["queues"]),
        task_types=frozenset(row["task_types"]),
        tags=frozenset(row["tags"]),
        places=row["places"],
        running=sum(count for _, _, count in running),
        assigned=sum(count for _, _, count in row["assigned"]),
        resources=dict(row["resources"]),
        used=_used(held, keys),
        recent_types=frozenset(task_type for _, task_type, _ in held),
        newest_seconds=min((seconds for _, _, _, seconds in row["running"]), default=0.0),
        takes_grants=row["takes_grants"],
    )


def _used(held: Iterable[Sequence[Any]], keys: Mapping[int, StreamKey]) -> dict[str, float]:
    used: dict[str, float] = {}
    for stream_id, _, count in held:
        for name, amount in keys[stream_id].resources if stream_id in keys else ():
            used[name] = used.get(name, 0.0) + amount * count
    return used
