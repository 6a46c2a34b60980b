"""Due schedules and the ledger in PostgreSQL."""

from datetime import UTC, datetime, timedelta

from fixtures.database import every_postgresql
from fixtures.factories import create_task
from scheduler_core.interfaces import Store
from scheduler_core.models import Schedule, ScheduleAdvance, SkippedSlots, SlotReason

pytestmark = every_postgresql

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = Schedule(cron="* * * * *", timezone="Europe/Berlin")


async def test_infra_integration_take_due_shares_out_between_dispatchers(store: Store, second_store: Store) -> None:
    """What one dispatcher holds, another steps over; the oldest slot comes first."""
    late = await create_task(store, schedule=EVERY_MINUTE, next_due=NOON - MINUTE)
    due = await create_task(store, schedule=EVERY_MINUTE, next_due=NOON)
    await create_task(store, schedule=EVERY_MINUTE, next_due=NOON + MINUTE)
    async with store.transaction() as first, second_store.transaction() as second:
        mine = await first.schedules.take_due(1, NOON)
        others = await second.schedules.take_due(10, NOON)
    assert [(d.task_id, d.schedule, d.next_due_at, d.now) for d in mine] == [
        (late.id, EVERY_MINUTE, NOON - MINUTE, NOON)
    ]
    assert [d.task_id for d in others] == [due.id]


async def test_infra_integration_record_moves_on_and_keeps_the_ledger(store: Store) -> None:
    """Skipped stretches are rows with a count, and the next due instant is the recorded one."""
    task = await create_task(store, schedule=EVERY_MINUTE, next_due=NOON)
    stretch = SkippedSlots(
        task_id=task.id, scheduled_at=NOON, last_scheduled_at=NOON + 2 * MINUTE, count=3, reason=SlotReason.MISSED
    )
    advance = ScheduleAdvance(task_id=task.id, last_slot_at=NOON + 3 * MINUTE, next_due_at=NOON + 4 * MINUTE)
    async with store.transaction() as work:
        await work.schedules.record([advance], [stretch])
    async with store.autocommit() as work:
        assert await work.schedules.seconds_to_next(NOON) == 240.0
        assert await work.schedules.seconds_to_next(NOON + 9 * MINUTE) == 0.0
        assert await work.schedules.position([task.id]) == [advance]
        (slot,) = await work.schedules.slots(task.id)
    assert (slot.count, slot.reason, slot.run_id, slot.last_scheduled_at) == (
        3,
        SlotReason.MISSED,
        None,
        NOON + 2 * MINUTE,
    )


async def test_infra_integration_an_exhausted_schedule_is_never_due(store: Store) -> None:
    """A schedule without a next instant costs nothing and is not taken."""
    task = await create_task(store, schedule=Schedule(at=NOON), next_due=NOON)
    async with store.transaction() as work:
        await work.schedules.record([ScheduleAdvance(task_id=task.id, last_slot_at=NOON, next_due_at=None)])
    async with store.autocommit() as work:
        assert await work.schedules.seconds_to_next() is None
        assert await work.schedules.take_due(10) == []
