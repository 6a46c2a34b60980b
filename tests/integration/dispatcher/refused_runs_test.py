"""Runs that a claim refuses: they keep their age, and hold up nobody however many they are."""

from typing import Any

import psycopg
import pytest

from fixtures.factories import build_plan, claim, create_runs, create_task, open_session, report, status_of
from fixtures.windows import build_window, insert_limit
from scheduler_core.interfaces import Store
from scheduler_core.models import ClaimedRun, Lane, Task, TaskRunStatus

PYTHON, SHELL = Lane("default", "python"), Lane("default", "shell")


async def trigger(store: Store, task: Task, copies: int = 1, **changes: Any) -> list[int]:
    """Runs of a task."""
    return [run.run_id for run in await create_runs(store, build_plan(task), copies, **changes)]


async def end(store: Store, session_id: int, *runs: ClaimedRun) -> None:
    """Report the runs as completed."""
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(run) for run in runs])


def offer_all(url: str) -> None:
    """As if other dispatchers had let through more than there are permits: the claim is what holds."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "UPDATE scheduler.task_runs SET status = 'DISPATCHED', offered_at = now() "
            "WHERE status = 'PENDING' AND stream_id IS NOT NULL"
        )


def claim_ats(url: str) -> list[Any]:
    """Where the runs stand in the order of claims."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute("SELECT claim_at FROM scheduler.task_runs ORDER BY id").fetchall()


async def test_dispatcher_integration_a_refused_background_run_keeps_its_age(store: Store, database_url: str) -> None:
    """It goes before background runs that came after it, although it was put behind all live ones when offered."""
    insert_limit(database_url, "one", concurrent=1)
    background = await create_task(store, background=True, limits=("one",))
    live = await create_task(store, limits=("one",), task_type="shell")
    session_id = await open_session(store, places=10)
    [oldest] = await trigger(store, background)
    await trigger(store, live)
    born_at = claim_ats(database_url)
    window = build_window(store, background_share=0.0)
    await window.look()
    [first] = await claim(store, session_id, 10, SHELL, PYTHON)
    assert first.id != oldest
    assert await status_of(store, oldest) is TaskRunStatus.PENDING
    assert claim_ats(database_url)[0] == born_at[0]
    await trigger(store, background)
    await end(store, session_id, first)
    await window.look()
    assert [run.id for run in await claim(store, session_id, 10, SHELL, PYTHON)] == [oldest]


@pytest.mark.parametrize("limit", [1, 3])
async def test_dispatcher_integration_however_many_are_refused_the_claim_finds_who_can_run(
    store: Store, database_url: str, limit: int
) -> None:
    """One claim goes on behind a hundred refused runs, and takes no more than it was asked to."""
    insert_limit(database_url, "one", concurrent=1)
    limited, plain = await create_task(store, limits=("one",)), await create_task(store)
    session_id = await open_session(store, places=10)
    before = await trigger(store, limited, 101)
    behind = await trigger(store, plain, 5)
    await build_window(store).look()
    assert [run.id for run in await claim(store, session_id, 1)] == before[:1]
    offer_all(database_url)
    assert [run.id for run in await claim(store, session_id, limit)] == behind[:limit]
    assert [await status_of(store, run_id) for run_id in behind[limit:]] == [TaskRunStatus.DISPATCHED] * (5 - limit)


async def test_dispatcher_integration_a_claim_keeps_the_order_behind_refused_runs(
    store: Store, database_url: str
) -> None:
    """Of those behind the refused the oldest is taken, whether it needs permits or none."""
    for name, concurrent in (("full", 1), ("free", 9)):
        insert_limit(database_url, name, concurrent=concurrent)
    full, free = [await create_task(store, limits=(name,)) for name in ("full", "free")]
    plain = await create_task(store)
    session_id = await open_session(store, places=10)
    await trigger(store, full, 20)
    expected = [run_id for task in (plain, free, free, plain) for run_id in await trigger(store, task)]
    await build_window(store).look()
    assert len(await claim(store, session_id, 1)) == 1
    found = []
    for _ in expected:
        offer_all(database_url)
        found += [run.id for run in await claim(store, session_id, 1)]
    assert found == expected
