"""The life of a schedule that counts from the end of its last run."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fixtures.factories import build_definition, build_plan, claim, create_runs, open_session, report
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from fixtures.schedule_looks import ledger_faults, ledger_of, look_at, look_until_idle_at, pause_at, task_service
from scheduler_core.interfaces import Store
from scheduler_core.models import DISPATCHERS, ClaimedRun, OverlapPolicy, Schedule, Task, TaskRunStatus
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.settlement_service import SettlementService

DELAY = timedelta(minutes=10)
SECOND = timedelta(seconds=1)
AN_HOUR_AGO = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


async def create(store: Store, **changes: Any) -> Task:
    """A task that runs ten minutes after the end of its last run, for the first time an hour ago."""
    fields = {"schedule": Schedule(after_end=600), "parameters": {"callable": "module:function"}, **changes}
    async with store.transaction() as work:
        [task] = await work.tasks.create([build_definition(**fields)], [AN_HOUR_AGO], AN_HOUR_AGO - DELAY)
    return task


async def next_due(store: Store, task: Task) -> datetime | None:
    """When it is due next."""
    async with store.autocommit() as work:
        [position] = await work.schedules.position([task.id])
    return position.next_due_at


async def claimed_run(store: Store, session_id: int) -> ClaimedRun:
    """Its run, begun by a worker."""
    [run] = await claim(store, session_id)
    return run


async def end(
    store: Store, session_id: int, run: ClaimedRun, status: TaskRunStatus = TaskRunStatus.COMPLETED, **changes: Any
) -> datetime:
    """Report as a worker does, settlement included; when it ended."""
    async with store.transaction() as work:
        [change] = await work.task_runs.finish(session_id, [report(run, status, **changes)])
        if change.status.is_final:
            assert change.needs_settlement
            assert (await work.task_runs.settle(1, [run.id])).is_later
        ended = (await work.task_runs.get(run.id)).completed_at
    assert ended is not None
    return ended


def after(ended: datetime) -> datetime:
    """The whole second at or after the delay."""
    exact = ended + DELAY
    return exact if exact.microsecond == 0 else exact.replace(microsecond=0) + SECOND


async def test_dispatcher_integration_fixed_delay_counts_from_the_end(store: Store, second_store: Store) -> None:
    """Nothing is due while the run lasts; its end plans the next slot, which any dispatcher gives its run."""
    task, session_id = await create(store), await open_session(store)
    await look_at(store, AN_HOUR_AGO)
    run = await claimed_run(store, session_id)
    assert await next_due(store, task) is None
    assert (run.interval_from, run.interval_to) == (AN_HOUR_AGO - DELAY, AN_HOUR_AGO)
    due = after(await end(store, session_id, run))
    assert await next_due(store, task) == due
    assert await look_at(second_store, due - SECOND) == []
    [second] = await look_at(second_store, due)
    assert second.scheduled_at == due
    assert await next_due(store, task) is None
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_fixed_delay_waits_for_retries(store: Store) -> None:
    """A failed attempt is not the end: the delay counts from the last one."""
    task, session_id = await create(store, max_retries=1), await open_session(store)
    await look_at(store, AN_HOUR_AGO)
    first = await claimed_run(store, session_id)
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(first, TaskRunStatus.FAILED, retry_delay_seconds=0.0)])
        assert await next_due(store, task) is None
        await work.task_runs.admit(10)
    again = await claimed_run(store, session_id)
    assert again.needs_settlement
    due = after(await end(store, session_id, again, TaskRunStatus.FAILED))
    assert await next_due(store, task) == due
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_fixed_delay_goes_on_after_a_cancelled_run(store: Store) -> None:
    """A run that is cancelled before anybody has started it has ended, too; dispatchers are rung for the next slot."""
    task, queue = await create(store), InMemoryMessageQueue()
    [run] = await look_at(store, AN_HOUR_AGO)
    async with store.autocommit() as work:
        await work.task_runs.cancel([run.run_id])
    service = SettlementService(store, Ringer(store, queue), batch=10, poll_interval_seconds=5.0)
    assert await service.look() == 5.0
    async with store.autocommit() as work:
        ended = (await work.task_runs.get(run.run_id)).completed_at
    assert ended is not None
    assert await next_due(store, task) == after(ended)
    assert queue.wire.rung == [DISPATCHERS]


async def test_dispatcher_integration_fixed_delay_waits_over_a_pause(store: Store) -> None:
    """Paused and resumed while its run lasts, a task goes on waiting for that run."""
    task, session_id, service = await create(store), await open_session(store), task_service(store)
    await look_at(store, AN_HOUR_AGO)
    run = await claimed_run(store, session_id)
    await service.pause(str(task.id), "default")
    await service.resume(str(task.id), "default")
    assert await next_due(store, task) is None
    due = after(await end(store, session_id, run))
    assert await next_due(store, task) == due
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_fixed_delay_resumes_from_a_run_that_ended_meanwhile(store: Store) -> None:
    """The end of a run of a paused task plans nothing; the resume counts from it."""
    task, session_id, service = await create(store), await open_session(store), task_service(store)
    await look_at(store, AN_HOUR_AGO)
    run = await claimed_run(store, session_id)
    await service.pause(str(task.id), "default")
    async with store.transaction() as work:
        await work.task_runs.finish(session_id, [report(run)])
        assert not (await work.task_runs.settle(1, [run.id])).is_later
        ended = (await work.task_runs.get(run.id)).completed_at
    assert ended is not None
    assert await next_due(store, task) is None
    await service.resume(str(task.id), "default")
    assert await next_due(store, task) == after(ended)
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_fixed_delay_records_what_passed_in_a_pause(store: Store) -> None:
    """Slots that come and go while the task is paused follow each other by the delay, and stand as PAUSED."""
    task, session_id, service = await create(store), await open_session(store), task_service(store)
    await look_at(store, AN_HOUR_AGO)
    run = await claimed_run(store, session_id)
    async with store.transaction() as work:
        await work.task_runs.finish(session_id, [report(run)], AN_HOUR_AGO + SECOND / 2)
        await work.task_runs.settle(1, [run.id])
    first = AN_HOUR_AGO + DELAY + SECOND
    assert await next_due(store, task) == first
    await pause_at(store, task, first - SECOND)
    await service.resume(str(task.id), "default")
    _, paused = await ledger_of(store, task.id)
    assert (paused.first, paused.what) == (first, "PAUSED")
    assert paused.last == first + (paused.slots - 1) * DELAY
    assert paused.slots >= 5
    assert await next_due(store, task) == paused.last + DELAY
    assert await ledger_faults(store) == []


@pytest.mark.parametrize("waits", [True, False])
async def test_dispatcher_integration_fixed_delay_ends_with_a_change(store: Store, waits: bool) -> None:
    """Another schedule counts from the change on, whether or not a run is awaited; the old run's end plans nothing."""
    task, session_id, service = await create(store), await open_session(store), task_service(store)
    await look_at(store, AN_HOUR_AGO)
    run = await claimed_run(store, session_id)
    if not waits:
        await end(store, session_id, run)
    changed = await service.change(str(task.id), "default", {"schedule": "0 0 1 1 *"})
    if waits:
        async with store.transaction() as work:
            await work.task_runs.finish(session_id, [report(run)])
            assert not (await work.task_runs.settle(1, [run.id])).is_later
    assert changed.next_run_at is not None
    assert await next_due(store, task) == changed.next_run_at
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_fixed_delay_stops_at_the_end_of_its_validity(store: Store) -> None:
    """A slot that would come after valid_until never runs."""
    until = AN_HOUR_AGO + timedelta(minutes=5)
    task = await create(store, schedule=Schedule(after_end=600, valid_until=until))
    session_id = await open_session(store)
    await look_at(store, AN_HOUR_AGO)
    await end(store, session_id, await claimed_run(store, session_id))
    assert await look_until_idle_at(store, datetime.now(UTC) + timedelta(hours=1)) == []
    assert await next_due(store, task) is None
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_fixed_delay_skips_an_overlap_and_goes_on(store: Store) -> None:
    """A slot without a run is what the next one counts from."""
    task = await create(store, overlap=OverlapPolicy.SKIP)
    session_id, service = await open_session(store), task_service(store)
    await look_at(store, AN_HOUR_AGO)
    run = await claimed_run(store, session_id)
    due = after(await end(store, session_id, run))
    await create_runs(store, build_plan(await service.get(str(task.id), "default")))
    assert await look_at(store, due) == []
    assert await next_due(store, task) == due + DELAY
    assert [line.what for line in await ledger_of(store, task.id)] == ["run", "OVERLAP"]
    assert await ledger_faults(store) == []
