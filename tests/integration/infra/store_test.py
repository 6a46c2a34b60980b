"""The store over connections that break, are pooled, or belong to a database with settings of its own."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from fixtures.database import PostgresServer
from fixtures.factories import build_plan, claim, create_runs, create_task, open_session
from fixtures.tcp_proxy import TcpProxy
from fixtures.waiting import wait_until, wait_until_blocked
from scheduler_core.errors import StoreUnavailableError
from scheduler_core.interfaces import Store, UnitOfWork
from scheduler_core.models import TaskStatus
from scheduler_infra.database import DatabaseConfig, open_store
from scheduler_infra.database.store import PostgresStore, PostgresUnitOfWork


@pytest.mark.parametrize(
    "use",
    [
        lambda work: work.worker_sessions.close(1),
        lambda work: work.tasks.set_status([1], TaskStatus.PAUSED),
        lambda work: work.task_runs.seconds_to_next(),
    ],
    ids=["close", "set_status", "seconds_to_next"],
)
async def test_infra_integration_autocommit_tells_a_broken_connection_as_the_store_being_away(
    store: Store, database_url: str, use: Callable[[UnitOfWork], asyncio.Future[object]]
) -> None:
    """Methods of several statements and of one answer a lost connection with the same error of core."""
    async with store.autocommit() as work:
        break_connections(database_url)
        with pytest.raises(StoreUnavailableError):
            await use(work)


async def test_infra_integration_one_broken_connection_tells_of_the_others(store: Store, database_url: str) -> None:
    """After a server has been started anew one use fails, not one for each connection that was idle."""

    async def use(together: asyncio.Barrier) -> None:
        async with store.autocommit() as work, together:
            await work.task_runs.seconds_to_next()

    together = asyncio.Barrier(5)
    await asyncio.gather(*(use(together) for _ in range(5)))
    break_connections(database_url)
    with pytest.raises(StoreUnavailableError):
        await use(asyncio.Barrier(1))
    for _ in range(10):
        await use(asyncio.Barrier(1))


async def test_infra_integration_direct_url_means_that_nothing_is_prepared(database_url: str, tmp_path: Path) -> None:
    """Behind a transaction pooler the next statement may meet a server connection that has prepared nothing."""
    config = DatabaseConfig(url=database_url, direct_url=database_url)
    store = await open_store(config, state_dir=tmp_path, application_name="tests")
    try:
        async with store.autocommit() as work:
            assert isinstance(work, PostgresUnitOfWork)
            for _ in range(10):
                await work.task_runs.seconds_to_next()
            # In a block, so that the driver does not notice: to it this is another server connection.
            await work._connection.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
            assert await work.task_runs.seconds_to_next() is None
    finally:
        await store.close()


async def test_infra_integration_statements_look_again_whatever_the_database_defaults_to(
    database_url: str, tmp_path: Path
) -> None:
    """A database that defaults to a stricter isolation level does not turn every wait into a conflict."""
    name = urlsplit(database_url).path.removeprefix("/")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'".encode())
    config = DatabaseConfig(url=database_url)
    first = await open_store(config, state_dir=tmp_path, application_name="tests")
    second = await open_store(config, state_dir=tmp_path, application_name="tests")
    try:
        session = await open_session(first)
        (run,) = await create_runs(first, build_plan(await create_task(first)))
        async with first.transaction() as work:
            await work.worker_sessions.renew(session)
            claiming = asyncio.create_task(claim(second, session))
            await wait_until_blocked(database_url)
        assert [claimed.id for claimed in await claiming] == [run.run_id]
    finally:
        await first.close()
        await second.close()


async def test_infra_integration_whoever_waits_is_served_when_the_server_is_back(
    postgres_server: PostgresServer, database_url: str, tmp_path: Path, tcp_proxy: Callable[[Path], TcpProxy]
) -> None:
    """A server that was away for a moment costs a moment, not the whole time allowed for a connection."""
    proxy = tcp_proxy(postgres_server.socket_dir / ".s.PGSQL.5432")
    url = f"postgresql://scheduler@127.0.0.1:{proxy.port}{urlsplit(database_url).path}"
    store = await open_store(DatabaseConfig(url=url), state_dir=tmp_path, application_name="tests", max_connections=1)
    assert isinstance(store, PostgresStore)
    try:
        async with store.autocommit() as work:
            proxy.refuse()
            with pytest.raises(StoreUnavailableError):
                await work.task_runs.seconds_to_next()

        async def has_tried() -> bool:
            return store._pool.get_stats().get("connections_errors", 0) > 0

        async def use() -> None:
            async with store.autocommit() as work:
                await work.task_runs.seconds_to_next()

        waiting = asyncio.create_task(use())
        await wait_until(has_tried, what="an attempt that failed")
        proxy.accept()
        await waiting
    finally:
        await store.close()


async def test_infra_integration_whoever_answers_somebody_is_told_at_once_that_the_server_is_away(
    postgres_server: PostgresServer, database_url: str, tmp_path: Path, tcp_proxy: Callable[[Path], TcpProxy]
) -> None:
    """A request is refused within a moment instead of hanging for the time allowed; served when the server is back."""
    proxy = tcp_proxy(postgres_server.socket_dir / ".s.PGSQL.5432")
    url = f"postgresql://scheduler@127.0.0.1:{proxy.port}{urlsplit(database_url).path}"
    config = DatabaseConfig(url=url, connect_timeout_seconds=600)
    store = await open_store(
        config, state_dir=tmp_path, application_name="tests", max_connections=2, tells_at_once=True
    )

    async def use() -> None:
        async with store.autocommit() as work:
            await work.task_runs.seconds_to_next()

    try:
        await use()
        proxy.refuse()
        async with asyncio.timeout(60):
            for _ in range(3):
                with pytest.raises(StoreUnavailableError, match="Check that it runs"):
                    await use()
            proxy.accept()
            await use()
    finally:
        await store.close()


async def test_infra_integration_whoever_waits_for_a_connection_in_use_is_not_told_that_the_server_is_away(
    database_url: str, tmp_path: Path
) -> None:
    """A server that has no more connections to give still serves those it has given."""
    store = await open_store(
        DatabaseConfig(url=database_url),
        state_dir=tmp_path,
        application_name="tests",
        max_connections=1,
        tells_at_once=True,
    )

    async def use() -> None:
        async with store.autocommit() as work:
            await work.task_runs.seconds_to_next()

    try:
        assert isinstance(store, PostgresStore)
        assert store._attempts is not None
        async with store.autocommit():
            store._attempts.failure = psycopg.OperationalError("sorry, too many clients already")
            waiting = asyncio.create_task(use())
            # Longer than its first look.
            await asyncio.sleep(0.6)
            assert not waiting.done()
        await waiting
    finally:
        await store.close()


@pytest.mark.parametrize("steps", range(12))
async def test_infra_integration_cancelled_user_ends_although_its_connection_comes_in_the_same_moment(
    database_url: str, tmp_path: Path, steps: int
) -> None:
    """A cancel is never forgotten, at whichever step of the hand-over it comes: who waits for the task would hang."""
    config = DatabaseConfig(url=database_url)
    store = await open_store(config, state_dir=tmp_path, application_name="tests", max_connections=1)

    async def use_for_ever() -> None:
        while True:
            async with store.autocommit() as work:
                await work.task_runs.seconds_to_next()
            await asyncio.sleep(60)

    try:
        async with store.autocommit():
            user = asyncio.create_task(use_for_ever())
            await asyncio.sleep(0.05)
        for _ in range(steps):
            await asyncio.sleep(0)
        user.cancel()
        await asyncio.wait({user}, timeout=5)
        assert user.cancelled()
        # And its connection is there for others.
        async with store.autocommit() as work:
            assert await work.task_runs.seconds_to_next() is None
    finally:
        user.cancel()
        await store.close()


def break_connections(url: str) -> None:
    """Let the server end all other connections to its database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_infra_integration_a_closed_store_says_so(database_url: str, tmp_path: Path) -> None:
    """What a process still wants to do while it ends is told in the words of an outage, not of the driver."""
    store = await open_store(DatabaseConfig(url=database_url), state_dir=tmp_path, application_name="tests")
    await store.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        async with store.autocommit():
            pass
