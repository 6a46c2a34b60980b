"""Runs by their unique keys in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from scheduler_core.interfaces import UniqueRunRepository
from scheduler_core.interfaces.unique_run_repository import UniqueRun
from scheduler_infra.database.repository import PostgresRepository


class PostgresUniqueRunRepository(PostgresRepository, UniqueRunRepository):
    """UniqueRunRepository over one connection."""

    async def lock(
        self, task_id: int, keys: Sequence[str], now: datetime | None = None
    ) -> Mapping[str, UniqueRun | None]:
        """See UniqueRunRepository."""
        parameters = {"task_id": task_id, "keys": list(dict.fromkeys(keys)), "now": now}
        await self._rows("lock_unique_keys", parameters)
        rows = await self._rows("unique_runs", parameters)
        found = {row.pop("key"): msgspec.convert(row, UniqueRun) for row in rows}
        return {key: found.get(key) for key in keys}

    async def take(self, task_id: int, key: str, run_id: int, now: datetime | None = None) -> None:
        """See UniqueRunRepository."""
        await self._execute(
            "UPDATE scheduler.task_unique_keys SET run_id = %(run_id)s, "
            "created_at = coalesce(%(now)s::timestamptz, clock_timestamp()) "
            "WHERE task_id = %(task_id)s AND key = %(key)s",
            {"task_id": task_id, "key": key, "run_id": run_id, "now": now},
        )

    async def put_off(
        self,
        run_id: int,
        seconds: float,
        latest: datetime | None,
        parameters: str | None,
        now: datetime | None = None,
        *,
        is_new: bool = False,
    ) -> bool:
        """See UniqueRunRepository."""
        columns = {"run_id": run_id, "seconds": seconds, "latest": latest, "parameters": parameters, "now": now}
        return bool(await self._rows("put_off_run", {**columns, "is_new": is_new}))
