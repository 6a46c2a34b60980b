"""Old runs in PostgreSQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from scheduler_core.interfaces import RetentionRepository
from scheduler_infra.database.repository import PostgresRepository, Row

_FIRST_PAGE: Final = 100
"""So few runs are looked at first: mostly nothing is old."""
_PAGE: Final = 1000
_PIECES_MAX: Final = 20_000
"""How many pieces of output one statement removes, so that it takes no longer than a second or so."""


class PostgresRetentionRepository(PostgresRepository, RetentionRepository):
    """RetentionRepository over one connection."""

    async def remove_finished(
        self,
        *,
        keep_seconds: float | None,
        keep_runs: int | None,
        after_task_id: int,
        tasks: int,
        limit: int,
        now: datetime | None = None,
    ) -> tuple[int | None, int]:
        """See RetentionRepository."""
        rows = await self._in_order(
            "retention_tasks",
            {
                "keep_seconds": keep_seconds,
                "keep_runs": keep_runs,
                "after_task_id": after_task_id,
                "tasks": tasks,
                "now": now,
            },
        )
        done, removed = after_task_id, 0
        for task in rows:
            if task["cutoff"] is not None or task["below_id"]:
                count, is_done = await self._remove_of(task, limit - removed, now)
                removed += count
                if not is_done:
                    return done, removed
            done = task["id"]
        return (done if len(rows) == tasks else None), removed

    async def _remove_of(self, task: Row, limit: int, now: datetime | None) -> tuple[int, bool]:
        """How many runs of a task were removed, and whether there are no more to be."""
        removed, after_id, size = 0, 0, _FIRST_PAGE
        while True:
            page = await self._in_order(
                "old_runs",
                {
                    "task_id": task["id"],
                    "cutoff": task["cutoff"],
                    "below_id": task["below_id"],
                    "after_id": after_id,
                    "limit": size,
                },
            )
            old = [row["id"] for row in page if row["is_old"]]
            if old:
                parameters = {"run_ids": old, "limit": limit - removed, "pieces_max": _PIECES_MAX, "now": now}
                gone = await self._rows("remove_runs", parameters)
                removed += len(gone)
                if any(row["is_cut"] for row in gone):
                    return removed, False
            if len(page) < size or page[-1]["is_beyond"]:
                return removed, True
            after_id, size = page[-1]["id"], _PAGE

    async def _in_order(self, name: str, parameters: Mapping[str, Any]) -> list[Row]:
        """The rows of a statement that reads runs in the order of an index, and stops.

        Where statistics are older than a task's runs the planner would read and sort all of them.
        """
        async with self._together():
            await self._execute("SELECT set_config('enable_bitmapscan', 'off', true)", {})
            return await self._rows(name, parameters)
