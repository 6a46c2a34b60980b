"""Output and progress of runs in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import errors as pg

from scheduler_core.errors import InvalidInputError, RepositoryError
from scheduler_core.interfaces import FoundLines, RunLogRepository
from scheduler_core.models import LogFilter, RunKey, RunLogEntry, RunNews, RunProgress
from scheduler_infra.database.repository import PostgresRepository, Row, converted, json_text

_BYTES_MAX = 8 * 1024 * 1024
_PIECES_MAX = 1000
_SEARCHED_PIECES = 128
_EVERYTHING = LogFilter()
_TOO_MUCH = (pg.QueryCanceled, pg.InternalError_, pg.ProgramLimitExceeded, pg.OutOfMemory)
"""How PostgreSQL ends a search whose pattern takes more time or memory than it has."""


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
                # An array of arrays has one length for all; texts may be of any.
                "line_offsets": [_array_text(entry.line_offsets) for entry in entries],
                "first_lines": [entry.first_line for entry in entries],
                "first_bytes": [entry.first_byte for entry in entries],
            },
        )
        stored: int = rows[0]["stored"]
        return stored

    async def report_progress(
        self, session_id: int, progress: Mapping[RunKey, RunProgress], now: datetime | None = None
    ) -> int:
        """See RunLogRepository."""
        rows = await self._rows(
            "report_progress",
            {
                "session_id": session_id,
                "run_ids": [key.run_id for key in progress],
                "attempts": [key.attempt for key in progress],
                "progress": [json_text(told) for told in progress.values()],
                "now": now,
            },
        )
        stored: int = rows[0]["stored"]
        return stored

    async def read(
        self, run_id: int, *, after: tuple[int, int] = (0, 0), limit: int = 1000, only: LogFilter | None = None
    ) -> list[RunLogEntry]:
        """See RunLogRepository."""
        place = {"after_attempt": after[0], "after_sequence": after[1]}
        return await self._entries("read_run_logs", run_id, only, **place, limit=limit)

    async def tail(self, run_id: int, lines: int, *, only: LogFilter | None = None) -> list[RunLogEntry]:
        """See RunLogRepository."""
        return await self._entries("tail_run_logs", run_id, only, lines=lines, limit=_PIECES_MAX)

    async def range(
        self, run_id: int, from_line: int, to_line: int, *, only: LogFilter | None = None
    ) -> list[RunLogEntry]:
        """See RunLogRepository."""
        lines = {"from_line": from_line, "to_line": to_line}
        return await self._entries("range_run_logs", run_id, only, **lines, limit=_PIECES_MAX)

    async def search(
        self,
        run_id: int,
        *,
        text: str | None = None,
        pattern: str | None = None,
        after: tuple[int, int] = (0, 0),
        only: LogFilter | None = None,
    ) -> FoundLines:
        """See RunLogRepository."""
        place = {"after_attempt": after[0], "after_sequence": after[1], "pieces": _SEARCHED_PIECES}
        try:
            rows = await self._rows(
                "search_run_logs", {"run_id": run_id, "text": text, "pattern": pattern, **place, **_filter(only)}
            )
        except RepositoryError as error:
            if isinstance(error.__cause__, pg.InvalidRegularExpression):
                reason = (error.__cause__.diag.message_primary or "").partition(": ")[2]
                raise InvalidInputError.of(
                    "pattern", f"pattern '{pattern}' is no regular expression of PostgreSQL: {reason}. Correct it."
                ) from error
            if pattern is not None and isinstance(error.__cause__, _TOO_MUCH):
                reason = error.__cause__.diag.message_primary or "it gave it up"
                raise InvalidInputError.of(
                    "pattern", f"pattern '{pattern}' is too much work for PostgreSQL: {reason}. Make it simpler."
                ) from error
            raise
        last = None
        for row in rows:
            if row.pop("is_last"):
                last = (row["attempt"], row["sequence"])
        return FoundLines(converted([row for row in rows if row["content"] is not None], RunLogEntry), last)

    async def news(self, run_id: int) -> RunNews | None:
        """See RunLogRepository."""
        rows = await self._execute(
            "SELECT status, CASE WHEN (progress ->> 'attempt')::integer = attempt THEN progress END AS progress "
            "FROM scheduler.task_runs WHERE id = %(run_id)s",
            {"run_id": run_id},
        )
        return converted(rows, RunNews)[0] if rows else None

    async def _entries(self, name: str, run_id: int, only: LogFilter | None, **parameters: Any) -> list[RunLogEntry]:
        rows = await self._rows(name, {"run_id": run_id, "bytes_max": _BYTES_MAX, **parameters, **_filter(only)})
        return [RunLogEntry(**row) for row in rows]


def _filter(only: LogFilter | None) -> Row:
    only = only or _EVERYTHING
    return {"attempt": only.attempt, "stream": only.stream, "since": only.since}


def _array_text(numbers: Sequence[int] | None) -> str | None:
    return None if numbers is None else f"{{{','.join(map(str, numbers))}}}"
