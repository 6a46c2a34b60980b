"""The ledger of slots as it is looked at."""

from datetime import datetime

from scheduler_core.interfaces.ledger_repository import LedgerRepository
from scheduler_core.models.ledger import LedgerEntry, LedgerTask
from scheduler_infra.database.repository import PostgresRepository, converted


class PostgresLedgerRepository(PostgresRepository, LedgerRepository):
    """LedgerRepository over one connection."""

    async def tasks(
        self,
        *,
        namespace: str | None = None,
        from_id: int = 0,
        limit: int = 50,
        now: datetime | None = None,
    ) -> list[LedgerTask]:
        """See LedgerRepository."""
        parameters = {"namespace": namespace, "from_id": from_id, "limit": limit, "now": now}
        return converted(await self._rows("ledger_tasks", parameters), LedgerTask)

    async def entries(
        self,
        task_id: int,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
        newest: bool = False,
    ) -> list[LedgerEntry]:
        """See LedgerRepository."""
        parameters = {"task_id": task_id, "start": start, "end": end, "limit": limit}
        if newest:
            return converted((await self._rows("ledger_newest_entries", parameters))[::-1], LedgerEntry)
        return converted(await self._rows("ledger_entries", parameters), LedgerEntry)

    async def entry_before(self, task_id: int, instant: datetime) -> LedgerEntry | None:
        """See LedgerRepository."""
        rows = await self._rows("ledger_entry_before", {"task_id": task_id, "instant": instant})
        return converted(rows, LedgerEntry)[0] if rows else None
