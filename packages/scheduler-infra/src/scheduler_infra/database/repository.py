"""What all repositories share: one connection, statements by name, errors of core."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString, TypeVar

import msgspec
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from scheduler_infra.database.database_error import translated
from scheduler_infra.database.query_loader import query

ModelT = TypeVar("ModelT")
Row = dict[str, Any]
Statement = tuple[LiteralString, dict[str, Any]]
"""The text of a statement and its parameters."""


class PostgresRepository:
    """Speaks over the connection of its unit of work."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    @asynccontextmanager
    async def _together(self) -> AsyncIterator[None]:
        """All statements inside or none, also when the unit of work has no transaction."""
        with translated():
            async with self._connection.transaction():
                yield

    @asynccontextmanager
    async def _atomically(self) -> AsyncIterator[None]:
        """The same, without a savepoint where there is a transaction: what fails inside fails all of that."""
        if self._connection.info.transaction_status is TransactionStatus.IDLE:
            async with self._together():
                yield
        else:
            yield

    async def _rows(self, name: str, parameters: Mapping[str, Any]) -> list[Row]:
        """All rows of queries/{name}.sql as dictionaries."""
        return await self._execute(query(name), parameters)

    async def _execute(self, statement: LiteralString, parameters: Mapping[str, Any]) -> list[Row]:
        with translated():
            async with self._connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(statement, parameters)
                # Its description would make an object of each column.
                result = cursor.pgresult
                return await cursor.fetchall() if result is not None and result.nfields else []


def converted(rows: Sequence[Row], model: type[ModelT]) -> list[ModelT]:
    """Rows as models, with nested JSON turned into the model's own types."""
    return msgspec.convert(rows, list[model], strict=False)  # type: ignore[valid-type]


def json_text(value: Any) -> str:
    """A value as JSON text."""
    return msgspec.json.encode(value).decode()
