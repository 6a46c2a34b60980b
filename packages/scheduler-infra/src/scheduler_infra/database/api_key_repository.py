"""API keys in PostgreSQL."""

from datetime import datetime

from scheduler_core.errors import NotFoundError
from scheduler_core.interfaces import ApiKeyRepository
from scheduler_core.models import ApiKey
from scheduler_infra.database.repository import PostgresRepository

_COLUMNS = "id, name, prefix, created_at, last_used_at, revoked_at"


class PostgresApiKeyRepository(PostgresRepository, ApiKeyRepository):
    """ApiKeyRepository over one connection."""

    async def create(self, name: str, prefix: str, key_hash: bytes, now: datetime | None = None) -> ApiKey:
        """See ApiKeyRepository."""
        rows = await self._execute(
            "INSERT INTO scheduler.api_keys (name, prefix, key_hash, created_at) VALUES "
            "(%(name)s, %(prefix)s, %(key_hash)s, coalesce(%(now)s::timestamptz, clock_timestamp())) "
            "RETURNING " + _COLUMNS,
            {"name": name, "prefix": prefix, "key_hash": key_hash, "now": now},
        )
        return ApiKey(**rows[0])

    async def find(self, key_hash: bytes) -> ApiKey | None:
        """See ApiKeyRepository."""
        rows = await self._execute(
            "SELECT " + _COLUMNS + " FROM scheduler.api_keys WHERE key_hash = %(key_hash)s AND revoked_at IS NULL",
            {"key_hash": key_hash},
        )
        return ApiKey(**rows[0]) if rows else None

    async def all(self) -> list[ApiKey]:
        """See ApiKeyRepository."""
        rows = await self._execute("SELECT " + _COLUMNS + " FROM scheduler.api_keys ORDER BY id", {})
        return [ApiKey(**row) for row in rows]

    async def revoke(self, name: str, now: datetime | None = None) -> ApiKey:
        """See ApiKeyRepository."""
        rows = await self._execute(
            "UPDATE scheduler.api_keys SET revoked_at = coalesce(%(now)s::timestamptz, clock_timestamp()) "
            "WHERE name = %(name)s AND revoked_at IS NULL RETURNING " + _COLUMNS,
            {"name": name, "now": now},
        )
        if not rows:
            raise NotFoundError(f"There is no live API key named '{name}'.")
        return ApiKey(**rows[0])
