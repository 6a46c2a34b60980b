"""The store, and the doctor, where a transaction pooler stands before the database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from fixtures.database import PostgresServer
from fixtures.factories import build_definition, create_task, open_session
from fixtures.pgbouncer import PgBouncer, running_pgbouncer
from fixtures.waiting import wait_until, wait_until_blocked
from scheduler_core.config import ConfigSection, Settings
from scheduler_core.errors import ConflictError, StoreUnavailableError, TaskNameTakenError
from scheduler_core.interfaces import Store, UnitOfWork
from scheduler_core.runtime import CheckResult
from scheduler_infra.checks import database
from scheduler_infra.database import DatabaseConfig, open_store
from scheduler_infra.database.pooler import Pooler, pooler_at
from scheduler_infra.database.store import PostgresUnitOfWork
from scheduler_infra.message_queue import MessageQueueConfig

SETTINGS = ("statement_timeout", "lock_timeout", "enable_seqscan", "jit", "timezone", "transaction_isolation")
OURS = {
    "statement_timeout": "7s",
    "lock_timeout": "300ms",
    "enable_seqscan": "off",
    "jit": "off",
    "timezone": "UTC",
    "transaction_isolation": "read committed",
}


@pytest.fixture(scope="module")
def pooler(postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    """A pooler of transactions before the tests' server."""
    with running_pgbouncer(postgres_server.socket_dir) as started:
        yield started


@pytest.fixture
def pooled(pooler: PgBouncer, database_url: str) -> DatabaseConfig:
    """Settings that lead through the pooler, with times unlike the defaults; it has to be noticed by itself."""
    return DatabaseConfig(
        url=pooler.url(name_of(database_url)), statement_timeout_seconds=7.0, lock_timeout_seconds=0.3
    )


@asynccontextmanager
async def opened(config: DatabaseConfig, tmp_path: Path) -> AsyncIterator[Store]:
    """A store with these settings."""
    store = await open_store(config, state_dir=tmp_path, application_name="tests")
    try:
        yield store
    finally:
        await store.close()


async def test_infra_integration_settings_hold_in_each_transaction_through_a_pooler(
    pooled: DatabaseConfig, tmp_path: Path
) -> None:
    """Single statements and transactions have all settings, whichever server connection they meet."""
    async with (
        opened(pooled, tmp_path) as store,
        await psycopg.AsyncConnection.connect(pooled.url, prepare_threshold=None) as other,
    ):
        servers = set()
        for turn in range(12):
            if turn == 6:
                # Its transaction takes the server connection that was used last: from now on another one is met.
                await other.execute("SELECT 1")
            async with store.autocommit() as work:
                assert await settings_of(work) == OURS
                servers.add(await server_of(work))
            async with store.transaction() as work:
                assert await settings_of(work) == OURS
                async with connection_of(work).transaction():
                    assert await settings_of(work) == OURS
                assert await settings_of(work) == OURS
        assert len(servers) > 1


async def test_infra_integration_settings_are_left_to_nobody_through_a_pooler(
    pooled: DatabaseConfig, tmp_path: Path
) -> None:
    """Another program that shares the server connections finds them as it would have without Scheduler."""
    async with opened(pooled, tmp_path) as store:
        async with store.transaction() as work:
            await settings_of(work)
        async with store.autocommit() as work:
            await settings_of(work)
        async with await psycopg.AsyncConnection.connect(pooled.url, autocommit=True, prepare_threshold=None) as other:
            for _ in range(12):
                found = await (await other.execute("SELECT current_setting('statement_timeout')")).fetchone()
                assert found == ("0",)


async def test_infra_integration_lock_timeout_holds_through_a_pooler(
    pooled: DatabaseConfig, database_url: str, tmp_path: Path
) -> None:
    """Who waits too long for a row gets the conflict, in and outside of a transaction, and can go on afterwards."""
    async with opened(pooled, tmp_path) as store:
        session = await open_session(store)
        with psycopg.connect(database_url) as other:
            other.execute("SELECT FROM scheduler.worker_sessions FOR UPDATE")
            async with store.autocommit() as work:
                with pytest.raises(ConflictError):
                    await work.worker_sessions.renew(session)
            with pytest.raises(ConflictError):
                async with store.transaction() as work:
                    await work.worker_sessions.renew(session)
        async with store.autocommit() as work:
            assert await work.worker_sessions.renew(session) == []


async def test_infra_integration_statements_look_again_through_a_pooler_whatever_the_database_defaults_to(
    pooled: DatabaseConfig, database_url: str, tmp_path: Path
) -> None:
    """A stricter default of the database is overruled, also for a statement that is a transaction by itself."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = name_of(database_url)
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'".encode())
    # A new pooler would do as well: those server connections that are open know the old default.
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    patient = DatabaseConfig(url=pooled.url)
    async with opened(patient, tmp_path) as first, opened(patient, tmp_path) as second:
        session = await open_session(first)
        async with first.transaction() as work:
            await work.worker_sessions.renew(session)
            renewing = asyncio.create_task(renew(second, session))
            await wait_until_blocked(database_url)
        assert await renewing == []


async def test_infra_integration_errors_are_told_as_without_a_pooler(pooled: DatabaseConfig, tmp_path: Path) -> None:
    """What the server refuses is the same error of core, undoes what was done with it, and costs no connection."""
    async with opened(pooled, tmp_path) as store:
        await create_task(store, name="taken")
        async with store.autocommit() as work:
            before = connection_of(work)
            with pytest.raises(TaskNameTakenError):
                await work.tasks.create([build_definition(name="free"), build_definition(name="taken")], [None, None])
            names = [found.name for found in await work.tasks.page(None, limit=10)]
            assert (connection_of(work), names) == (before, ["taken"])


async def test_infra_integration_store_survives_a_restart_of_the_pooler(
    pooled: DatabaseConfig, pooler: PgBouncer, tmp_path: Path
) -> None:
    """A pooler that was started anew is to the store what a server that was started anew is."""
    async with opened(pooled, tmp_path) as store:

        async def works() -> bool:
            # A connection that was being opened at that moment may be dead, too.
            with contextlib.suppress(StoreUnavailableError):
                async with store.autocommit() as work:
                    await work.task_runs.seconds_to_next()
                return True
            return False

        pooler.stop()
        assert not await works()
        pooler.start()
        await wait_until(works, what="a statement that succeeds")
        for _ in range(10):
            async with store.autocommit() as work:
                assert await settings_of(work) == OURS


async def test_infra_integration_nothing_is_prepared_through_a_pooler(pooled: DatabaseConfig, tmp_path: Path) -> None:
    """However often a statement is sent, no server connection keeps a name for it."""
    async with opened(pooled, tmp_path) as store:
        async with store.autocommit() as work:
            for _ in range(20):
                await work.task_runs.seconds_to_next()
            for _ in range(12):
                rows = await connection_of(work).execute("SELECT count(*) FROM pg_prepared_statements")
                assert await rows.fetchone() == (0,)


async def test_infra_integration_poolers_are_told_apart(
    postgres_server: PostgresServer, pooler: PgBouncer, database_url: str
) -> None:
    """The server itself, a pooler of transactions and one of sessions are seen for what they are."""
    name = name_of(database_url)
    assert await seen_at(database_url) is Pooler.NONE
    assert await seen_at(pooler.url(name)) is Pooler.TRANSACTION
    with running_pgbouncer(postgres_server.socket_dir, pool_mode="session") as sessions:
        assert await seen_at(sessions.url(name)) is Pooler.SESSION


@pytest.mark.parametrize(
    ("way", "queue", "is_well", "told"),
    [
        ("none", MessageQueueConfig(), True, "none before the database"),
        ("without direct_url", MessageQueueConfig(), False, "database.direct_url is not set"),
        ("with direct_url", MessageQueueConfig(), True, "database.direct_url goes past it"),
        ("direct_url through it", MessageQueueConfig(), False, "database.direct_url leads to it, too"),
        ("without direct_url", MessageQueueConfig(url="amqp://127.0.0.1:1//"), True, "db upgrade"),
    ],
)
async def test_infra_integration_doctor_tells_of_a_pooler(
    pooled: DatabaseConfig, database_url: str, tmp_path: Path, way: str, queue: ConfigSection, is_well: bool, told: str
) -> None:
    """What is missing is said with its remedy only where somebody needs it."""
    direct = {"with direct_url": database_url, "direct_url through it": pooled.url}.get(way, "")
    config = DatabaseConfig(url=database_url if way == "none" else pooled.url, direct_url=direct)
    result = await pooler_result(Settings.of(config, queue, state_dir=tmp_path))
    assert (result.ok, told in result.detail) == (is_well, True), result
    assert is_well or "Set database.direct_url" in result.remedy


async def test_infra_integration_doctor_tells_of_a_direct_url_that_nobody_answers(
    pooled: DatabaseConfig, tmp_path: Path
) -> None:
    """Both addresses are tried: the one for LISTEN and migrations is not used until it is needed."""
    config = DatabaseConfig(url=pooled.url, direct_url="postgresql://nobody@127.0.0.1:1/none")
    result = await pooler_result(Settings.of(config, state_dir=tmp_path))
    assert not result.ok
    assert "cannot be used now" in result.detail


async def pooler_result(settings: Settings) -> CheckResult:
    """What the doctor says of the pooler."""
    (found,) = [result async for result in database(settings) if result.name == "pooler"]
    return found


async def seen_at(url: str) -> Pooler:
    """What is found at a URL."""
    return await pooler_at(url, application_name="tests", connect_timeout=5)


async def renew(store: Store, session: int) -> object:
    """Renew a session, in a statement of its own."""
    async with store.autocommit() as work:
        return await work.worker_sessions.renew(session)


async def settings_of(work: UnitOfWork) -> dict[str, str]:
    """The settings that the next statement of a unit of work has."""
    rows = await connection_of(work).execute(
        "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name", (list(SETTINGS),)
    )
    return dict(await rows.fetchall())


async def server_of(work: UnitOfWork) -> int:
    """The server process that carries out the next statement."""
    row = await (await connection_of(work).execute("SELECT pg_backend_pid()")).fetchone()
    assert row is not None
    return int(row[0])


def connection_of(work: UnitOfWork) -> psycopg.AsyncConnection[Any]:
    """The connection of a unit of work."""
    assert isinstance(work, PostgresUnitOfWork)
    return work._connection


def name_of(url: str) -> str:
    """The name of the database in a URL."""
    return urlsplit(url).path.removeprefix("/")
