"""What a limit's key keeps when its limit changes, and when it is forgotten."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from fixtures.factories import build_plan, claim, create_runs, create_task, open_session, report
from fixtures.waiting import wait_until_blocked
from fixtures.windows import build_window, insert_limit
from scheduler_core.decisions.limit_rules import capacity, tokens_at
from scheduler_core.interfaces import Store
from scheduler_core.models import ClaimedRun, LimitDefinition, LimitKeyState, TaskStatus
from scheduler_infra.database.task_run_repository import PostgresTaskRunRepository

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=30)


def rows(url: str, statement: str, **parameters: Any) -> list[Any]:
    """What a statement answers."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement.encode(), parameters).fetchall()


def insert_key(url: str, limit_id: int, key: str, tokens: float | None, at: datetime | None = NOON) -> int:
    """A value of a limit's key."""
    ((key_id,),) = rows(
        url,
        "INSERT INTO scheduler.limit_keys (limit_id, key, tokens, refilled_at) "
        "VALUES (%(limit_id)s, %(key)s, %(tokens)s, %(at)s) RETURNING id",
        limit_id=limit_id,
        key=key,
        tokens=tokens,
        at=at,
    )
    return int(key_id)


async def started(store: Store, database_url: str, *limits: str) -> tuple[int, list[ClaimedRun]]:
    """A run for each of three customers that holds permits of these limits, and its session."""
    task = await create_task(store, name="t", limits=limits)
    session_id = await open_session(store, places=10)
    for name in "abc":
        await create_runs(store, build_plan(task), parameters=f'{{"customer": "{name}"}}')
    window = build_window(store)
    # The first expressions of a process may take longer than a look evaluates for.
    while await window.look() == 0.0:
        pass
    runs = await claim(store, session_id)
    assert len(runs) == 3
    return session_id, runs


async def test_infra_integration_limited_runs_are_not_begun_after_a_drain(
    store: Store, second_store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drain that is answered between the two halves of a claim holds for the second one, which gives out permits."""
    insert_limit(database_url, "api", concurrent=1)
    await create_runs(store, build_plan(await create_task(store, limits=("api",))))
    session_id = await open_session(store, worker_id="one")
    window = build_window(store)
    while await window.look() == 0.0:
        pass
    second_half = PostgresTaskRunRepository._claim_limited

    async def drain_before(*arguments: Any) -> list[ClaimedRun]:
        async with second_store.autocommit() as work:
            await work.worker_sessions.drain("one", True)
        return await second_half(*arguments)

    monkeypatch.setattr(PostgresTaskRunRepository, "_claim_limited", drain_before)

    assert await claim(store, session_id) == []
    monkeypatch.undo()
    async with store.autocommit() as work:
        await work.worker_sessions.drain("one", False)
    assert len(await claim(store, session_id)) == 1


async def test_infra_integration_a_claim_locks_keys_in_ascending_order(store: Store, database_url: str) -> None:
    """Whichever key a claim waits for, it holds those before it and none behind it, so that claims never deadlock."""
    names = tuple("abcde")
    for name in names:
        insert_limit(database_url, name, concurrent=len(names))
    await create_runs(store, build_plan(await create_task(store, limits=names)), len(names))
    session_id = await open_session(store)
    window = build_window(store)
    while await window.look() == 0.0:
        pass
    key_ids = [key_id for (key_id,) in rows(database_url, "SELECT id FROM scheduler.limit_keys ORDER BY id")]
    assert len(key_ids) == len(names)
    for place, key_id in enumerate(key_ids):
        async with await psycopg.AsyncConnection.connect(database_url) as holder:
            await holder.execute("SELECT FROM scheduler.limit_keys WHERE id = %s FOR UPDATE", (key_id,))
            claiming = asyncio.create_task(claim(store, session_id, 1))
            await wait_until_blocked(database_url)
            free = rows(database_url, "SELECT id FROM scheduler.limit_keys FOR UPDATE SKIP LOCKED")
        assert len(await claiming) == 1
        assert sorted(each for (each,) in free) == key_ids[place + 1 :]


async def end(store: Store, session_id: int, *runs: ClaimedRun) -> None:
    """Report the runs as completed."""
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(run) for run in runs])


async def forget(store: Store, limit: int = 1000, now: datetime | None = None) -> int:
    """As a dispatcher does now and then."""
    async with store.transaction() as work:
        assert await work.dispatch.hold_window() is not None
        return await work.dispatch.forget(limit, now)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # Half a start has come by one an hour since noon; sixty a minute would have filled all.
        ({"rate": 60, "rate_seconds": 60.0, "burst": 50}, {"drained": 0.5, "some": 20.5, "full": None, "new": None}),
        ({"rate": 1, "rate_seconds": 3600.0, "burst": 10}, {"drained": 0.5, "some": None, "full": None, "new": None}),
        ({"rate": 1, "rate_seconds": 3600.0, "burst": 90}, {"drained": 0.5, "some": 20.5, "full": None, "new": None}),
        ({"concurrent": 1}, {"drained": 0.5, "some": 20.5, "full": None, "new": None}),
    ],
)
async def test_limits_integration_another_rate_keeps_what_is_in_the_buckets(
    store: Store, database_url: str, changes: dict[str, Any], expected: dict[str, float | None]
) -> None:
    """What has come by the former rate until the change stays, up to the new burst; a full bucket is full."""
    limit_id = insert_limit(database_url, "r", rate=1, rate_seconds=3600.0, burst=50)
    other = insert_key(database_url, insert_limit(database_url, "o", rate=1), "", 0.0)
    insert_key(database_url, limit_id, "drained", 0.0)
    insert_key(database_url, limit_id, "some", 20.0)
    insert_key(database_url, limit_id, "full", 49.9)
    insert_key(database_url, limit_id, "new", None, None)
    async with store.transaction() as work:
        await work.limits.update([limit_id], [LimitDefinition(name="r", **changes)], LATER)
    found = rows(
        database_url,
        "SELECT key, tokens, refilled_at FROM scheduler.limit_keys WHERE limit_id = %(limit_id)s",
        limit_id=limit_id,
    )
    assert {key: tokens for key, tokens, _ in found} == expected
    assert {at for key, _, at in found if key != "new"} == {LATER}
    untouched = rows(database_url, "SELECT tokens, refilled_at FROM scheduler.limit_keys WHERE id = %(id)s", id=other)
    assert untouched == [(0.0, NOON)]


async def test_limits_integration_another_rate_starts_nothing_that_was_not_left(
    store: Store, database_url: str
) -> None:
    """A drained bucket stays drained in the moment of the change, however long ago it was drawn from."""
    limit_id = insert_limit(database_url, "r", key="params.customer", rate=1, rate_seconds=3600.0, burst=1)
    await started(store, database_url, "r")
    rows(database_url, "UPDATE scheduler.limit_keys SET refilled_at = refilled_at - interval '30 min' RETURNING id")
    async with store.transaction() as work:
        task = await work.tasks.get("t", "default")
        definition = LimitDefinition(name="r", key="params.customer", rate=60, rate_seconds=3600.0, burst=20)
        await work.limits.update([limit_id], [definition])
    await create_runs(store, build_plan(task), 20, parameters='{"customer": "a"}')
    await build_window(store).look()
    assert await claim(store, await open_session(store, places=30), 30) == []


async def test_limits_integration_other_fields_leave_the_buckets(store: Store, database_url: str) -> None:
    """A change that keeps rate and burst writes to no key."""
    limit_id = insert_limit(database_url, "r", rate=5, burst=9)
    insert_key(database_url, limit_id, "a", 1.0)
    async with store.transaction() as work:
        definition = LimitDefinition(name="r", description="x", concurrent=3, rate=5, burst=9)
        await work.limits.update([limit_id], [definition], LATER)
    assert rows(database_url, "SELECT tokens, refilled_at FROM scheduler.limit_keys") == [(1.0, NOON)]


@pytest.mark.parametrize("rate", [None, 7])
@pytest.mark.parametrize("burst", [None, 3])
@pytest.mark.parametrize("tokens", [None, -2.5, 0.0, 2.9])
@pytest.mark.parametrize("seconds", [-60.0, 0.0, 0.4, 1.0, 90.0])
async def test_limits_integration_the_database_reckons_as_claims_do(
    database_url: str, rate: int | None, burst: int | None, tokens: float | None, seconds: float
) -> None:
    """What statements find left in a bucket is what claims find; full is NULL."""
    at = None if tokens is None else NOON
    key = LimitKeyState(id=1, now=NOON, rate=rate, rate_seconds=2.5, burst=burst, tokens=tokens, refilled_at=at)
    moment = NOON + timedelta(seconds=seconds)
    left = tokens_at(key, moment)
    ((found,),) = rows(
        database_url,
        "SELECT scheduler.tokens_left(%(tokens)s, %(at)s, %(rate)s, 2.5, %(burst)s, %(moment)s)",
        tokens=tokens,
        at=at,
        rate=rate,
        burst=burst,
        moment=moment,
    )
    assert found == (None if left == capacity(key) else pytest.approx(left))


async def test_limits_integration_keys_that_nobody_uses_are_forgotten(store: Store, database_url: str) -> None:
    """A key goes with its permits once no run is on its way or holds a permit, and its bucket has filled."""
    insert_limit(database_url, "rate", key="params.customer", rate=1, rate_seconds=3600.0, burst=2)
    insert_limit(database_url, "places", key="params.customer", concurrent=5)
    session_id, runs = await started(store, database_url, "rate", "places")
    await end(store, session_id, *runs[1:])
    names = (
        "SELECT limits.name, key.key FROM scheduler.limit_keys AS key "
        "JOIN scheduler.limits ON limits.id = key.limit_id ORDER BY limits.name, key.key"
    )
    # Two streams, and what only bounds how many run; the buckets still fill.
    assert await forget(store) == 4
    assert rows(database_url, names) == [("places", "a"), ("rate", "a"), ("rate", "b"), ("rate", "c")]
    assert await forget(store, now=datetime.now(UTC) + timedelta(hours=2)) == 2
    assert rows(database_url, names) == [("places", "a"), ("rate", "a")]
    assert rows(database_url, "SELECT run_id FROM scheduler.task_run_permits") == [(runs[0].id,)] * 2
    await end(store, session_id, runs[0])
    assert await forget(store, now=datetime.now(UTC) + timedelta(hours=2)) == 3
    assert rows(database_url, names) == []
    assert rows(database_url, "SELECT run_id FROM scheduler.task_run_permits") == []


async def test_limits_integration_keys_are_forgotten_in_batches(store: Store, database_url: str) -> None:
    """No more go at once than the caller says, and keys that have to stay hold up none behind them."""
    limit_id = insert_limit(database_url, "r", rate=1, burst=9)
    for number in range(4):
        insert_key(database_url, limit_id, f"drained {number}", 0.0)
    for number in range(5):
        insert_key(database_url, limit_id, f"full {number}", None, None)
    assert [await forget(store, 3, NOON) for _ in range(3)] == [3, 2, 0]
    assert rows(database_url, "SELECT count(*) FROM scheduler.limit_keys WHERE tokens IS NULL") == [(0,)]
    assert rows(database_url, "SELECT count(*) FROM scheduler.limit_keys") == [(4,)]


async def test_limits_integration_a_key_that_is_held_is_not_forgotten(store: Store, database_url: str) -> None:
    """What a claim holds is stepped over, and neither waits for the other."""
    key_id = insert_key(database_url, insert_limit(database_url, "r", rate=1), "a", None, None)
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute("SELECT FROM scheduler.limit_keys WHERE id = %s FOR UPDATE", (key_id,))
        assert await forget(store) == 0
    assert await forget(store) == 1


async def test_limits_integration_a_limit_takes_its_permits_with_it(store: Store, database_url: str) -> None:
    """Also those of runs that still run; the permits of other limits stay."""
    insert_limit(database_url, "kept", key="params.customer", concurrent=5)
    limit_id = insert_limit(database_url, "gone", key="params.customer", concurrent=5)
    session_id, runs = await started(store, database_url, "kept", "gone")
    await end(store, session_id, runs[0])
    async with store.transaction() as work:
        task = await work.tasks.get("t", "default")
        await work.tasks.set_status([task.id], TaskStatus.INACTIVE)
        await work.limits.delete([limit_id])
    kept = "SELECT count(*) FROM scheduler.task_run_permits WHERE limit_key_id IN (SELECT id FROM scheduler.limit_keys)"
    assert rows(database_url, kept) == [(3,)]
    assert rows(database_url, "SELECT count(*) FROM scheduler.task_run_permits") == [(3,)]
