"""Connections through a transaction pooler, where nothing outlasts a transaction.

The next transaction may meet another server connection: what was set for the session is not there, or is there for
whoever comes next. So every transaction brings its settings along, together with its first words to the server: no
round trip is added.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self, cast

from psycopg import AsyncConnection, AsyncCursor, AsyncTransaction, IsolationLevel, sql
from psycopg.abc import Params, Query, QueryNoTemplate
from psycopg.pq import TransactionStatus
from psycopg.rows import Row

_ISOLATION = "read committed"


class ScopedConnection(AsyncConnection[Row]):
    """A connection in autocommit mode whose settings hold for each of its transactions, one by one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.cursor_factory = ScopedCursor
        self._settings: sql.Composed | None = None
        self._may_be_implicit = False

    async def scope(self, settings: Mapping[str, str]) -> None:
        """Let these hold from now on; the isolation level is READ COMMITTED whatever the database defaults to."""
        # What decodes times goes by the zone that the connection reports, which poolers keep for each client.
        cursor = await self.execute(
            "SELECT current_setting('default_transaction_isolation'), set_config('timezone', 'UTC', false)"
        )
        # The level of a transaction that a single statement begins cannot be chosen any more once it has begun.
        self._may_be_implicit = cast(tuple[str, str], await cursor.fetchone())[0] == _ISOLATION
        await self.set_isolation_level(IsolationLevel.READ_COMMITTED)
        calls = [sql.SQL("set_config({}, {}, true)").format(name, value) for name, value in settings.items()]
        self._settings = sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls))

    @asynccontextmanager
    async def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> AsyncIterator[AsyncTransaction]:
        """See AsyncConnection."""
        if not self.begins_transaction:
            async with super().transaction(savepoint_name, force_rollback) as inner:
                yield inner
            return
        async with AsyncExitStack() as stack:
            async with self.pipeline():
                outer = AsyncTransaction(self, savepoint_name, force_rollback)
                await stack.enter_async_context(outer)
                await self.send_settings()
            yield outer

    @property
    def begins_transaction(self) -> bool:
        """Whether the next statement is the first of a transaction, which has to be told the settings."""
        return self._settings is not None and self.info.transaction_status is TransactionStatus.IDLE

    @property
    def may_be_implicit(self) -> bool:
        """Whether statements that share a message are a transaction of the right isolation level by themselves."""
        return self._may_be_implicit

    async def send_settings(self) -> None:
        """Put the settings into the message that is being written; only within a pipeline."""
        if self._settings is not None:
            await AsyncCursor(self).execute(self._settings)


class ScopedCursor(AsyncCursor[Row]):
    """A cursor whose single statements bring the settings of their connection along."""

    async def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        """See AsyncCursor."""
        statement = cast(QueryNoTemplate, query)
        connection = self.connection
        if not isinstance(connection, ScopedConnection) or not connection.begins_transaction:
            return await super().execute(statement, params, prepare=prepare, binary=binary)
        if not connection.may_be_implicit:
            async with connection.transaction():
                return await super().execute(statement, params, prepare=prepare, binary=binary)
        # What arrives in one message is one transaction, so the settings still hold and are gone afterwards.
        async with connection.pipeline():
            await connection.send_settings()
            await super().execute(statement, params, prepare=prepare, binary=binary)
        return self
