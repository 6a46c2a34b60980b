"""The ledger as it is read, in PostgreSQL."""

from datetime import UTC, datetime, timedelta

import psycopg

from fixtures.database import every_postgresql
from fixtures.factories import build_plan, create_runs, create_task
from scheduler_core.interfaces import Store
from scheduler_core.models import Schedule, ScheduleAdvance, SkippedSlots, SlotReason, TaskRunStatus, TaskStatus

pytestmark = every_postgresql

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = Schedule(cron="* * * * *", timezone="Europe/Berlin")


async def test_infra_integration_ledger_entries_with_their_runs(store: Store, database_url: str) -> None:
    """A run's status and end are told beside its slot, and that its row is gone; the range is half open."""
    task = await create_task(store, schedule=EVERY_MINUTE, next_due=NOON)
    (run,) = await create_runs(store, build_plan(task), scheduled_at=NOON, slot=True)
    stretch = SkippedSlots(
        task_id=task.id,
        scheduled_at=NOON + MINUTE,
        last_scheduled_at=NOON + 3 * MINUTE,
        count=3,
        reason=SlotReason.PAUSED,
    )
    advance = ScheduleAdvance(task_id=task.id, recorded_until=NOON + 3 * MINUTE, next_due_at=NOON + 4 * MINUTE)
    async with store.transaction() as work:
        await work.schedules.record([advance], [stretch])
        await work.task_runs.cancel([run.run_id], NOON + MINUTE)
    async with store.autocommit() as work:
        ran, paused = await work.ledger.entries(task.id)
        assert (ran.run_id, ran.run_status, ran.run_completed_at, ran.reason, ran.count) == (
            run.run_id,
            TaskRunStatus.CANCELLED,
            NOON + MINUTE,
            None,
            1,
        )
        assert (paused.run_id, paused.run_status, paused.reason, paused.count) == (None, None, SlotReason.PAUSED, 3)
        assert await work.ledger.entries(task.id, start=NOON, end=NOON + MINUTE) == [ran]
        assert await work.ledger.entries(task.id, limit=1) == [ran]
        assert await work.ledger.entries(task.id, limit=1, newest=True) == [paused]
        assert await work.ledger.entries(task.id, end=NOON + MINUTE, newest=True) == [ran]
        assert await work.ledger.entries(task.id, newest=True) == [ran, paused]
        assert await work.ledger.entries(task.id, start=NOON + 2 * MINUTE) == []
        assert await work.ledger.entry_before(task.id, NOON + 2 * MINUTE) == paused
        assert await work.ledger.entry_before(task.id, NOON) is None
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM scheduler.task_runs")
    async with store.autocommit() as work:
        (ran, _) = await work.ledger.entries(task.id)
    assert (ran.run_id, ran.run_status, ran.run_completed_at) == (run.run_id, None, None)


async def test_infra_integration_ledger_tasks_are_those_with_something_to_verify(store: Store) -> None:
    """Tasks with a schedule, or that had one, deleted ones too, where they stand by one clock; page by page."""
    first = await create_task(store, schedule=EVERY_MINUTE, next_due=NOON)
    await create_task(store)
    gone = await create_task(store, schedule=EVERY_MINUTE, next_due=NOON)
    other = await create_task(store, schedule=EVERY_MINUTE, next_due=NOON, namespace="other")
    async with store.transaction() as work:
        await work.tasks.set_status([gone.id], TaskStatus.INACTIVE)
        position = ScheduleAdvance(task_id=first.id, recorded_until=NOON, next_due_at=NOON + MINUTE)
        await work.schedules.record([position])
    async with store.autocommit() as work:
        tasks = await work.ledger.tasks(now=NOON)
        assert [task.task_id for task in tasks] == [first.id, gone.id, other.id]
        assert (tasks[0].recorded_until, tasks[0].next_due_at, tasks[0].now) == (NOON, NOON + MINUTE, NOON)
        assert (tasks[1].status, tasks[1].next_due_at) == (TaskStatus.INACTIVE, None)
        assert await work.ledger.tasks(now=NOON, from_id=gone.id, limit=1) == tasks[1:2]
        assert await work.ledger.tasks(now=NOON, namespace="other") == tasks[2:]
