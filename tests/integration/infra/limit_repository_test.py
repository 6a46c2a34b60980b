"""Limits in PostgreSQL: declared, changed, deleted, and how their keys stand."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from fixtures.factories import build_definition, build_plan, claim, create_runs, create_task, open_session
from scheduler_core.errors import LimitInUseError, LimitNameTakenError, LimitNotFoundError
from scheduler_core.interfaces import Store
from scheduler_core.models import Limit, LimitDefinition, LimitUse, Task, TaskStatus
from scheduler_infra.database.query_loader import query

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)


def limit(name: str, **changes: Any) -> LimitDefinition:
    """A limit of two at once."""
    return LimitDefinition(**{"name": name, "concurrent": 2, **changes})


async def create_limits(store: Store, *definitions: LimitDefinition) -> list[Limit]:
    """Store limits."""
    async with store.transaction() as work:
        return await work.limits.create(definitions)


class Database:
    """Puts in by hand what dispatchers and workers would, and looks at it."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def run(self, statement: Any, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []

    async def key(self, limit_id: int, key: str, tokens: float | None = None, at: datetime | None = None) -> int:
        """A value of a limit's key."""
        ((key_id,),) = await self.run(
            "INSERT INTO scheduler.limit_keys (limit_id, key, tokens, refilled_at) VALUES (%s, %s, %s, %s) "
            "RETURNING id",
            *(limit_id, key, tokens, at),
        )
        return int(key_id)

    async def sort(self, run_ids: list[int], *key_ids: int) -> None:
        """Put runs into a stream of these keys."""
        ((stream,),) = await self.run(
            "INSERT INTO scheduler.dispatch_streams (signature, key, limit_key_ids) "
            "VALUES (gen_random_uuid()::text, '{}', %s) RETURNING id",
            list(key_ids),
        )
        await self.run(
            "UPDATE scheduler.task_runs SET stream_id = %s, limit_key_ids = %s WHERE id = ANY(%s)",
            *(stream, list(key_ids), run_ids),
        )

    async def offer(self, run_id: int, session_id: int | None = None) -> None:
        """Make a run claimable."""
        await self.run(
            "UPDATE scheduler.task_runs SET status = 'DISPATCHED', offered_at = now(), assigned_to = %s WHERE id = %s",
            *(session_id, run_id),
        )

    async def start(self, run_id: int, session_id: int, *key_ids: int) -> None:
        """Let a run hold permits."""
        await self.run(
            "UPDATE scheduler.task_runs SET status = 'RUNNING', attempt = attempt + 1, session_id = %s, "
            "started_at = clock_timestamp() WHERE id = %s",
            *(session_id, run_id),
        )
        for key_id in key_ids:
            await self.run(
                "INSERT INTO scheduler.task_run_permits SELECT %s, id, attempt FROM scheduler.task_runs WHERE id = %s",
                *(key_id, run_id),
            )

    async def rows(self, run_ids: list[int]) -> list[tuple[Any, ...]]:
        """Where runs stand between due and running."""
        return await self.run(
            "SELECT status, stream_id IS NULL, limit_key_ids, assigned_to, offered_at IS NULL "
            "FROM scheduler.task_runs WHERE id = ANY(%s) ORDER BY id",
            run_ids,
        )


@pytest.fixture
def database(database_url: str) -> Database:
    """The database of the store."""
    return Database(database_url)


UNSORTED = ("PENDING", True, None, None, True)


async def make_runs(store: Store, task: Task, count: int) -> list[int]:
    """Runs of a task, in the order of their ids."""
    return sorted(run.run_id for run in await create_runs(store, build_plan(task), count))


async def test_limits_integration_create_and_look(store: Store) -> None:
    """Limits come back as they were written, by id, by name and in pages; names are of their namespace."""
    full = limit(
        "b", namespace="n", description="d", key="params.x", concurrent=None, rate=3, rate_seconds=0.5, burst=9
    )
    first, second, third = await create_limits(store, limit("b"), full, limit("a"))
    assert [each.definition() for each in (first, second, third)] == [limit("b"), full, limit("a")]
    async with store.autocommit() as work:
        assert await work.limits.get(second.id, "default") == second
        assert await work.limits.get("b", "n") == second
        assert [each.name for each in await work.limits.get_many(["b", "a", "c"], "default")] == ["a", "b"]
        assert await work.limits.page(None, limit=2) == [first, second]
        assert await work.limits.page("default", after_id=first.id) == [third]
        for reference in (10**9, "c"):
            with pytest.raises(LimitNotFoundError, match="no limit"):
                await work.limits.get(reference, "default")
    with pytest.raises(LimitNameTakenError, match="'a' exists already in namespace 'default'"):
        await create_limits(store, limit("z"), limit("a"))
    async with store.autocommit() as work:
        assert await work.limits.get_many(["z"], "default") == []


async def test_limits_integration_tasks_use_exactly_what_they_name(store: Store) -> None:
    """A task's links follow its definition, name what is missing, and end with the task."""
    first, second, _ = await create_limits(store, limit("a"), limit("b"), limit("a", namespace="other"))
    task = await create_task(store, name="t", limits=("a", "b"))

    async def users() -> list[tuple[str, ...]]:
        async with store.autocommit() as work:
            return [each.tasks for each in await work.limits.page(None)]

    assert await users() == [("t",), ("t",), ()]
    async with store.transaction() as work:
        (task,) = await work.tasks.update([task.id], [build_definition(name="t", limits=("b",))], [None])
    assert task.limits == ("b",)
    assert await users() == [(), ("t",), ()]
    with pytest.raises(LimitNotFoundError, match="'c'"):
        async with store.transaction() as work:
            await work.tasks.update([task.id], [build_definition(name="t", limits=("a", "c"))], [None])
    with pytest.raises(LimitInUseError, match="'t' uses it"):
        async with store.transaction() as work:
            await work.limits.delete([first.id, second.id])
    assert await users() == [(), ("t",), ()]
    async with store.transaction() as work:
        await work.tasks.set_status([task.id], TaskStatus.INACTIVE)
    assert await users() == [(), (), ()]
    async with store.transaction() as work:
        await work.limits.delete([first.id, second.id])
    assert len(await users()) == 1


async def test_limits_integration_delete_waits_for_who_begins_to_use_it(store: Store) -> None:
    """A task that names the limit and is not committed yet is seen by who deletes it."""
    (made,) = await create_limits(store, limit("a"))

    async def delete() -> None:
        async with store.transaction() as work:
            await work.limits.delete([made.id])

    async with store.transaction() as work:
        await work.tasks.create([build_definition(name="t", limits=("a",))], [None])
        deletion = asyncio.create_task(delete())
        done, _ = await asyncio.wait([deletion], timeout=0.3)
        assert not done
    with pytest.raises(LimitInUseError):
        await deletion


async def test_limits_integration_task_waits_for_who_deletes_its_limit(store: Store) -> None:
    """A task that names a limit which is being deleted finds that there is none."""
    (made,) = await create_limits(store, limit("a"))
    async with store.transaction() as work:
        await work.limits.delete([made.id])
        creation = asyncio.create_task(create_task(store, name="t", limits=("a",)))
        done, _ = await asyncio.wait([creation], timeout=0.3)
        assert not done
    with pytest.raises(LimitNotFoundError):
        await creation


async def test_limits_integration_other_numbers_recall_nothing(store: Store, database: Database) -> None:
    """Runs stay in their streams, claimable ones stay claimable; only the numbers change."""
    (made,) = await create_limits(store, limit("a", key="params.c"))
    task = await create_task(store, limits=("a",))
    runs = await make_runs(store, task, 2)
    key = await database.key(made.id, "x")
    await database.sort(runs, key)
    await database.offer(runs[0])
    before = await database.rows(runs)
    async with store.transaction() as work:
        (changed,) = await work.limits.update([made.id], [limit("a", key="params.c", concurrent=1, rate=5)], NOON)
    assert (changed.concurrent, changed.rate, changed.updated_at) == (1, 5, NOON)
    assert await database.rows(runs) == before


@pytest.mark.parametrize("way", ["key", "delete"])
async def test_limits_integration_another_key_or_none_recalls_what_waits(
    store: Store, database: Database, way: str
) -> None:
    """Waiting and claimable runs are to be sorted anew; running ones and those of other limits go on as they are."""
    made, other = await create_limits(store, limit("a"), limit("b"))
    task = await create_task(store, limits=("a", "b"))
    waiting, offered, running, elsewhere = runs = await make_runs(store, task, 4)
    key, other_key = await database.key(made.id, ""), await database.key(other.id, "")
    session = await open_session(store)
    await database.sort(runs[:3], key, other_key)
    await database.sort([elsewhere], other_key)
    await database.offer(offered, session)
    await database.offer(elsewhere)
    await database.start(running, session, key)
    untouched = await database.rows([running, elsewhere])
    async with store.transaction() as work:
        await work.tasks.update([task.id], [build_definition(name=task.name, limits=("b",))], [None])
    # The update of the task has recalled them already: put them back, as runs of a group would be.
    await database.sort([waiting, offered], key, other_key)
    await database.sort([elsewhere], other_key)
    await database.offer(offered, session)
    await database.offer(elsewhere)
    async with store.transaction() as work:
        if way == "key":
            (changed,) = await work.limits.update([made.id], [limit("a", key="params.c")])
            assert changed.key == "params.c"
        else:
            await work.limits.delete([made.id])
    assert await database.rows([waiting, offered]) == [UNSORTED, UNSORTED]
    assert await database.rows([running, elsewhere]) == untouched


async def test_limits_integration_change_waits_for_claims_under_way(
    store: Store, database: Database, database_url: str
) -> None:
    """The answer comes after every claim that judges by the former numbers has ended, and those after see the new."""
    (made,) = await create_limits(store, limit("a"))
    key = await database.key(made.id, "x")

    async def change() -> None:
        async with store.transaction() as work:
            await work.limits.update([made.id], [limit("a", concurrent=1)])

    async with await psycopg.AsyncConnection.connect(database_url) as claim:
        await claim.execute("SELECT FROM scheduler.limit_keys WHERE id = %s FOR UPDATE", (key,))
        changing = asyncio.create_task(change())
        done, _ = await asyncio.wait([changing], timeout=0.3)
        assert not done
        await claim.commit()
        await changing
        seen = await claim.execute("SELECT concurrent FROM scheduler.limits WHERE id = %s", (made.id,))
        assert await seen.fetchone() == (1,)


async def test_limits_integration_change_waits_for_the_window(store: Store, database_url: str) -> None:
    """While a dispatcher sorts runs no limit changes, so that none is sorted by a key that is not the limit's."""
    (made,) = await create_limits(store, limit("a"))

    async def change() -> None:
        async with store.transaction() as work:
            await work.limits.update([made.id], [limit("a", key="params.c")])

    async with await psycopg.AsyncConnection.connect(database_url) as window:
        await window.execute("SELECT FROM scheduler.dispatch_state FOR UPDATE")
        changing = asyncio.create_task(change())
        done, _ = await asyncio.wait([changing], timeout=0.3)
        assert not done
        await window.commit()
        await changing


async def test_limits_integration_update_of_a_limit_that_is_gone(store: Store) -> None:
    """Nothing is changed when one of the limits is not there."""
    (made,) = await create_limits(store, limit("a"))
    with pytest.raises(LimitNotFoundError):
        async with store.transaction() as work:
            await work.limits.update([made.id, 10**9], [limit("a", concurrent=9), limit("b")])
    async with store.autocommit() as work:
        assert await work.limits.get("a", "default") == made


async def test_limits_integration_uses_count_what_holds_and_waits(store: Store, database: Database) -> None:
    """Permits count for the attempt that runs; keys come by how much waits; a drained rate tells when it goes on."""
    (made,) = await create_limits(store, limit("a", key="params.c", rate=6, rate_seconds=60.0))
    task = await create_task(store, limits=("a",))
    runs = await make_runs(store, task, 9)
    session = await open_session(store)
    busy, idle = await database.key(made.id, "busy", 0.5, NOON), await database.key(made.id, "idle", 1.0, NOON)
    drained = await database.key(made.id, "drained", -1.0, NOON)
    await database.key(made.id, "full")
    await database.sort(runs[:6], busy)
    await database.sort(runs[6:7], idle)
    await database.offer(runs[5])
    for run in runs[:3]:
        await database.start(run, session, busy)
    # It has lost its worker and waits again: the permit of its first attempt is nobody's.
    await database.run("UPDATE scheduler.task_runs SET status = 'PENDING', session_id = NULL WHERE id = %s", runs[0])
    # It runs once more, and holds the permit of its former attempt no more.
    await database.run("UPDATE scheduler.task_runs SET attempt = 2 WHERE id = %s", runs[2])
    async with store.autocommit() as work:
        uses = await work.limits.uses(made.id, now=NOON)
        first = await work.limits.uses(made.id, limit=1, holders=0, now=NOON + timedelta(seconds=5))
        totals = await work.limits.totals()
    assert uses == [
        LimitUse(
            key="busy", running=1, claimable=1, waiting=3, holders=(runs[1],), free_at=NOON + timedelta(seconds=5)
        ),
        LimitUse(key="idle", running=0, claimable=0, waiting=1),
        LimitUse(key="drained", running=0, claimable=0, waiting=0, free_at=NOON + timedelta(seconds=20)),
    ]
    assert first == [LimitUse(key="busy", running=1, claimable=1, waiting=3)]
    assert totals == {("default", "a"): (1, 4)}
    assert drained


async def test_limits_integration_totals_name_every_limit(store: Store) -> None:
    """A limit that nobody uses has zeros."""
    await create_limits(store, limit("a"), limit("a", namespace="n"))
    async with store.autocommit() as work:
        assert await work.limits.totals() == {("default", "a"): (0, 0), ("n", "a"): (0, 0)}


async def test_limits_integration_smaller_number_holds_at_its_answer_under_load(
    store: Store, second_store: Store, database: Database
) -> None:
    """While sessions claim all the time, none starts a run beyond the new number once the change is answered."""
    (made,) = await create_limits(store, limit("a", concurrent=20))
    task = await create_task(store, limits=("a",))
    runs = await make_runs(store, task, 60)
    key = await database.key(made.id, "")
    await database.sort(runs, key)
    for run in runs:
        await database.offer(run)
    sessions = [await open_session(store, places=60) for _ in range(4)]
    answered = asyncio.Event()

    async def work(session: int, on: Store) -> None:
        misses = 0
        while misses < 3 or not answered.is_set():
            misses = 0 if await claim(on, session, 1) else misses + 1

    async def change() -> int:
        while not await database.run("SELECT 1 FROM scheduler.task_run_permits"):
            pass
        async with store.transaction() as work_unit:
            await work_unit.limits.update([made.id], [limit("a", concurrent=3)])
        ((running,),) = await database.run("SELECT count(*) FROM scheduler.task_runs WHERE status = 'RUNNING'")
        answered.set()
        return int(running)

    changing = asyncio.create_task(change())
    await asyncio.gather(*(work(session, on) for session, on in zip(sessions, [store, second_store] * 2, strict=True)))
    at_answer = await changing
    ((running,),) = await database.run("SELECT count(*) FROM scheduler.task_runs WHERE status = 'RUNNING'")
    assert running <= max(at_answer, 3)
    assert at_answer <= 20


async def test_limits_integration_change_is_answered_while_claims_never_pause(
    store: Store, database: Database, database_url: str
) -> None:
    """Claims that follow one another without a gap do not keep a change waiting: everybody waits in one line."""
    (made,) = await create_limits(store, limit("a"))
    key = await database.key(made.id, "x")
    answered = asyncio.Event()

    async def claim_on() -> None:
        parameters = {"session_id": session, "run_ids": runs}
        async with await psycopg.AsyncConnection.connect(database_url) as connection:
            while not answered.is_set():
                await connection.execute(query("lock_limit_keys"), parameters)
                await connection.execute("SELECT pg_sleep(0.002)")
                await connection.commit()

    async def change() -> None:
        try:
            async with store.transaction() as work:
                await work.limits.update([made.id], [limit("a", concurrent=1)])
        finally:
            answered.set()

    runs = await make_runs(store, await create_task(store, limits=("a",)), 1)
    session = await open_session(store)
    await database.sort(runs, key)
    await asyncio.gather(*(claim_on() for _ in range(6)), change())
    async with store.autocommit() as work:
        assert (await work.limits.get(made.id, "default")).concurrent == 1
