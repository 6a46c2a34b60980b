"""The store: a small pool of connections, and units of work over them."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from scheduler_core.errors import StoreUnavailableError
from scheduler_core.interfaces import (
    ApiKeyRepository,
    DispatcherRepository,
    DispatchRepository,
    ExplanationRepository,
    FlowRepository,
    FlowViewRepository,
    IdempotencyRepository,
    IntervalRepository,
    LedgerRepository,
    LimitRepository,
    QuarantineRepository,
    RetentionRepository,
    RunLogRepository,
    ScheduleRepository,
    Store,
    SystemRepository,
    TaskRepository,
    TaskRunRepository,
    UniqueRunRepository,
    UnitOfWork,
    WorkerSessionRepository,
)
from scheduler_infra.database.api_key_repository import PostgresApiKeyRepository
from scheduler_infra.database.connection_attempts import ConnectionAttempts
from scheduler_infra.database.database_config import DatabaseConfig
from scheduler_infra.database.database_error import translate, translated
from scheduler_infra.database.dispatch_repository import PostgresDispatchRepository
from scheduler_infra.database.dispatcher_repository import PostgresDispatcherRepository
from scheduler_infra.database.explanation_repository import PostgresExplanationRepository
from scheduler_infra.database.flat_lists import FlatListDumper
from scheduler_infra.database.flow_repository import PostgresFlowRepository
from scheduler_infra.database.flow_view_repository import PostgresFlowViewRepository
from scheduler_infra.database.idempotency_repository import PostgresIdempotencyRepository
from scheduler_infra.database.interval_repository import PostgresIntervalRepository
from scheduler_infra.database.ledger_repository import PostgresLedgerRepository
from scheduler_infra.database.limit_repository import PostgresLimitRepository
from scheduler_infra.database.pooler import is_pooled
from scheduler_infra.database.quarantine_repository import PostgresQuarantineRepository
from scheduler_infra.database.retention_repository import PostgresRetentionRepository
from scheduler_infra.database.run_log_repository import PostgresRunLogRepository
from scheduler_infra.database.schedule_repository import PostgresScheduleRepository
from scheduler_infra.database.scoped_connection import ScopedConnection
from scheduler_infra.database.system_repository import PostgresSystemRepository
from scheduler_infra.database.task_repository import PostgresTaskRepository
from scheduler_infra.database.task_run_repository import PostgresTaskRunRepository
from scheduler_infra.database.unique_run_repository import PostgresUniqueRunRepository
from scheduler_infra.database.worker_session_repository import PostgresWorkerSessionRepository

_FIRST_LOOK_SECONDS = 0.25
"""So long it is waited for a connection before it is looked whether the server is away."""
_LATER_LOOK_SECONDS = 1.0
"""Whoever goes on waiting looks so often, and goes to the end of the queue with each look."""


class PostgresUnitOfWork(UnitOfWork):
    """Repositories over one connection, made when first asked for."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    @cached_property
    def tasks(self) -> TaskRepository:
        """See UnitOfWork."""
        return PostgresTaskRepository(self._connection)

    @cached_property
    def schedules(self) -> ScheduleRepository:
        """See UnitOfWork."""
        return PostgresScheduleRepository(self._connection)

    @cached_property
    def ledger(self) -> LedgerRepository:
        """See UnitOfWork."""
        return PostgresLedgerRepository(self._connection)

    @cached_property
    def task_runs(self) -> TaskRunRepository:
        """See UnitOfWork."""
        return PostgresTaskRunRepository(self._connection)

    @cached_property
    def flows(self) -> FlowRepository:
        """See UnitOfWork."""
        return PostgresFlowRepository(self._connection)

    @cached_property
    def flow_views(self) -> FlowViewRepository:
        """See UnitOfWork."""
        return PostgresFlowViewRepository(self._connection)

    @cached_property
    def intervals(self) -> IntervalRepository:
        """See UnitOfWork."""
        return PostgresIntervalRepository(self._connection)

    @cached_property
    def explanations(self) -> ExplanationRepository:
        """See UnitOfWork."""
        return PostgresExplanationRepository(self._connection)

    @cached_property
    def dispatchers(self) -> DispatcherRepository:
        """See UnitOfWork."""
        return PostgresDispatcherRepository(self._connection)

    @cached_property
    def dispatch(self) -> DispatchRepository:
        """See UnitOfWork."""
        return PostgresDispatchRepository(self._connection)

    @cached_property
    def limits(self) -> LimitRepository:
        """See UnitOfWork."""
        return PostgresLimitRepository(self._connection)

    @cached_property
    def quarantine(self) -> QuarantineRepository:
        """See UnitOfWork."""
        return PostgresQuarantineRepository(self._connection)

    @cached_property
    def retention(self) -> RetentionRepository:
        """See UnitOfWork."""
        return PostgresRetentionRepository(self._connection)

    @cached_property
    def unique_runs(self) -> UniqueRunRepository:
        """See UnitOfWork."""
        return PostgresUniqueRunRepository(self._connection)

    @cached_property
    def run_logs(self) -> RunLogRepository:
        """See UnitOfWork."""
        return PostgresRunLogRepository(self._connection)

    @cached_property
    def worker_sessions(self) -> WorkerSessionRepository:
        """See UnitOfWork."""
        return PostgresWorkerSessionRepository(self._connection)

    @cached_property
    def api_keys(self) -> ApiKeyRepository:
        """See UnitOfWork."""
        return PostgresApiKeyRepository(self._connection)

    @cached_property
    def idempotency(self) -> IdempotencyRepository:
        """See UnitOfWork."""
        return PostgresIdempotencyRepository(self._connection)

    @cached_property
    def system(self) -> SystemRepository:
        """See UnitOfWork."""
        return PostgresSystemRepository(self._connection)


class PostgresStore(Store):
    """Units of work over a pool of at most `max_connections`.

    With `attempts` of the pool whoever finds the server away is told at once instead of when the time allowed for a
    connection is over.
    """

    def __init__(
        self, pool: AsyncConnectionPool[AsyncConnection[Any]], attempts: ConnectionAttempts | None = None
    ) -> None:
        self._pool = pool
        self._attempts = attempts
        self._in_use = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[UnitOfWork]:
        """See Store."""
        async with self._connected() as connection:
            with translated():
                async with connection.transaction():
                    yield PostgresUnitOfWork(connection)

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[UnitOfWork]:
        """See Store."""
        async with self._connected() as connection:
            yield PostgresUnitOfWork(connection)

    async def close(self) -> None:
        """See Store."""
        await self._pool.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection[Any]]:
        cancels_before = _cancels()
        try:
            if self._attempts is None:
                connection = await self._pool.getconn()
            else:
                connection = await self._next_unless_away(self._attempts)
        except PoolClosed as error:
            raise StoreUnavailableError("The store is closed: this process is about to end.") from error
        except PoolTimeout as error:
            raise StoreUnavailableError(
                f"The database gave no connection within {self._pool.timeout:g} s: it is away, or all "
                f"{self._pool.max_size} connections of this process are in use (database.max_connections)."
            ) from error
        self._in_use += 1
        try:
            if _cancels() > cancels_before:
                # The pool waits with asyncio.wait_for, which before Python 3.12 forgets a cancel that comes together
                # with what it waits for. Whoever cancelled would wait for ever for this task to end.
                raise asyncio.CancelledError
            yield connection
        finally:
            self._in_use -= 1
            is_broken = connection.broken
            await self._pool.putconn(connection)
            if is_broken:
                # The server was most likely started anew: the idle ones are as dead, and would each fail once.
                await self._pool.drain()

    async def _next_unless_away(self, attempts: ConnectionAttempts) -> AsyncConnection[Any]:
        """A connection of the pool; StoreUnavailableError when none can be made and none in use may come back."""
        patience, deadline = _FIRST_LOOK_SECONDS, time.monotonic() + self._pool.timeout
        while True:
            try:
                return await self._pool.getconn(min(patience, max(0.0, deadline - time.monotonic())))
            except PoolTimeout:
                if isinstance(attempts.failure, psycopg.Error) and not self._in_use:
                    raise translate(attempts.failure) from attempts.failure
                if time.monotonic() >= deadline:
                    raise
                patience = _LATER_LOOK_SECONDS


def _cancels() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


async def open_pool(
    url: str,
    config: DatabaseConfig,
    *,
    application_name: str,
    max_connections: int,
    keeps_plans: bool = False,
    attempts: ConnectionAttempts | None = None,
) -> AsyncConnectionPool[AsyncConnection[Any]]:
    """Connect; raises StoreUnavailableError with the server's own reason when the first connection fails.

    What becomes of later attempts is noted in `attempts`; each is then given up at once, the next user makes another.

    Behind a pooler, which it sees by itself, nothing is prepared and settings hold for each transaction.
    """
    options: dict[str, Any] = {
        "autocommit": True,
        "application_name": application_name,
        "connect_timeout": max(1, math.ceil(config.connect_timeout_seconds)),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
    }
    with translated():
        # The pool would retry in the background and report a time-out: one connection by hand tells the reason.
        async with await AsyncConnection.connect(url, prepare_threshold=None, **options) as first:
            # A direct address beside this one says the same.
            pooled = bool(config.direct_url) or await is_pooled(first)
    settings = _session_settings(config)
    if keeps_plans and not pooled:
        # Else the planner finds the plan for the given numbers a little cheaper, and plans each claim again.
        settings["plan_cache_mode"] = "force_generic_plan"

    async def configure(connection: AsyncConnection[Any]) -> None:
        connection.adapters.register_dumper(list, FlatListDumper)
        if isinstance(connection, ScopedConnection):
            await connection.scope(settings)
            return
        await connection.execute(
            "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS setting(name, value)",
            (list(settings), list(settings.values())),
        )

    connection_class: type[AsyncConnection[Any]] = ScopedConnection if pooled else AsyncConnection
    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
        url,
        connection_class=connection_class if attempts is None else attempts.watch(connection_class),
        # The next statement may meet another server connection, which knows nothing of what this one has prepared.
        kwargs={**options, "prepare_threshold": None if pooled else 5},
        min_size=1,
        max_size=max_connections,
        configure=configure,
        open=False,
        timeout=config.connect_timeout_seconds,
        # Whoever waits for a connection is served by a new attempt as soon as the server is back.
        reconnect_timeout=config.connect_timeout_seconds if attempts is None else 0.0,
        max_lifetime=3600,
        num_workers=1,
    )
    await pool.open()
    return pool


def _session_settings(config: DatabaseConfig) -> dict[str, str]:
    return {
        "timezone": "UTC",
        # The statements look again at rows that they had to wait for, which no stricter level allows.
        "default_transaction_isolation": "read committed",
        "statement_timeout": f"{config.statement_timeout_seconds * 1000:.0f}",
        "lock_timeout": f"{config.lock_timeout_seconds * 1000:.0f}",
        "idle_in_transaction_session_timeout": "60000",
        "jit": "off",
        # Statistics of these fast-changing tables are always old: a plan made while a table was empty would read all
        # of it for ever. Every statement here has its index, so a sequential scan is never the better choice.
        "enable_seqscan": "off",
    }
