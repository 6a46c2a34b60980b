"""Due schedules and the ledger in PostgreSQL."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import msgspec
import psycopg

from fixtures.database import every_postgresql
from fixtures.earlier_version import run_as_0001
from fixtures.factories import build_plan, claim, create_runs, create_task, open_session, report, status_of
from scheduler_core.interfaces import Store
from scheduler_core.models import (
    DueSchedule,
    MisfirePolicy,
    OverlapPolicy,
    PauseWindow,
    Schedule,
    ScheduleAdvance,
    SkippedSlots,
    SlotPolicies,
    SlotReason,
    TaskRunStatus,
    TaskStatus,
)

pytestmark = every_postgresql

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = Schedule(cron="* * * * *", timezone="Europe/Berlin")
POLICIES = SlotPolicies(
    misfire=MisfirePolicy.ALL, misfire_grace_seconds=90.5, misfire_runs_max=7, overlap=OverlapPolicy.QUEUE
)


async def test_infra_integration_take_due_shares_out_between_dispatchers(store: Store, second_store: Store) -> None:
    """What one dispatcher holds, another steps over; the oldest slot comes first."""
    policies = msgspec.structs.asdict(POLICIES)
    late = await create_task(store, schedule=EVERY_MINUTE, next_due=NOON - MINUTE, **policies)
    due = await create_task(store, schedule=EVERY_MINUTE, next_due=NOON)
    await create_task(store, schedule=EVERY_MINUTE, next_due=NOON + MINUTE)
    async with store.transaction() as first, second_store.transaction() as second:
        mine = await first.schedules.take_due(1, NOON)
        others = await second.schedules.take_due(10, NOON)
    assert mine == [
        DueSchedule(
            task_id=late.id,
            schedule=EVERY_MINUTE,
            seed=late.schedule_seed,
            policies=POLICIES,
            recorded_until=NOON - MINUTE - timedelta(microseconds=1),
            next_due_at=NOON - MINUTE,
            now=NOON,
        )
    ]
    assert [d.task_id for d in others] == [due.id]


async def test_infra_integration_record_moves_on_and_keeps_the_ledger(store: Store) -> None:
    """Skipped stretches are rows with a count, and the next due instant is the recorded one."""
    task = await create_task(store, schedule=EVERY_MINUTE, next_due=NOON)
    stretch = SkippedSlots(
        task_id=task.id, scheduled_at=NOON, last_scheduled_at=NOON + 2 * MINUTE, count=3, reason=SlotReason.MISSED
    )
    advance = ScheduleAdvance(task_id=task.id, recorded_until=NOON + 3 * MINUTE, next_due_at=NOON + 4 * MINUTE)
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
        await work.schedules.record([ScheduleAdvance(task_id=task.id, recorded_until=NOON, next_due_at=None)])
    async with store.autocommit() as work:
        assert await work.schedules.seconds_to_next() is None
        assert await work.schedules.take_due(10) == []


async def test_infra_integration_every_kind_of_schedule_comes_back_as_it_was(store: Store) -> None:
    """Rules, zones, windows and instants with or without an offset survive the way into the database and out."""
    schedule = Schedule(
        any=(Schedule(cron="H 3 * * *", timezone="Europe/Berlin"), Schedule(rrule="FREQ=DAILY;BYHOUR=9")),
        timezone="America/New_York",
        valid_from=datetime(2026, 1, 1, 8, 30),  # noqa: DTZ001  local time is meant
        valid_until=NOON + 9 * MINUTE,
        jitter=30,
        pauses=(PauseWindow(starts_at=NOON, until=NOON + MINUTE), PauseWindow(cron="0 22 * * *", lasts=3600)),
    )
    task = await create_task(store, schedule=schedule, next_due=NOON)
    async with store.transaction() as work:
        assert (await work.tasks.get(task.id, "default")).schedule == schedule
        [due] = await work.schedules.take_due(10, NOON)
        [standing] = await work.schedules.lock([task.id], NOON)
        [period] = await work.schedules.periods([task.id])
    assert due.schedule == standing.schedule == period.schedule == schedule


async def test_infra_integration_slots_tell_the_time_zone_data(store: Store) -> None:
    """Runs and stretches alike say by which version of the tz database they were computed."""
    task = await create_task(store, schedule=EVERY_MINUTE, next_due=NOON)
    await create_runs(store, build_plan(task), scheduled_at=NOON, slot=True)
    stretch = SkippedSlots(
        task_id=task.id, scheduled_at=NOON + MINUTE, last_scheduled_at=NOON + MINUTE, count=1, reason=SlotReason.OVERLAP
    )
    async with store.transaction() as work:
        await work.schedules.record([], [stretch])
        slots = await work.schedules.slots(task.id)
    assert [slot.zone_data for slot in slots] == [version("tzdata")] * 2


async def test_infra_integration_lock_tells_where_a_schedule_stands(store: Store) -> None:
    """Position, status and what it waits for; a task without a schedule has nothing to tell."""
    plain, task = await create_task(store), await create_task(store, schedule=EVERY_MINUTE, next_due=NOON)
    async with store.transaction() as work:
        await work.schedules.record(
            [ScheduleAdvance(task_id=task.id, recorded_until=NOON, next_due_at=None, awaits_run_id=5)]
        )
        await work.tasks.set_status([task.id], TaskStatus.PAUSED)
        [standing] = await work.schedules.lock([plain.id, task.id])
    assert (standing.task_id, standing.task_status, standing.seed) == (task.id, TaskStatus.PAUSED, task.schedule_seed)
    assert (standing.recorded_until, standing.next_due_at, standing.awaits_run_id) == (NOON, None, 5)
    assert abs(standing.now - datetime.now(UTC)) < MINUTE


async def test_infra_integration_last_ends_follow_the_latest_slot(store: Store) -> None:
    """No slot yet: nothing; an active run: not yet known; its end; and a later slot without a run instead of it."""
    task = await create_task(store, schedule=Schedule(after_end=60), next_due=NOON)
    session_id = await open_session(store)

    async def last_end() -> dict[int, datetime | None]:
        async with store.autocommit() as work:
            return await work.schedules.last_ends([task.id])

    assert await last_end() == {}
    await create_runs(store, build_plan(task), scheduled_at=NOON, slot=True)
    assert await last_end() == {task.id: None}
    [claimed] = await claim(store, session_id)
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(claimed)], NOON + 7 * MINUTE)
    assert await last_end() == {task.id: NOON + 7 * MINUTE}
    stretch = SkippedSlots(
        task_id=task.id, scheduled_at=NOON + 8 * MINUTE, last_scheduled_at=NOON + 9 * MINUTE, count=2,
        reason=SlotReason.PAUSED,
    )  # fmt: skip
    async with store.transaction() as work:
        await work.schedules.record([], [stretch])
    assert await last_end() == {task.id: NOON + 9 * MINUTE}


async def test_infra_integration_settle_plans_in_whole_seconds(store: Store) -> None:
    """The end of the awaited run, exact or not, gives a next slot that is never too early; other ends give none."""
    session_id = await open_session(store)
    for ended, due in ((NOON, NOON + MINUTE), (NOON + timedelta(microseconds=1), NOON + timedelta(seconds=61))):
        task = await create_task(store, schedule=Schedule(after_end=60), next_due=NOON)
        [run] = await create_runs(store, build_plan(task, status=TaskRunStatus.DISPATCHED))
        awaits = ScheduleAdvance(task_id=task.id, recorded_until=NOON, next_due_at=None, awaits_run_id=run.run_id)
        async with store.transaction() as work:
            await work.schedules.record([awaits])
            await work.task_runs.lock_active([task.id])
        [claimed] = await claim(store, session_id)
        assert claimed.needs_settlement
        async with store.transaction() as work:
            await work.task_runs.finish(session_id, [report(claimed)], ended)
            assert await work.task_runs.settle(1, [run.run_id]) == ([], True)
            assert await work.task_runs.settle(1, [run.run_id]) == ([], False)
            [position] = await work.schedules.position([task.id])
        assert (position.next_due_at, position.awaits_run_id) == (due, None)


async def awaited_run(store: Store, session_id: int, ended: datetime, slot: datetime = NOON) -> tuple[int, int]:
    """A task with a fixed delay of a minute, recorded up to `slot`, whose run has `ended`; ids of task and run."""
    task = await create_task(store, schedule=Schedule(after_end=60), next_due=slot)
    [run] = await create_runs(store, build_plan(task), scheduled_at=slot, slot=True)
    awaits = ScheduleAdvance(task_id=task.id, recorded_until=slot, next_due_at=None, awaits_run_id=run.run_id)
    async with store.transaction() as work:
        await work.schedules.record([awaits])
        await work.task_runs.lock_active([task.id])
    [claimed] = await claim(store, session_id)
    async with store.transaction() as work:
        await work.task_runs.finish(session_id, [report(claimed)], ended)
    return task.id, run.run_id


async def test_infra_integration_settle_plans_later_than_what_is_recorded(store: Store) -> None:
    """An end by a clock that was set back an hour since the slot plans the next second after the slot, not the past."""
    slot = NOON + timedelta(microseconds=500_000)
    task_id, _ = await awaited_run(store, await open_session(store), NOON - timedelta(hours=1), slot)
    async with store.transaction() as work:
        await work.task_runs.settle(10)
        [position] = await work.schedules.position([task_id])
    assert (position.recorded_until, position.next_due_at) == (slot, NOON + timedelta(seconds=2))


async def test_infra_integration_settle_plans_what_version_0001_has_settled(store: Store, database_url: str) -> None:
    """A worker of 0001 settles the run and leaves the schedule waiting; a look finds it, unless its task is paused."""
    session_id = await open_session(store)
    (task_id, run_id), (paused_id, other_id) = [await awaited_run(store, session_id, NOON) for _ in range(2)]
    async with store.autocommit() as work:
        await work.tasks.set_status([paused_id], TaskStatus.PAUSED)
    run_as_0001(database_url, "settle_runs", run_ids=[run_id, other_id])
    async with store.autocommit() as work:
        assert await work.task_runs.settle(10) == ([], True)
        assert await work.task_runs.settle(10) == ([], False)
        planned, paused = await work.schedules.position([task_id, paused_id])
    assert (planned.next_due_at, planned.awaits_run_id) == (NOON + MINUTE, None)
    assert (paused.next_due_at, paused.awaits_run_id) == (None, other_id)


async def test_infra_integration_lock_active_writes_a_run_once(store: Store, database_url: str) -> None:
    """Runs that are marked already keep their row version: a queue does not rewrite all that waits in it."""
    task = await create_task(store)
    await create_runs(store, build_plan(task), copies=3)
    versions = []
    for _ in range(2):
        async with store.transaction() as work:
            locked = await work.task_runs.lock_active([task.id])
            assert len(locked) == 3
        with psycopg.connect(database_url) as connection:
            found = connection.execute("SELECT id, ctid::text, needs_settlement FROM scheduler.task_runs ORDER BY id")
            versions.append(found.fetchall())
    assert versions[0] == versions[1]
    assert all(needs_settlement for _, _, needs_settlement in versions[0])


async def test_infra_integration_active_runs_are_those_that_have_not_ended(store: Store) -> None:
    """PENDING, DISPATCHED and RUNNING count, each for its task; locking them marks them for settlement."""
    task, other, session_id = await create_task(store), await create_task(store), await open_session(store)
    ended, running = await create_runs(store, build_plan(task), copies=2)
    [theirs] = await create_runs(store, build_plan(other))
    async with store.autocommit() as work:
        await work.task_runs.cancel([ended.run_id])
    await claim(store, session_id, 1)
    [waiting] = await create_runs(store, build_plan(task, status=TaskRunStatus.PENDING))
    expected = [(task.id, running.run_id), (other.id, theirs.run_id), (task.id, waiting.run_id)]
    assert await status_of(store, running.run_id) is TaskRunStatus.RUNNING
    async with store.transaction() as work:
        assert await work.task_runs.active([task.id, other.id]) == expected
        assert await work.task_runs.lock_active([task.id, other.id]) == expected
        assert await work.task_runs.lock_active([other.id]) == [(other.id, theirs.run_id)]
        assert await work.task_runs.active([]) == []
    [claimed] = await claim(store, session_id, 1)
    assert (claimed.id, claimed.needs_settlement) == (theirs.run_id, True)
