"""Questions about the whole, answered by PostgreSQL."""

from datetime import datetime

from scheduler_core.errors import SchemaVersionError, StoreUnavailableError
from scheduler_core.interfaces import SystemRepository
from scheduler_core.models import SystemStatistics
from scheduler_core.models.dispatch import StreamClass
from scheduler_infra.database.repository import PostgresRepository
from scheduler_infra.database.schema_version import REQUIRED_SCHEMA_VERSION


class PostgresSystemRepository(PostgresRepository, SystemRepository):
    """SystemRepository over one connection."""

    async def statistics(self, now: datetime | None = None) -> SystemStatistics:
        """See SystemRepository."""
        rows = await self._rows("system_statistics", {"now": now})
        return SystemStatistics(**rows[0])

    async def gated_runs(self) -> dict[StreamClass, tuple[int, int]]:
        """See SystemRepository."""
        rows = await self._rows("gated_runs", {})
        return {StreamClass(row["stream_class"]): (row["waiting"], row["claimable"]) for row in rows}

    async def now(self) -> datetime:
        """See SystemRepository."""
        rows = await self._execute("SELECT clock_timestamp() AS now", {})
        now: datetime = rows[0]["now"]
        return now

    async def check(self) -> None:
        """See SystemRepository."""
        rows = await self._execute("SELECT pg_is_in_recovery() AS standby", {})
        if rows[0]["standby"]:
            raise StoreUnavailableError("The database is a standby and cannot be written to: use the primary's URL.")
        rows = await self._execute("SELECT max(version_num) AS version FROM scheduler.alembic_version", {})
        version = rows[0]["version"] or ""
        if version < REQUIRED_SCHEMA_VERSION:
            raise SchemaVersionError(
                f"The database's schema is at migration {version or 'none'}, this version needs "
                f"{REQUIRED_SCHEMA_VERSION}: run `scheduler-infra db upgrade`."
            )
