"""Runs that are made in one statement because their tasks stand alone."""

import asyncio
from typing import Any

import pytest

from fixtures.database import every_postgresql
from fixtures.factories import build_plan, create_runs, create_task
from fixtures.waiting import wait_until_blocked
from scheduler_core.interfaces import Store
from scheduler_core.models import (
    CreatedRun,
    Dependency,
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
        return await work.task_runs.create_single(wanted)


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


async def test_infra_integration_single_runs_wait_for_a_change_of_their_task(
    store: Store, second_store: Store, database_url: str
) -> None:
    """A pause that is not committed yet is waited for, and then counts."""
    task = await create_task(store)
    async with store.transaction() as work:
        await work.tasks.set_status([task.id], TaskStatus.PAUSED)
        asked = asyncio.create_task(made(second_store, single(task)))
        await wait_until_blocked(database_url)
    assert await asked == [None]
