"""Schedules on a real database: once per slot, whoever looks."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg

from fixtures.factories import build_definition, claim, create_task, open_session, report
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from fixtures.waiting import wait_until
from scheduler_core.interfaces import Store
from scheduler_core.models import DISPATCHERS, Schedule, TaskRunStatus, TaskStatus, session_address
from scheduler_core.runtime import SystemClock
from scheduler_dispatcher.dispatch_service import DispatchService
from scheduler_dispatcher.loop_group import run_loops
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.schedule_service import ScheduleService
from scheduler_dispatcher.service_loop import ServiceLoop
from scheduler_dispatcher.settlement_service import SettlementService
from scheduler_dispatcher.shared_bell import SharedBell

EVERY_MINUTE = Schedule(cron="* * * * *")


def last_minute(minutes_before: int = 0) -> datetime:
    """The last full minute, or one some minutes before."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=minutes_before)


def yearly(due: datetime) -> Schedule:
    """Due once in a test: then, and in a year."""
    return Schedule(cron=f"{due.minute} {due.hour} {due.day} {due.month} *")


def schedules(store: Store, queue: InMemoryMessageQueue | None = None, batch: int = 1000) -> ScheduleService:
    """A dispatcher's schedule service."""
    return ScheduleService(store, Ringer(store, queue or InMemoryMessageQueue()), batch=batch, interval_seconds=10.0)


async def until_idle(service: ScheduleService) -> float:
    """Look until nothing is due; the delay of the last look."""
    while (delay := await service.look()) == 0.0:
        pass
    return delay


def count(url: str, statement: str) -> int:
    """What a counting statement says."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
        assert row is not None
        return int(row[0])


async def test_dispatcher_integration_slot_gets_its_run_and_the_worker_is_rung(store: Store) -> None:
    """A due slot becomes a DISPATCHED run, its schedule moves on, and a free worker hears of it."""
    due = last_minute()
    task = await create_task(store, schedule=yearly(due), next_due=due)
    session_id = await open_session(store)
    queue = InMemoryMessageQueue()
    delay = await until_idle(schedules(store, queue))
    assert 0 < delay <= 10.0
    assert queue.wire.rung == [session_address(session_id)]
    async with store.autocommit() as work:
        [run] = await work.task_runs.page(task_id=task.id)
        [position] = await work.schedules.position([task.id])
    assert (run.status, run.scheduled_at, run.trigger) == (TaskRunStatus.DISPATCHED, due, "SCHEDULE")
    assert position.recorded_until == due
    assert position.next_due_at is not None
    assert (position.next_due_at.month, position.next_due_at.day) == (due.month, due.day)
    assert position.next_due_at > due


async def test_dispatcher_integration_missed_slots_are_on_record(store: Store) -> None:
    """After half an hour of silence the latest slot runs and all others stand in the ledger as missed."""
    since, minute = last_minute(30), timedelta(minutes=1)
    task = await create_task(store, schedule=EVERY_MINUTE, next_due=since)
    await until_idle(schedules(store))
    async with store.autocommit() as work:
        missed, run, *_ = await work.schedules.slots(task.id)
    assert run.run_id is not None
    assert (missed.scheduled_at, missed.last_scheduled_at) == (since, run.scheduled_at - minute)
    assert (missed.count, missed.reason, missed.run_id) == ((run.scheduled_at - since) / minute, "MISSED", None)
    assert missed.count >= 30


async def test_dispatcher_integration_dispatchers_side_by_side_give_each_slot_one_run(
    store: Store, second_store: Store, database_url: str
) -> None:
    """D13: two dispatchers that look at the same moment make one run for each slot, and leave none out."""
    async with store.transaction() as work:
        due = last_minute()
        definitions = [build_definition(schedule=yearly(due)) for _ in range(300)]
        await work.tasks.create(definitions, [due] * len(definitions))
    await asyncio.gather(
        *(until_idle(schedules(each, batch=7)) for each in (store, second_store, store, second_store)),
    )
    assert count(database_url, "SELECT count(*) FROM scheduler.task_runs") == 300
    assert count(database_url, "SELECT count(DISTINCT task_id) FROM scheduler.task_runs") == 300
    assert count(database_url, "SELECT count(*) FROM scheduler.slots WHERE run_id IS NOT NULL") == 300


async def test_dispatcher_integration_a_slot_that_has_its_run_gets_no_second_one(
    store: Store, database_url: str
) -> None:
    """A dispatcher that comes to a slot again, with its schedule set back, makes no second run."""
    due = last_minute()
    task = await create_task(store, schedule=yearly(due), next_due=due)
    await until_idle(schedules(store))
    set_back = (
        b"UPDATE scheduler.schedules SET next_due_at = (SELECT min(scheduled_at) FROM scheduler.task_runs), "
        b"last_slot_at = NULL"
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(set_back)
        await until_idle(schedules(store))
        async with store.autocommit() as work:
            assert [run.scheduled_at for run in await work.task_runs.page(task_id=task.id)] == [due]
        # The same with the promise taken away: without its slot row a slot runs twice.
        connection.execute(b"DELETE FROM scheduler.slots")
        connection.execute(set_back)
        await until_idle(schedules(store))
    async with store.autocommit() as work:
        assert [run.scheduled_at for run in await work.task_runs.page(task_id=task.id)] == [due, due]


async def test_dispatcher_integration_paused_task_makes_no_run(store: Store) -> None:
    """A paused task's due slot is nobody's."""
    task = await create_task(store, schedule=Schedule(at=last_minute()), next_due=last_minute())
    async with store.transaction() as work:
        await work.tasks.set_status([task.id], TaskStatus.PAUSED)
    await until_idle(schedules(store))
    async with store.autocommit() as work:
        assert await work.task_runs.page(task_id=task.id) == []


async def test_dispatcher_integration_chain_runs_in_order(store: Store) -> None:
    """A downstream waits for its upstream and is released by settlement when that has completed."""
    due = last_minute()
    first = await create_task(store, name="first", schedule=yearly(due), next_due=due)
    second = await create_task(store, name="second", dependencies=("first",))
    session_id, queue = await open_session(store), InMemoryMessageQueue()
    await until_idle(schedules(store, queue))
    settlement = SettlementService(store, Ringer(store, queue), batch=100, poll_interval_seconds=5.0)
    [claimed] = await claim(store, session_id)
    assert claimed.task_id == first.id
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(claimed)])
    assert await settlement.look() == 0.0
    assert await settlement.look() == 5.0
    [released] = await claim(store, session_id)
    assert (released.task_id, released.flow_id) == (second.id, claimed.flow_id)
    assert queue.wire.rung == [session_address(session_id)] * 2


async def test_dispatcher_integration_retry_is_admitted_when_its_delay_ends(store: Store) -> None:
    """A failed run with retries left is claimable again after its delay, and not before."""
    due = last_minute()
    await create_task(store, schedule=yearly(due), next_due=due, max_retries=1)
    session_id, queue = await open_session(store), InMemoryMessageQueue()
    await until_idle(schedules(store, queue))
    dispatch = DispatchService(store, Ringer(store, queue), batch=100, poll_interval_seconds=5.0)
    [claimed] = await claim(store, session_id)
    async with store.autocommit() as work:
        failed = report(claimed, TaskRunStatus.FAILED, error="no", retry_delay_seconds=1.0)
        await work.task_runs.finish(session_id, [failed])
    delay = await dispatch.look()
    assert 0 < delay <= 1.002
    assert await claim(store, session_id) == []
    await asyncio.sleep(delay)
    await dispatch.look()
    [again] = await claim(store, session_id)
    assert (again.id, again.attempt, again.failures) == (claimed.id, 2, 1)


async def test_dispatcher_integration_ring_wakes_it_for_a_new_schedule(store: Store) -> None:
    """A schedule added while the dispatcher sleeps for long is run on time when its ring is heard."""
    queue, stopping = InMemoryMessageQueue(), asyncio.Event()
    service = ScheduleService(store, Ringer(store, queue), batch=100, interval_seconds=600.0)
    loops = [ServiceLoop(service, SystemClock())]
    running = asyncio.create_task(run_loops(loops, SharedBell(queue, loops), stopping))
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    task = await create_task(store, schedule=Schedule(cron="* * * * * *"), next_due=due)
    await queue.ring([DISPATCHERS])

    async def two_slots_have_run() -> bool:
        async with store.autocommit() as work:
            return len(await work.task_runs.page(task_id=task.id)) >= 2

    await wait_until(two_slots_have_run, limit_seconds=10)
    stopping.set()
    await running
    async with store.autocommit() as work:
        first, second = (await work.task_runs.page(task_id=task.id))[::-1][:2]
    assert (first.scheduled_at, second.scheduled_at) == (due, due + timedelta(seconds=1))
    assert first.created_at - first.scheduled_at < timedelta(seconds=1)


async def test_dispatcher_integration_ten_thousand_tasks_due_at_once(store: Store, database_url: str) -> None:
    """10,000 tasks due at one second all get their run, in looks of a bounded size."""
    tasks = 10_000
    async with store.transaction() as work:
        due = last_minute()
        definitions = [build_definition(schedule=yearly(due)) for _ in range(tasks)]
        await work.tasks.create(definitions, [due] * tasks)
    await until_idle(schedules(store))
    assert count(database_url, "SELECT count(*) FROM scheduler.task_runs WHERE status = 'DISPATCHED'") == tasks
