"""Dependencies on intervals whose deadline passes, and slots of which nobody tells."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from fixtures.factories import build_definition, claim, create_task, open_session, report
from fixtures.interval_flows import HOURLY, Runner, deadlines, fire_until, on, runs_of, scheduled, waits_of
from fixtures.schedule_looks import look_at
from fixtures.waiting import wait_until_blocked
from scheduler_core.interfaces import Store
from scheduler_core.models import Schedule, SkipReason, Task, TaskRun, TaskRunStatus, TaskStatus
from scheduler_core.models.interval_wait import SlotOutcome, WaitState

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
DAILY = Schedule(cron="0 0 * * *")
PENDING, DISPATCHED = TaskRunStatus.PENDING, TaskRunStatus.DISPATCHED
FAILED, SKIPPED = TaskRunStatus.FAILED, TaskRunStatus.SKIPPED
FIRST_FAILED = {"hourly": MIDNIGHT + HOUR}


async def day_with_a_failed_hour(store: Store, runner: Runner, **changes: Any) -> tuple[Task, TaskRun]:
    """A day that waits, because the first of its hours has failed."""
    await scheduled(store, "hourly", HOURLY, MIDNIGHT)
    daily = await scheduled(store, "daily", DAILY, MIDNIGHT, on("hourly", "contained", **changes))
    await fire_until(store, MIDNIGHT, MIDNIGHT + DAY)
    await runner.run_all(**FIRST_FAILED)
    [run] = await runs_of(store, daily)
    return daily, run


async def state_of(store: Store, run: TaskRun) -> WaitState:
    """Where the one dependency of a run stands."""
    [wait] = await waits_of(store, run)
    return wait.state


@pytest.mark.parametrize(
    ("on_unmet", "status", "state"),
    [
        ("skip", SKIPPED, WaitState.UNMET),
        ("fail", FAILED, WaitState.UNMET),
        ("run", DISPATCHED, WaitState.WAIVED),
        ("alert", PENDING, WaitState.OVERDUE),
    ],
)
async def test_dispatcher_integration_deadlines_do_what_the_dependency_says(
    store: Store, on_unmet: str, status: TaskRunStatus, state: WaitState
) -> None:
    """A deadline that has passed skips, fails or starts the run, or tells that it waits on; once."""
    runner = await Runner.start(store)
    daily, run = await day_with_a_failed_hour(store, runner, deadline=3600, on_unmet=on_unmet)
    service = deadlines(store)
    with capture_logs() as logs:
        await service.look()
        await service.look()
    [run] = await runs_of(store, daily)
    assert (run.status, await state_of(store, run)) == (status, state)
    warnings = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [entry["run_id"] for entry in warnings] == ([run.id] if state is WaitState.OVERDUE else [])
    if state is WaitState.UNMET:
        assert run.skip_reason is (SkipReason.DEPENDENCY_UNMET if status is SKIPPED else None)
        assert "2026-06-01T01:00:00Z" in (run.error or "")
        assert "24 slots awaited, 1 failed, 23 succeeded" in (run.error or "")


async def test_dispatcher_integration_deadlines_before_their_time(store: Store) -> None:
    """A deadline that is yet to come ends nothing, and says when it is looked at again."""
    runner = await Runner.start(store)
    daily, _ = await day_with_a_failed_hour(store, runner, deadline=3600)
    async with store.autocommit() as work:
        early = MIDNIGHT + DAY + HOUR - timedelta(seconds=2)
        overdue = await work.intervals.end_overdue(10, early)
        assert await work.intervals.seconds_to_deadline(early) == 2.0
    assert overdue.waits == []
    assert (await runs_of(store, daily))[0].status is PENDING


async def test_dispatcher_integration_deadlines_skip_what_is_downstream(store: Store) -> None:
    """Who waits for a run that is skipped for its deadline is told."""
    await scheduled(store, "hourly", HOURLY, MIDNIGHT)
    await scheduled(store, "daily", DAILY, MIDNIGHT, on("hourly", "contained", deadline=60))
    after = await create_task(store, name="after", dependencies=("daily",))
    await look_at(store, MIDNIGHT + DAY)
    await deadlines(store).look()
    [run] = await runs_of(store, after)
    assert run.status is SKIPPED


async def test_dispatcher_integration_deadlines_overdue_dependency_is_met_late(store: Store) -> None:
    """A run that waits beyond its deadline starts when what it waits for has come."""
    runner = await Runner.start(store)
    await scheduled(store, "hourly", HOURLY, MIDNIGHT)
    daily = await scheduled(store, "daily", DAILY, MIDNIGHT, on("hourly", "latest", deadline=60, on_unmet="alert"))
    await look_at(store, MIDNIGHT + DAY)
    await deadlines(store).look()
    [run] = await runs_of(store, daily)
    assert await state_of(store, run) is WaitState.OVERDUE
    await runner.run_all()
    assert await state_of(store, run) is WaitState.MET
    assert (await runs_of(store, daily))[0].status is TaskRunStatus.COMPLETED


async def test_dispatcher_integration_deadlines_count_what_ended_in_time_untold(store: Store) -> None:
    """An upstream run that has ended, while nobody told of it, meets the dependency at its deadline."""
    session_id = await open_session(store)
    await scheduled(store, "upstream", DAILY, MIDNIGHT)
    daily = await scheduled(store, "daily", DAILY, MIDNIGHT, on("upstream", "same", deadline=60))
    await look_at(store, MIDNIGHT + DAY)
    claimed = await claim(store, session_id)
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(each) for each in claimed])
    await deadlines(store).look()
    [run] = await runs_of(store, daily)
    assert (run.status, await state_of(store, run)) == (DISPATCHED, WaitState.MET)


async def test_dispatcher_integration_sweep_finds_slots_that_get_no_run(store: Store) -> None:
    """A slot that the ledger has gone past without a run has ended, and has not succeeded."""
    await scheduled(store, "daily", DAILY, MIDNIGHT, misfire="skip")
    content = await scheduled(store, "content", HOURLY, MIDNIGHT, on("daily", "covering", condition="finished"))
    strict = await scheduled(store, "strict", HOURLY, MIDNIGHT, on("daily", "covering"))
    await look_at(store, MIDNIGHT + HOUR)
    waiting = [(await runs_of(store, task))[0] for task in (content, strict)]
    await deadlines(store).look()
    assert [(await waits_of(store, run))[0].outcomes for run in waiting] == [{}, {}]
    await look_at(store, MIDNIGHT + DAY + 2 * HOUR)
    await deadlines(store).look()
    assert [(await runs_of(store, task))[0].status for task in (content, strict)] == [DISPATCHED, PENDING]
    assert [(await waits_of(store, run))[0].outcomes for run in waiting] == [{SlotOutcome.NO_RUN: 1}] * 2


async def test_dispatcher_integration_sweep_finds_runs_that_ended_untold(store: Store, database_url: str) -> None:
    """A run that was settled by somebody who knew nothing of intervals is found, page after page of the open waits."""
    session_id = await open_session(store)
    await scheduled(store, "upstream", HOURLY, MIDNIGHT, misfire="all")
    waiting = await scheduled(store, "waiting", HOURLY, MIDNIGHT, on("upstream", "same"), misfire="all")
    await look_at(store, MIDNIGHT + 5 * HOUR)
    async with store.autocommit() as work:
        await work.task_runs.admit(10)
    claimed = await claim(store, session_id)
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(each) for each in claimed])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE scheduler.task_runs SET needs_settlement = false")
    service = deadlines(store, batch=2)
    waits = [await service.look() for _ in range(3)]
    assert waits[:2] == [0.0, 0.0], "there is more to sweep"
    assert waits[2] > 0
    assert [run.status for run in await runs_of(store, waiting)] == [DISPATCHED] * 5


async def test_dispatcher_integration_sweep_forgets_what_waits_no_more(store: Store) -> None:
    """The dependency of a run that was cancelled is not open any more, and the run stays cancelled."""
    await scheduled(store, "hourly", HOURLY, MIDNIGHT)
    daily = await scheduled(store, "daily", DAILY, MIDNIGHT, on("hourly", "latest", on_unmet="run", deadline=60))
    await look_at(store, MIDNIGHT + DAY)
    [run] = await runs_of(store, daily)
    async with store.autocommit() as work:
        await work.task_runs.cancel([run.id])
        swept = await work.intervals.sweep(10)
    assert swept.next_place is None
    assert await state_of(store, run) is WaitState.UNMET
    await deadlines(store).look()
    assert (await runs_of(store, daily))[0].status is TaskRunStatus.CANCELLED


@pytest.mark.parametrize(("is_member", "deleted"), [(False, "daily"), (True, "daily"), (True, "root")])
async def test_dispatcher_integration_sweep_finds_slots_of_deleted_tasks(
    store: Store, is_member: bool, deleted: str
) -> None:
    """A task that was deleted, or whose flow's scheduled task was, gets no more runs: its slots have none for ever."""
    tasks = {"root": await scheduled(store, "root", DAILY, MIDNIGHT)}
    if is_member:
        tasks["daily"] = await create_task(store, name="daily", dependencies=("root",))
    else:
        tasks["daily"] = await scheduled(store, "daily", DAILY, MIDNIGHT)
    content = await scheduled(store, "content", HOURLY, MIDNIGHT, on("daily", "covering", condition="finished"))
    await look_at(store, MIDNIGHT + HOUR)
    await deadlines(store).look()
    [run] = await runs_of(store, content)
    assert run.status is PENDING
    async with store.transaction() as work:
        await work.tasks.set_status([tasks[deleted].id], TaskStatus.INACTIVE, None)
    await deadlines(store).look()
    assert (await runs_of(store, content))[0].status is DISPATCHED
    assert (await waits_of(store, run))[0].outcomes == {SlotOutcome.NO_RUN: 1}


async def test_dispatcher_integration_sweep_waives_what_an_update_has_removed(store: Store) -> None:
    """A run that waits does not wait for what its task depends on no more; it still waits for the rest."""
    for name in ("daily", "other"):
        await scheduled(store, name, DAILY, MIDNIGHT)
    removed, kept = on("daily", "covering"), on("other", "covering")
    both = await scheduled(store, "both", HOURLY, MIDNIGHT, removed, kept)
    one = await scheduled(store, "one", HOURLY, MIDNIGHT, removed)
    await look_at(store, MIDNIGHT + HOUR)
    waiting = [(await runs_of(store, task))[0] for task in (both, one)]
    await deadlines(store).look()
    assert [run.waiting_on for run in waiting] == [2, 1]
    definitions = [
        build_definition(name="both", schedule=HOURLY, dependencies=(kept,)),
        build_definition(name="one", schedule=HOURLY),
    ]
    async with store.transaction() as work:
        await work.tasks.update([both.id, one.id], definitions, [None, None])
    for _ in range(2):
        await deadlines(store).look()
    found = [(await runs_of(store, task))[0] for task in (both, one)]
    assert [(run.status, run.waiting_on) for run in found] == [(PENDING, 1), (DISPATCHED, 0)]
    assert [[wait.state for wait in await waits_of(store, run)] for run in waiting] == [
        [WaitState.WAIVED, WaitState.OPEN],
        [WaitState.WAIVED],
    ]


async def test_dispatcher_integration_sweep_keeps_dependencies_that_are_only_changed(
    store: Store, database_url: str
) -> None:
    """Another deadline or condition, or a new name of the upstream task, removes nothing that a run waits for."""
    daily = await scheduled(store, "daily", DAILY, MIDNIGHT)
    hourly = await scheduled(store, "hourly", HOURLY, MIDNIGHT, on("daily", "covering"))
    await look_at(store, MIDNIGHT + HOUR)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE scheduler.tasks SET name = 'renamed' WHERE id = %s", (daily.id,))
    await deadlines(store).look()
    changed = on("renamed", "covering", deadline=100 * 86400, condition="finished", on_unmet="fail")
    async with store.transaction() as work:
        definition = build_definition(name="hourly", schedule=HOURLY, dependencies=(changed,))
        await work.tasks.update([hourly.id], [definition], [None])
    await deadlines(store).look()
    [run] = await runs_of(store, hourly)
    assert (run.status, await state_of(store, run)) == (PENDING, WaitState.OPEN)


async def test_dispatcher_integration_sweep_waives_nothing_that_is_met_meanwhile(
    store: Store, second_store: Store, database_url: str
) -> None:
    """A dependency that somebody meets while the sweep would waive it is counted once."""
    runner = await Runner.start(store)
    await scheduled(store, "upstream", HOURLY, MIDNIGHT)
    await scheduled(store, "later", DAILY, MIDNIGHT)
    kept = on("later", "covering")
    waiting = await scheduled(store, "waiting", HOURLY, MIDNIGHT, on("upstream", "same"), kept)
    await look_at(store, MIDNIGHT + HOUR)
    async with store.transaction() as work:
        definition = build_definition(name="waiting", schedule=HOURLY, dependencies=(kept,))
        await work.tasks.update([waiting.id], [definition], [None])
    [claimed] = await claim(store, runner.session_id)
    async with store.transaction() as work:
        await work.task_runs.finish(runner.session_id, [report(claimed)])
        await work.task_runs.settle(10, [claimed.id])
        sweeping = asyncio.create_task(deadlines(second_store).look())
        await wait_until_blocked(database_url)
    await sweeping
    [run] = await runs_of(store, waiting)
    assert (run.status, run.waiting_on) == (PENDING, 1)
