"""Tasks in PostgreSQL: definitions, versions, edges, and what pausing, changing and deleting do to runs."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from fixtures.database import every_postgresql
from fixtures.factories import (
    build_definition,
    build_plan,
    claim,
    create_runs,
    create_task,
    open_session,
    status_of,
)
from fixtures.query_change import QueryChange
from fixtures.waiting import wait_until_blocked
from scheduler_core.errors import TaskNameTakenError, TaskNotFoundError
from scheduler_core.interfaces import Store
from scheduler_core.models import (
    FlowRequest,
    Lane,
    MisfirePolicy,
    OverlapPolicy,
    RetryPolicy,
    RunTrigger,
    Schedule,
    ScheduleAdvance,
    Task,
    TaskGraph,
    TaskRunStatus,
    TaskStatus,
)

pytestmark = every_postgresql

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_infra_integration_create_keeps_the_whole_definition(store: Store) -> None:
    """What was stored reads back as the same definition."""
    upstream = await create_task(store)
    definition = build_definition(
        name="Übersicht; rm -rf $(x)",
        parameters={"command": "a;b|c&d $(e) 'f' \"g\"", "n": [1, 2.5, None, {"x": True}]},
        dependencies=(upstream.name,),
        queue="slow",
        priority=7,
        timeout_seconds=None,
        max_retries=3,
        retry=RetryPolicy(delay_seconds=1.5, jitter=0.0),
        description="what it does",
        misfire=MisfirePolicy.SKIP,
        misfire_grace_seconds=12.5,
        misfire_runs_max=3,
        overlap=OverlapPolicy.CANCEL_PREVIOUS,
    )
    async with store.transaction() as work:
        (task,) = await work.tasks.create([definition], [None])
    async with store.autocommit() as work:
        assert (await work.tasks.get(task.name, "default")).definition() == definition
        assert await work.tasks.get(task.id, "default") == await work.tasks.get(str(task.id), "default")


async def test_infra_integration_create_is_all_or_nothing(store: Store) -> None:
    """A taken name in a batch undoes the whole batch and is named."""
    taken = await create_task(store)
    fresh = build_definition()
    async with store.autocommit() as work:
        with pytest.raises(TaskNameTakenError, match=taken.name):
            await work.tasks.create([fresh, build_definition(name=taken.name)], [None, None])
        with pytest.raises(TaskNotFoundError):
            await work.tasks.get(fresh.name, "default")


async def test_infra_integration_create_names_a_missing_upstream(store: Store) -> None:
    """A dependency that does not exist is refused with its name, and nothing is stored."""
    definition = build_definition(dependencies=("nowhere",))
    async with store.autocommit() as work:
        with pytest.raises(TaskNotFoundError, match="nowhere"):
            await work.tasks.create([definition], [None])
        assert await work.tasks.page("default") == []


async def test_infra_integration_names_are_free_again_after_delete(store: Store) -> None:
    """A deleted task keeps its history under its id, and its name may be used again."""
    old = await create_task(store, name="report")
    async with store.autocommit() as work:
        await work.tasks.set_status([old.id], TaskStatus.INACTIVE)
    new = await create_task(store, name="report")
    async with store.autocommit() as work:
        assert (await work.tasks.get("report", "default")).id == new.id
        assert (await work.tasks.get(old.id, "default")).status is TaskStatus.INACTIVE


async def test_infra_integration_namespaces_keep_names_apart(store: Store) -> None:
    """The same name may stand in two namespaces; dependencies stay within one."""
    await create_task(store, name="load", namespace="a")
    await create_task(store, name="load", namespace="b")
    async with store.autocommit() as work:
        assert [task.namespace for task in await work.tasks.page(None)] == ["a", "b"]
        with pytest.raises(TaskNotFoundError):
            await work.tasks.create([build_definition(namespace="c", dependencies=("load",))], [None])


async def test_infra_integration_update_writes_a_new_version(store: Store) -> None:
    """Versions are immutable: the old one stays readable for the runs that used it."""
    upstream = await create_task(store)
    old = await create_task(store, parameters={"v": 1}, dependencies=(upstream.name,))
    async with store.transaction() as work:
        (new,) = await work.tasks.update([old.id], [build_definition(name=old.name, parameters={"v": 2})], [None])
    assert (new.version, new.parameters, new.dependencies) == (2, {"v": 2}, ())
    async with store.autocommit() as work:
        versions = await work.task_runs.versions([old.task_version_id, new.task_version_id])
        assert sorted((v.version, v.parameters["v"]) for v in versions) == [(1, 1), (2, 2)]
        assert await work.tasks.dependents_of(upstream.id) == []
        with pytest.raises(TaskNotFoundError):
            await work.tasks.update([10**9], [build_definition()], [None])


async def test_infra_integration_update_reroutes_what_nobody_has_claimed(store: Store) -> None:
    """Once a new queue was answered, no run starts from the old one; running runs keep their version."""
    task = await create_task(store)
    await create_runs(store, build_plan(task), copies=2)
    session = await open_session(store, queues=("default", "fast"))
    (running,) = await claim(store, session, 1)
    async with store.transaction() as work:
        (changed,) = await work.tasks.update([task.id], [build_definition(name=task.name, queue="fast")], [None])
    assert await claim(store, session, 10) == []
    (rerouted,) = await claim(store, session, 10, Lane("fast", "python"))
    assert (running.task_version_id, rerouted.task_version_id) == (task.task_version_id, changed.task_version_id)


async def test_infra_integration_page_walks_in_order(store: Store) -> None:
    """Pages follow ids, and filters hold; a percent sign in a filter is a percent sign."""
    tasks = [await create_task(store, name=name) for name in ("alpha", "beta", "alp%ine")]
    async with store.autocommit() as work:
        first = await work.tasks.page("default", limit=2)
        rest = await work.tasks.page("default", limit=2, after_id=first[-1].id)
        assert [task.id for task in (*first, *rest)] == [task.id for task in tasks]
        assert [t.name for t in await work.tasks.page(None, name_contains="P%I")] == ["alp%ine"]
        assert [t.name for t in await work.tasks.get_many(["beta", "none"], "default")] == ["beta"]


async def test_infra_integration_graph_of_a_root_has_its_neighbourhood(store: Store) -> None:
    """The locked graph holds the root, all below it and all above it, and nothing else."""
    top = await create_task(store)
    middle = await create_task(store, dependencies=(top.name,))
    bottom = await create_task(store, dependencies=(middle.name,))
    await create_task(store, dependencies=(top.name,))
    async with store.transaction() as work:
        graph = await work.tasks.lock_graph_of([middle.id])
        whole = await work.tasks.graph("default")
    assert {node.id for node in graph} == {top.id, middle.id, bottom.id}
    assert graph[bottom.id].depends_on == (middle.id,)
    assert len(whole) == 4


async def pause_against_create(store: Store, second_store: Store, url: str) -> TaskRunStatus:
    """A trigger decides on ACTIVE and is slow to commit; a pause is answered meanwhile. The run's status after both."""
    task = await create_task(store)
    async with store.transaction() as work:
        await work.tasks.lock_graph_of([task.id])
        pausing = asyncio.create_task(set_status(second_store, task, TaskStatus.PAUSED))
        # Without the lock there is nothing to wait for: the pause is then simply over first.
        waiting = asyncio.create_task(wait_until_blocked(url))
        await asyncio.wait([pausing, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        (run,) = await work.task_runs.create_flows([FlowRequest(plan=build_plan(task), trigger=RunTrigger.MANUAL)])
    await pausing
    return await status_of(store, run.run_id)


async def test_infra_integration_pause_recalls_a_run_that_was_being_created(
    store: Store, second_store: Store, database_url: str
) -> None:
    """No run admitted under the old rule starts after the pause was answered, not even one still uncommitted."""
    assert await pause_against_create(store, second_store, database_url) is TaskRunStatus.PENDING


async def test_infra_integration_pause_without_the_lock_misses_that_run(
    store: Store, second_store: Store, database_url: str, query_change: QueryChange
) -> None:
    """What makes the pause wait is the shared lock on the task: without it, the same steps leave a claimable run."""
    query_change("lock_graph", "FOR SHARE OF tasks", "")
    assert await pause_against_create(store, second_store, database_url) is TaskRunStatus.DISPATCHED


async def change_against_graph(store: Store, second_store: Store, url: str) -> bool:
    """A task leaves its upstream, whose slot fires before the commit. Whether that slot would make it run."""
    root = await create_task(store)
    child = await create_task(store, dependencies=(root.name,))
    async with store.transaction() as work:
        await work.tasks.update([child.id], [build_definition(name=child.name)], [None])
        reading = asyncio.create_task(lock_graph(second_store, root))
        await wait_until_blocked(url)
    return child.id in await reading


async def test_infra_integration_lock_graph_reads_edges_of_the_versions_it_has_locked(
    store: Store, second_store: Store, database_url: str
) -> None:
    """A graph that had to wait for a change shows all of it: a task that has left the flow is not made to run in it."""
    assert not await change_against_graph(store, second_store, database_url)


async def test_infra_integration_lock_graph_read_once_shows_edges_that_are_gone(
    store: Store, second_store: Store, database_url: str, query_change: QueryChange
) -> None:
    """What shows the change is reading again after a wait: read once, the new version comes with the old edges."""
    query_change("lock_graph", "locked.task_version_id <> (", "locked.task_version_id < (")
    assert await change_against_graph(store, second_store, database_url)


async def test_infra_integration_update_keeps_the_place_of_a_schedule_that_stays(store: Store) -> None:
    """A change that read the task while it was paused does not stop the schedule that a resume has started since."""
    due = datetime.now(UTC) + timedelta(hours=1)
    task = await create_task(store, schedule=Schedule(cron="0 * * * *"), next_due=due)
    before = await set_status(store, task, TaskStatus.PAUSED)
    async with store.transaction() as work:
        await work.tasks.set_status([task.id], TaskStatus.ACTIVE)
        await work.schedules.record([ScheduleAdvance(task_id=task.id, recorded_until=NOON, next_due_at=due)])
    changed = build_definition(name=task.name, schedule=task.schedule, queue="slow")
    async with store.transaction() as work:
        (after,) = await work.tasks.update([task.id], [changed], [before.next_run_at])
        assert (after.status, after.next_run_at) == (TaskStatus.ACTIVE, due)
        later = due + timedelta(minutes=1)
        moved = build_definition(name=task.name, schedule=Schedule(cron="1 * * * *"))
        (after,) = await work.tasks.update([task.id], [moved], [later])
        assert after.next_run_at == later


async def test_infra_integration_pause_and_resume_hold_and_release(store: Store) -> None:
    """A pause sends admitted runs back and stops the schedule; a resume lets the runs go on."""
    due = datetime.now(UTC) + timedelta(hours=1)
    task = await create_task(store, schedule=Schedule(cron="0 * * * *"), next_due=due)
    (run,) = await create_runs(store, build_plan(task))
    paused = await set_status(store, task, TaskStatus.PAUSED)
    assert (paused.status, paused.next_run_at) == (TaskStatus.PAUSED, None)
    assert await claim(store, await open_session(store)) == []
    await set_status(store, task, TaskStatus.ACTIVE)
    async with store.autocommit() as work:
        assert [r.run_id for r in await work.task_runs.admit(10)] == [run.run_id]
        await work.schedules.record([ScheduleAdvance(task_id=task.id, recorded_until=NOON, next_due_at=due)])
        assert (await work.tasks.get(task.id, "default")).next_run_at == due


async def test_infra_integration_delete_cancels_what_has_not_started(store: Store) -> None:
    """A deleted task's waiting runs are cancelled with the reason; a running one may end."""
    task = await create_task(store, max_retries=1)
    await create_runs(store, build_plan(task), copies=2)
    session = await open_session(store)
    (running,) = await claim(store, session, 1)
    await set_status(store, task, TaskStatus.INACTIVE)
    async with store.autocommit() as work:
        waiting = await work.task_runs.get(running.id + 1)
    assert waiting.status is TaskRunStatus.CANCELLED
    assert "deleted" in (waiting.error or "")
    assert await status_of(store, running.id) is TaskRunStatus.RUNNING


async def set_status(store: Store, task: Task, status: TaskStatus) -> Task:
    """Move one task."""
    async with store.autocommit() as work:
        (changed,) = await work.tasks.set_status([task.id], status)
    return changed


async def lock_graph(store: Store, root: Task) -> TaskGraph:
    """What a slot of this task would start."""
    async with store.transaction() as work:
        return await work.tasks.lock_graph_of([root.id])
