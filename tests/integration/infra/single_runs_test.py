"""Runs that are made in one statement because their tasks stand alone."""

from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from fixtures.database import every_postgresql
from fixtures.factories import build_plan, claim, create_runs, create_task, open_session
from scheduler_core.interfaces import Store
from scheduler_core.models import (
    CommitRing,
    CreatedRun,
    Dependency,
    Lane,
    SingleRun,
    Task,
    TaskRunStatus,
    TaskStatus,
)

pytestmark = every_postgresql


def single(task: Task, **changes: Any) -> SingleRun:
    """A run of a task as it was read."""
    return SingleRun(task_id=task.id, task_version_id=task.task_version_id, **changes)


async def made(store: Store, *wanted: SingleRun) -> list[CreatedRun | None]:
    """Make them."""
    async with store.autocommit() as work:
        return (await work.task_runs.create_single(wanted)).runs


async def test_infra_integration_single_runs_are_those_that_a_flow_of_one_would_be(store: Store) -> None:
    """Every column is written as by create_flows, but for the ids and the moments."""
    task = await create_task(store, priority=7, max_retries=3, total_timeout_seconds=90.0, queue="other")
    parameters, trace = '{"x": [1]}', "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    (flow,) = await create_runs(store, build_plan(task), parameters=parameters, trace_context=trace)
    (one,) = await made(store, single(task, parameters=parameters, trace_context=trace))

    assert one is not None
    assert one.flow_id == one.run_id != flow.run_id
    async with store.autocommit() as work:
        connection = work._connection  # type: ignore[attr-defined]  # what no model shows is compared, too
        rows = await (
            await connection.execute(
                "SELECT to_jsonb(run) FROM scheduler.task_runs AS run WHERE task_id = %s ORDER BY id", [task.id]
            )
        ).fetchall()
    first, second = (row[0] for row in rows)
    assert first.keys() == second.keys()
    differing = {name for name in first if first[name] != second[name]}
    assert differing == {"id", "flow_id", "scheduled_at", "not_before", "created_at", "claim_at"}
    assert second["scheduled_at"] == second["not_before"] == second["created_at"]


async def test_infra_integration_single_runs_come_in_their_places(store: Store) -> None:
    """Of several, each answer stands where its question stood, also beside one that makes nothing."""
    first, second = await create_task(store), await create_task(store)
    outdated = SingleRun(task_id=first.id, task_version_id=first.task_version_id + 10**6)

    runs = await made(store, single(first), outdated, single(second), single(first))

    assert [run and run.task_id for run in runs] == [first.id, None, second.id, first.id]
    ids = [run.run_id for run in runs if run is not None]
    assert ids == sorted(set(ids))
    assert {run.status for run in runs if run is not None} == {TaskRunStatus.DISPATCHED}


@pytest.mark.parametrize(
    "changes",
    [
        {"shards": 2},
        {"when": "true"},
        {"queue_timeout_seconds": 5.0},
        {"strategy": "round_robin"},
        {"fairness_key": "params.tenant"},
        {"background": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_infra_integration_single_runs_are_not_made_of_others(store: Store, changes: dict[str, Any]) -> None:
    """A task whose runs need more than a row makes none in this way."""
    assert await made(store, single(await create_task(store, **changes))) == [None]


async def test_infra_integration_single_runs_are_not_made_within_a_graph(store: Store) -> None:
    """Neither of a task that others depend on, nor of one that depends on another, by whichever kind of edge."""
    root = await create_task(store)
    below = await create_task(store, dependencies=(root.name,))
    awaited = await create_task(store)
    waiting = await create_task(store, dependencies=(Dependency(awaited.name, "latest"),))
    within = await create_task(store)
    around = await create_task(store, task_type="flow", sub_flow=within.name)

    tasks = [root, below, awaited, waiting, within, around]
    assert await made(store, *map(single, tasks)) == [None] * len(tasks)


@pytest.mark.parametrize("status", [TaskStatus.PAUSED, TaskStatus.INACTIVE])
async def test_infra_integration_single_runs_are_not_made_of_idle_tasks(store: Store, status: TaskStatus) -> None:
    """Runs of paused tasks are held, and of deleted ones there are none: both is decided elsewhere."""
    task = await create_task(store)
    async with store.transaction() as work:
        await work.tasks.set_status([task.id], status)

    assert await made(store, single(task)) == [None]


async def test_infra_integration_single_runs_of_a_task_that_is_changed_are_left_to_whoever_can_wait(
    store: Store, second_store: Store
) -> None:
    """Others that are asked for at the same time are made meanwhile."""
    changed, other = await create_task(store), await create_task(store)
    async with store.transaction() as work:
        await work.tasks.set_status([changed.id], TaskStatus.PAUSED)
        first, second = await made(second_store, single(changed), single(other))
    assert first is None
    assert second is not None
    assert second.task_id == other.id


async def rung_by(
    store: Store, url: str, sessions: Sequence[int], ring_runs: int, *tasks: Task
) -> tuple[set[int], bool]:
    """Which of the sessions the statement that makes a run of each task notifies, and whether that is enough."""
    with psycopg.connect(url, autocommit=True) as listener:
        for session in sessions:
            listener.execute(f'LISTEN "bells.session-{session}"'.encode())
        async with store.autocommit() as work:
            answer = await work.task_runs.create_single(
                [single(task) for task in tasks], CommitRing("bells.session-", "look"), ring_runs
            )
        # Whatever was notified by a commit that has been answered is there before the next answer.
        listener.execute("SELECT 1")
        heard = list(listener.notifies(timeout=0))
    assert {notify.payload for notify in heard} <= {"look"}
    rung = [int(notify.channel.removeprefix("bells.session-")) for notify in heard]
    assert len(rung) == len(set(rung))
    return set(rung), answer.is_rung


async def test_infra_integration_single_runs_ring_as_they_are_committed(store: Store, database_url: str) -> None:
    """The emptiest sessions that can take them hear of it, as many as have places for them, and nobody else."""
    task, other = await create_task(store), await create_task(store, queue="other")
    wide, narrow, tiny = [await open_session(store, places=places) for places in (5, 3, 1)]
    elsewhere = await open_session(store, queues=("other",))
    draining = await open_session(store)
    async with store.autocommit() as work:
        await work.worker_sessions.renew(draining, draining=True)
    everybody = [wide, narrow, tiny, elsewhere, draining]

    async def rung(ring_runs: int, *tasks: Task) -> tuple[set[int], bool]:
        return await rung_by(store, database_url, everybody, ring_runs, *tasks)

    assert await rung(5, task) == ({wide}, True)
    assert await rung(6, task, task) == ({wide, narrow}, True)
    assert await rung(10, task) == ({wide, narrow, tiny}, False)
    assert await rung(9, task) == ({wide, narrow, tiny}, True)
    assert await rung(1, other) == ({elsewhere}, True)
    assert await rung(2, task, other) == (set(), False)
    assert len(await claim(store, wide, 5)) == 5
    assert await rung(1, task) == ({narrow}, True)


async def test_infra_integration_single_runs_say_when_they_have_not_rung_enough(
    store: Store, database_url: str
) -> None:
    """Of many sessions some are looked at, and whoever is full now may be free, and asleep, when the run is there."""
    task = await create_task(store)
    sessions = [await open_session(store, places=1) for _ in range(17)]

    rung, is_rung = await rung_by(store, database_url, sessions, 16, task)
    assert (len(rung), is_rung) == (16, True)
    rung, is_rung = await rung_by(store, database_url, sessions, 17, task)
    assert (len(rung), is_rung) == (16, False)
    full = await create_task(store, queue="full")
    session = await open_session(store, queues=("full",), places=1)
    assert await rung_by(store, database_url, [session], 1, full) == ({session}, True)
    await claim(store, session, 1, Lane("full", full.task_type))
    assert await rung_by(store, database_url, [session], 1, full) == (set(), False)
