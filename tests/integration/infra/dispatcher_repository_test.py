"""Dispatchers in PostgreSQL: their rows, and what others read from them."""

from datetime import UTC, datetime, timedelta

import psycopg

from fixtures.database import every_postgresql
from scheduler_core.interfaces import Store

pytestmark = every_postgresql

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


async def alive(store: Store, now: datetime) -> tuple[int, datetime | None, str | None]:
    """How many are alive, when one was seen last, and what is wrong with its queue."""
    async with store.autocommit() as work:
        told = (await work.explanations.system(now)).dispatchers
    return told.alive, told.last_seen_at, told.queue_error


async def strategies_of(database_url: str, dispatcher_id: int) -> tuple[str, list[str]]:
    """What a row says of strategies: the default one, and all."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        rows = await connection.execute(
            "SELECT strategy, strategies FROM scheduler.dispatchers WHERE id = %s", (dispatcher_id,)
        )
        ((strategy, strategies),) = await rows.fetchall()
    return strategy, strategies


async def test_infra_integration_dispatchers_are_alive_while_they_are_seen(store: Store) -> None:
    """A dispatcher counts until it has been silent for 15 s, or has said that it ends."""
    assert await alive(store, NOON) == (0, None, None)
    async with store.autocommit() as work:
        first = await work.dispatchers.begin("one", 1, "0.1.0", NOON)
        second = await work.dispatchers.begin("two", 2, "0.1.0", NOON)
        assert await work.dispatchers.seen(first, "The broker is away.", NOON + 5 * SECOND)
        assert await alive(store, NOON + 14 * SECOND) == (2, NOON + 5 * SECOND, "The broker is away.")
        await work.dispatchers.end(second, NOON + 14 * SECOND)
    assert await alive(store, NOON + 19 * SECOND) == (1, NOON + 14 * SECOND, "The broker is away.")
    assert await alive(store, NOON + 20 * SECOND) == (0, NOON + 14 * SECOND, None)


async def test_infra_integration_dispatchers_that_are_long_gone_are_forgotten(store: Store) -> None:
    """Rows that ended, or were last seen, before the limit go; who had one is told."""
    async with store.autocommit() as work:
        old = await work.dispatchers.begin("old", 1, "0.1.0", NOON - 61 * SECOND)
        fresh = await work.dispatchers.begin("fresh", 2, "0.1.0", NOON - 61 * SECOND)
        await work.dispatchers.seen(fresh, None, NOON)
        assert await work.dispatchers.prune(60, NOON) == 1
        assert not await work.dispatchers.seen(old, None, NOON)
        assert await work.dispatchers.seen(fresh, None, NOON)


async def test_infra_integration_dispatchers_tell_how_they_choose_workers(store: Store, database_url: str) -> None:
    """The row says which strategy decides and which are known; what is not said again stays."""
    async with store.autocommit() as work:
        dispatcher_id = await work.dispatchers.begin("one", 1, "0.1.0", NOON)
        assert await strategies_of(database_url, dispatcher_id) == ("shared", ["shared"])
        await work.dispatchers.seen(dispatcher_id, None, NOON, strategy="mine", strategies=["mine", "random"])
        await work.dispatchers.seen(dispatcher_id, None, NOON + SECOND)
        assert await strategies_of(database_url, dispatcher_id) == ("mine", ["mine", "random"])
        await work.dispatchers.seen(dispatcher_id, None, NOON, strategy="random")
        assert await strategies_of(database_url, dispatcher_id) == ("random", ["mine", "random"])
