"""Answers already given, in PostgreSQL."""

from datetime import datetime

from scheduler_core.interfaces import IdempotencyRepository
from scheduler_core.models import StoredResponse
from scheduler_infra.database.repository import PostgresRepository


class PostgresIdempotencyRepository(PostgresRepository, IdempotencyRepository):
    """IdempotencyRepository over one connection."""

    async def reserve(
        self, scope: str, key: str, request_hash: str, now: datetime | None = None
    ) -> StoredResponse | None:
        """See IdempotencyRepository."""
        inserted = await self._execute(
            "INSERT INTO scheduler.idempotency_keys (scope, key, request_hash, created_at) VALUES "
            "(%(scope)s, %(key)s, %(request_hash)s, coalesce(%(now)s::timestamptz, clock_timestamp())) "
            "ON CONFLICT DO NOTHING RETURNING key",
            {"scope": scope, "key": key, "request_hash": request_hash, "now": now},
        )
        if inserted:
            return None
        rows = await self._execute(
            "SELECT request_hash, coalesce(status_code, 0) AS status_code, coalesce(body, '') AS body "
            "FROM scheduler.idempotency_keys WHERE scope = %(scope)s AND key = %(key)s",
            {"scope": scope, "key": key},
        )
        return StoredResponse(**rows[0])

    async def complete(self, scope: str, key: str, status_code: int, body: str) -> None:
        """See IdempotencyRepository."""
        await self._execute(
            "UPDATE scheduler.idempotency_keys SET status_code = %(status_code)s, body = %(body)s "
            "WHERE scope = %(scope)s AND key = %(key)s",
            {"scope": scope, "key": key, "status_code": status_code, "body": body},
        )

    async def remove_expired(self, older_than_seconds: float = 86400.0, now: datetime | None = None) -> int:
        """See IdempotencyRepository."""
        rows = await self._execute(
            "DELETE FROM scheduler.idempotency_keys WHERE created_at < "
            "coalesce(%(now)s::timestamptz, clock_timestamp()) - %(seconds)s * interval '1 second' RETURNING key",
            {"seconds": older_than_seconds, "now": now},
        )
        return len(rows)
