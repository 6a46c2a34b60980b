"""Dispatchers in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

from scheduler_core.interfaces import DispatcherRepository
from scheduler_infra.database.repository import PostgresRepository


class PostgresDispatcherRepository(PostgresRepository, DispatcherRepository):
    """DispatcherRepository over one connection."""

    async def begin(self, hostname: str, pid: int, version: str, now: datetime | None = None) -> int:
        """See DispatcherRepository."""
        rows = await self._execute(
            "INSERT INTO scheduler.dispatchers (hostname, pid, version, started_at, last_seen_at) "
            "SELECT %(hostname)s, %(pid)s, %(version)s, now, now "
            "FROM (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now) AS moment RETURNING id",
            {"hostname": hostname, "pid": pid, "version": version, "now": now},
        )
        dispatcher_id: int = rows[0]["id"]
        return dispatcher_id

    async def seen(
        self,
        dispatcher_id: int,
        queue_error: str | None,
        now: datetime | None = None,
        *,
        strategy: str | None = None,
        strategies: Sequence[str] | None = None,
    ) -> bool:
        """See DispatcherRepository."""
        rows = await self._execute(
            "UPDATE scheduler.dispatchers SET last_seen_at = coalesce(%(now)s::timestamptz, clock_timestamp()), "
            "queue_error = %(queue_error)s, strategy = coalesce(%(strategy)s::text, strategy), "
            "strategies = coalesce(%(strategies)s::text[], strategies) WHERE id = %(id)s RETURNING id",
            {
                "id": dispatcher_id,
                "queue_error": queue_error,
                "now": now,
                "strategy": strategy,
                "strategies": None if strategies is None else list(strategies),
            },
        )
        return bool(rows)

    async def end(self, dispatcher_id: int, now: datetime | None = None) -> None:
        """See DispatcherRepository."""
        await self._execute(
            "UPDATE scheduler.dispatchers SET ended_at = coalesce(%(now)s::timestamptz, clock_timestamp()) "
            "WHERE id = %(id)s",
            {"id": dispatcher_id, "now": now},
        )

    async def prune(self, older_than_seconds: float = 86400.0, now: datetime | None = None) -> int:
        """See DispatcherRepository."""
        rows = await self._execute(
            "DELETE FROM scheduler.dispatchers WHERE coalesce(ended_at, last_seen_at) "
            "< coalesce(%(now)s::timestamptz, clock_timestamp()) - %(seconds)s * interval '1 second' RETURNING id",
            {"seconds": older_than_seconds, "now": now},
        )
        return len(rows)
