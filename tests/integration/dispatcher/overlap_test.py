"""What becomes of a slot whose task still has a run that has not ended."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from fixtures.factories import build_plan, claim, create_runs, create_task, open_session, report, status_of
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from fixtures.schedule_looks import ledger_faults, ledger_of, look_at
from fixtures.waiting import wait_until_blocked
from scheduler_core.decisions.overlap_rules import QUEUED_RUNS_MAX
from scheduler_core.interfaces import Store
from scheduler_core.models import DISPATCHERS, OverlapPolicy, Schedule, Task, TaskRunStatus, session_address
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.schedule_service import ScheduleService
from scheduler_dispatcher.settlement_service import SettlementService

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PENDING, DISPATCHED, CANCELLED = TaskRunStatus.PENDING, TaskRunStatus.DISPATCHED, TaskRunStatus.CANCELLED


async def create_minutely(store: Store, overlap: OverlapPolicy) -> Task:
    """A task that is due at noon and every minute after."""
    return await create_task(store, schedule=Schedule(cron="* * * * *"), next_due=NOON, overlap=overlap)


async def fire(store: Store, minute: int) -> int:
    """Let the slot of this minute after noon be due; its run."""
    [run] = await look_at(store, NOON + minute * MINUTE)
    return run.run_id


async def settle(store: Store) -> None:
    """Let a dispatcher settle what has ended."""
    service = SettlementService(store, Ringer(store, InMemoryMessageQueue()), batch=100, poll_interval_seconds=5.0)
    while await service.look() == 0.0:
        pass


async def finish(store: Store, session_id: int, status: TaskRunStatus = TaskRunStatus.COMPLETED) -> int:
    """Claim one run and end it, as a worker does that does not settle itself; its id."""
    [claimed] = await claim(store, session_id, 1)
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(claimed, status)])
    return claimed.id


async def test_dispatcher_integration_overlap_allow_starts_at_once(store: Store) -> None:
    """Without a policy runs may overlap."""
    await create_minutely(store, OverlapPolicy.ALLOW)
    first, second = await fire(store, 0), await fire(store, 1)
    assert [await status_of(store, run) for run in (first, second)] == [DISPATCHED, DISPATCHED]


async def test_dispatcher_integration_overlap_skip_leaves_a_record(store: Store) -> None:
    """A slot whose predecessor is active gets no run and is OVERLAP; the one after its end runs again."""
    task = await create_minutely(store, OverlapPolicy.SKIP)
    session_id = await open_session(store)
    await fire(store, 0)
    assert await look_at(store, NOON + MINUTE) == []
    await claim(store, session_id)
    assert await look_at(store, NOON + 2 * MINUTE) == [], "a run that somebody executes is active, too"
    async with store.autocommit() as work:
        [run] = await work.task_runs.page(task_id=task.id)
        await work.task_runs.cancel([run.id])
        held = await work.worker_sessions.close(session_id)
    assert [change.status for change in held] == [CANCELLED]
    await fire(store, 3)
    assert [line.what for line in await ledger_of(store, task.id)] == ["run", "OVERLAP", "OVERLAP", "run"]
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_overlap_counts_runs_made_by_hand(store: Store) -> None:
    """Whatever has made it: a run of the task that has not ended overlaps."""
    task = await create_minutely(store, OverlapPolicy.SKIP)
    await create_runs(store, build_plan(task))
    assert await look_at(store, NOON) == []
    assert [line.what for line in await ledger_of(store, task.id)] == ["OVERLAP"]


@pytest.mark.parametrize("ending", [TaskRunStatus.COMPLETED, TaskRunStatus.FAILED])
async def test_dispatcher_integration_overlap_queue_runs_one_after_the_other(
    store: Store, ending: TaskRunStatus
) -> None:
    """Each run waits for all before it, and starts when they have ended, however they end."""
    task = await create_minutely(store, OverlapPolicy.QUEUE)
    session_id = await open_session(store)
    runs = [await fire(store, minute) for minute in range(3)]
    for number, run in enumerate(runs):
        assert [await status_of(store, each) for each in runs[number:]] == [DISPATCHED, PENDING, PENDING][: 3 - number]
        assert await finish(store, session_id, ending) == run
        assert await claim(store, session_id) == []
        await settle(store)
    assert [line.what for line in await ledger_of(store, task.id)] == ["run"] * 3
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_overlap_queue_has_an_end(store: Store) -> None:
    """Behind one stuck run a hundred wait, each for all before it; the slots beyond are on record as OVERLAP."""
    task = await create_minutely(store, OverlapPolicy.QUEUE)
    await create_runs(store, build_plan(task), copies=QUEUED_RUNS_MAX)
    [last] = await look_at(store, NOON)
    assert await look_at(store, NOON + MINUTE) == []
    assert await look_at(store, NOON + 2 * MINUTE) == []
    async with store.autocommit() as work:
        assert (await work.task_runs.get(last.run_id)).waiting_on == QUEUED_RUNS_MAX
        [run] = await work.task_runs.page(task_id=task.id, before_id=last.run_id, limit=1)
        await work.task_runs.cancel([run.id])
    await fire(store, 3)
    assert [line.what for line in await ledger_of(store, task.id)] == ["run", "OVERLAP", "OVERLAP", "run"]
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_overlap_queue_waits_for_all(store: Store) -> None:
    """One that was cancelled in the middle of the queue lets nobody past the first."""
    await create_minutely(store, OverlapPolicy.QUEUE)
    session_id = await open_session(store)
    first, second, third = [await fire(store, minute) for minute in range(3)]
    async with store.autocommit() as work:
        await work.task_runs.cancel([second])
    await settle(store)
    assert await status_of(store, third) is PENDING
    assert await finish(store, session_id) == first
    await settle(store)
    assert await status_of(store, third) is DISPATCHED


async def test_dispatcher_integration_overlap_queue_does_not_wait_for_a_run_that_has_just_ended(
    store: Store, second_store: Store, database_url: str
) -> None:
    """A report that is being committed while the slot fires is waited for: nobody waits for an end already told."""
    await create_minutely(store, OverlapPolicy.QUEUE)
    session_id = await open_session(store)
    await fire(store, 0)
    [claimed] = await claim(store, session_id)
    async with second_store.transaction() as work:
        await work.task_runs.finish(session_id, [report(claimed)])
        firing = asyncio.create_task(fire(store, 1))
        await wait_until_blocked(database_url)
    assert await status_of(store, await firing) is DISPATCHED


async def test_dispatcher_integration_overlap_queue_keeps_the_jitter(store: Store) -> None:
    """A run whose turn comes before its moment waits on for that."""
    schedule = Schedule(cron="* * * * *", jitter=59)
    now = datetime.now(UTC).replace(second=0, microsecond=0) + MINUTE
    task = await create_task(store, schedule=schedule, next_due=now - MINUTE, overlap=OverlapPolicy.QUEUE)
    [first] = await look_at(store, now - MINUTE)
    [second] = await look_at(store, now)
    async with store.autocommit() as work:
        await work.task_runs.cancel([first.run_id])
        settled = await work.task_runs.settle(10)
        waiting = await work.task_runs.get(second.run_id)
    assert (settled.released, settled.is_later) == ([], True)
    assert (waiting.status, waiting.waiting_on, waiting.task_id) == (PENDING, 0, task.id)
    assert waiting.not_before is not None
    assert waiting.not_before > now


async def test_dispatcher_integration_overlap_cancel_previous_ends_what_runs(store: Store) -> None:
    """The earlier run is told to end, its session is rung, and the new one starts when it has."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    schedule = Schedule(cron=f"{now.minute} {now.hour} {now.day} {now.month} *")
    task = await create_task(store, schedule=schedule, next_due=now, overlap=OverlapPolicy.CANCEL_PREVIOUS)
    session_id = await open_session(store)
    await create_runs(store, build_plan(task))
    [claimed] = await claim(store, session_id)
    queue = InMemoryMessageQueue()
    await ScheduleService(store, Ringer(store, queue), batch=10, interval_seconds=10.0).look()
    assert queue.wire.rung == [session_address(session_id), DISPATCHERS]
    async with store.autocommit() as work:
        [new, old] = await work.task_runs.page(task_id=task.id)
        assert (old.status, old.cancel_requested, new.status, new.waiting_on) == (
            TaskRunStatus.RUNNING,
            True,
            PENDING,
            1,
        )
        [change] = await work.task_runs.finish(session_id, [report(claimed, CANCELLED)])
    assert (change.status, change.needs_settlement) == (CANCELLED, True)
    await settle(store)
    assert await status_of(store, new.id) is DISPATCHED


async def test_dispatcher_integration_overlap_cancel_previous_takes_the_place_of_what_waits(store: Store) -> None:
    """A run that nobody has started is cancelled at once: only the newest is left."""
    task = await create_minutely(store, OverlapPolicy.CANCEL_PREVIOUS)
    runs = [await fire(store, minute) for minute in range(3)]
    await settle(store)
    assert [await status_of(store, run) for run in runs] == [CANCELLED, CANCELLED, DISPATCHED]
    assert [line.what for line in await ledger_of(store, task.id)] == ["run"] * 3
    assert await ledger_faults(store) == []
