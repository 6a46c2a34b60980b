"""Logs, keys, idempotency and system statistics in PostgreSQL."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from fixtures.database import every_postgresql
from fixtures.factories import build_plan, claim, create_runs, create_task, open_session, report
from fixtures.waiting import wait_until_blocked
from scheduler_core.errors import AlreadyExistsError, NotFoundError
from scheduler_core.interfaces import Store
from scheduler_core.models import RunLogEntry, StoredResponse

pytestmark = every_postgresql


def entry(run_id: int, sequence: int, content: str, attempt: int = 1) -> RunLogEntry:
    """A line of stdout."""
    return RunLogEntry(
        run_id=run_id,
        attempt=attempt,
        sequence=sequence,
        stream="stdout",
        logged_at=datetime.now(UTC),
        content=content,
    )


async def test_infra_integration_logs_are_read_in_order_and_fenced(store: Store) -> None:
    """Output is stored once, in order, and only of attempts that the session still holds."""
    await create_runs(store, build_plan(await create_task(store)))
    session, stranger = await open_session(store), await open_session(store)
    (run,) = await claim(store, session)
    async with store.autocommit() as work:
        assert await work.run_logs.append(session, [entry(run.id, 2, "b\n"), entry(run.id, 1, "a\n")]) == 2
        assert await work.run_logs.append(session, [entry(run.id, 2, "again")]) == 0
        assert await work.run_logs.append(session, [entry(run.id, 3, "stale", attempt=2)]) == 0
        assert await work.run_logs.append(stranger, [entry(run.id, 4, "forged")]) == 0
        await work.task_runs.finish(session, [report(run)])
        assert await work.run_logs.append(session, [entry(run.id, 5, "late")]) == 0
        assert [e.content for e in await work.run_logs.read(run.id)] == ["a\n", "b\n"]
        assert [e.content for e in await work.run_logs.read(run.id, after=(1, 1))] == ["b\n"]


async def test_infra_integration_keys_hold_until_they_are_revoked(store: Store) -> None:
    """A key is found by its hash while it lives; its name is free after it was revoked."""
    digest = hashlib.sha256(b"secret").digest()
    async with store.autocommit() as work:
        key = await work.api_keys.create("ci", "sch_abc", digest)
        assert await work.api_keys.find(digest) == key
        with pytest.raises(AlreadyExistsError):
            await work.api_keys.create("ci", "sch_def", hashlib.sha256(b"other").digest())
        await work.api_keys.revoke("ci")
        assert await work.api_keys.find(digest) is None
        with pytest.raises(NotFoundError, match="ci"):
            await work.api_keys.revoke("ci")
        await work.api_keys.create("ci", "sch_def", hashlib.sha256(b"other").digest())
        assert [k.revoked_at is None for k in await work.api_keys.all()] == [False, True]


async def test_infra_integration_idempotency_makes_the_second_wait_for_the_first(
    store: Store, second_store: Store, database_url: str
) -> None:
    """Two requests with one key at the same time: the second gets the first one's answer."""

    async def reserve() -> StoredResponse | None:
        async with second_store.transaction() as work:
            return await work.idempotency.reserve("trigger", "key", "hash")

    async with store.transaction() as work:
        assert await work.idempotency.reserve("trigger", "key", "hash") is None
        second = asyncio.create_task(reserve())
        await wait_until_blocked(database_url)
        await work.idempotency.complete("trigger", "key", 201, '{"id": 1}')
    assert await second == StoredResponse(request_hash="hash", status_code=201, body='{"id": 1}')


async def test_infra_integration_idempotency_forgets(store: Store) -> None:
    """Answers older than the limit are removed; a rolled back request leaves none."""
    async with store.autocommit() as work:
        await work.idempotency.reserve("trigger", "old", "h", datetime.now(UTC) - timedelta(days=2))
        await work.idempotency.reserve("trigger", "new", "h")
        assert await work.idempotency.remove_expired() == 1
    with pytest.raises(AlreadyExistsError):
        await undone_request(store)
    async with store.transaction() as work:
        assert await work.idempotency.reserve("trigger", "undone", "h") is None


async def test_infra_integration_system_statistics_count(store: Store) -> None:
    """D18: figures are counted by the database, never invented."""
    task = await create_task(store)
    await create_runs(store, build_plan(task), copies=3)
    session = await open_session(store, places=7)
    (run,) = await claim(store, session, 1)
    async with store.autocommit() as work:
        before = await work.system.statistics()
        await work.task_runs.finish(session, [report(run)])
        after = await work.system.statistics()
    assert before.runs_active_by_status == {"PENDING": 0, "DISPATCHED": 2, "RUNNING": 1}
    assert (before.workers_alive, before.places_total, before.places_taken) == (1, 7, 1)
    assert after.runs_finished_last_hour_by_status == {"COMPLETED": 1}
    assert before.tasks_by_status == {"ACTIVE": 1}
    assert before.oldest_dispatched_seconds is not None


async def undone_request(store: Store) -> None:
    """A request that reserves a key and then fails."""
    async with store.transaction() as work:
        await work.idempotency.reserve("trigger", "undone", "h")
        for _ in range(2):
            await work.api_keys.create("same", "sch_", b"same")
