"""Output of runs in PostgreSQL."""

from collections.abc import Sequence

from scheduler_core.interfaces import RunLogRepository
from scheduler_core.models import RunLogEntry
from scheduler_infra.database.repository import PostgresRepository


class PostgresRunLogRepository(PostgresRepository, RunLogRepository):
    """RunLogRepository over one connection."""

    async def append(self, session_id: int, entries: Sequence[RunLogEntry]) -> int:
        """See RunLogRepository."""
        rows = await self._rows(
            "append_run_logs",
            {
                "session_id": session_id,
                "run_ids": [entry.run_id for entry in entries],
                "attempts": [entry.attempt for entry in entries],
                "sequences": [entry.sequence for entry in entries],
                "streams": [entry.stream for entry in entries],
                "logged_at": [entry.logged_at for entry in entries],
                "contents": [entry.content for entry in entries],
            },
        )
        stored: int = rows[0]["stored"]
        return stored

    async def read(self, run_id: int, *, after: tuple[int, int] = (0, 0), limit: int = 1000) -> list[RunLogEntry]:
        """See RunLogRepository."""
        rows = await self._execute(
            "SELECT run_id, attempt, sequence, stream, logged_at, content FROM scheduler.task_run_logs "
            "WHERE run_id = %(run_id)s AND (attempt, sequence) > (%(attempt)s, %(sequence)s) "
            "ORDER BY attempt, sequence LIMIT %(limit)s",
            {"run_id": run_id, "attempt": after[0], "sequence": after[1], "limit": limit},
        )
        return [RunLogEntry(**row) for row in rows]
