"""Due instants and the ledger of slots in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

from scheduler_core.decisions.time_zone import zone_data_version
from scheduler_core.interfaces import ScheduleRepository, StandingSchedule
from scheduler_core.models import DueSchedule, ScheduleAdvance, SchedulePeriod, SkippedSlots, Slot
from scheduler_infra.database.repository import PostgresRepository, converted


class PostgresScheduleRepository(PostgresRepository, ScheduleRepository):
    """ScheduleRepository over one connection."""

    async def take_due(self, limit: int, now: datetime | None = None) -> list[DueSchedule]:
        """See ScheduleRepository."""
        rows = await self._rows("take_due_schedules", {"limit": limit, "now": now})
        return converted([{**row, "policies": row} for row in rows], DueSchedule)

    async def record(self, advances: Sequence[ScheduleAdvance], skipped: Sequence[SkippedSlots] = ()) -> None:
        """See ScheduleRepository."""
        await self._rows(
            "advance_schedules",
            {
                "task_ids": [advance.task_id for advance in advances],
                "recorded_until": [advance.recorded_until for advance in advances],
                "next_dues": [advance.next_due_at for advance in advances],
                "awaited_runs": [advance.awaits_run_id for advance in advances],
                "skipped_task_ids": [stretch.task_id for stretch in skipped],
                "skipped_from": [stretch.scheduled_at for stretch in skipped],
                "skipped_to": [stretch.last_scheduled_at for stretch in skipped],
                "skipped_counts": [stretch.count for stretch in skipped],
                "skipped_reasons": [stretch.reason.value for stretch in skipped],
                "zone_data": zone_data_version(),
            },
        )

    async def seconds_to_next(self, now: datetime | None = None) -> float | None:
        """See ScheduleRepository."""
        rows = await self._execute(
            "SELECT extract(epoch FROM min(next_due_at) - coalesce(%(now)s::timestamptz, clock_timestamp()))"
            "::double precision AS seconds FROM scheduler.schedules WHERE next_due_at IS NOT NULL",
            {"now": now},
        )
        seconds: float | None = rows[0]["seconds"]
        return None if seconds is None else max(0.0, seconds)

    async def position(self, task_ids: Sequence[int]) -> list[ScheduleAdvance]:
        """See ScheduleRepository."""
        rows = await self._execute(
            "SELECT task_id, coalesce(last_slot_at, recorded_from) AS recorded_until, next_due_at, awaits_run_id "
            "FROM scheduler.schedules WHERE task_id = ANY(%(task_ids)s) ORDER BY task_id",
            {"task_ids": list(task_ids)},
        )
        return [ScheduleAdvance(**row) for row in rows]

    async def lock(self, task_ids: Sequence[int], now: datetime | None = None) -> list[StandingSchedule]:
        """See ScheduleRepository."""
        return converted(await self._rows("lock_schedules", {"task_ids": list(task_ids), "now": now}), StandingSchedule)

    async def last_ends(self, task_ids: Sequence[int]) -> dict[int, datetime | None]:
        """See ScheduleRepository."""
        rows = await self._rows("last_ends", {"task_ids": list(task_ids)})
        return {row["task_id"]: row["ended_at"] for row in rows}

    async def slots(self, task_id: int, *, after: datetime | None = None, limit: int = 100) -> list[Slot]:
        """See ScheduleRepository."""
        rows = await self._execute(
            "SELECT task_id, scheduled_at, last_scheduled_at, count, run_id, reason, zone_data FROM scheduler.slots "
            "WHERE task_id = %(task_id)s AND (%(after)s::timestamptz IS NULL OR scheduled_at > %(after)s) "
            "ORDER BY scheduled_at LIMIT %(limit)s",
            {"task_id": task_id, "after": after, "limit": limit},
        )
        return converted(rows, Slot)

    async def periods(self, task_ids: Sequence[int]) -> list[SchedulePeriod]:
        """See ScheduleRepository."""
        rows = await self._execute(
            "SELECT task_id, counts_from, counts_until, schedule, seed FROM scheduler.schedule_periods "
            "WHERE task_id = ANY(%(task_ids)s) ORDER BY task_id, counts_from",
            {"task_ids": list(task_ids)},
        )
        return converted(rows, SchedulePeriod)
