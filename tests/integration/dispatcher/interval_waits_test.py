"""Runs that wait for the slots of other schedules."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fixtures.factories import claim, create_task, open_session, report
from fixtures.interval_flows import HOURLY, Runner, fire_until, on, rerun, runs_of, scheduled, settle, waits_of
from fixtures.schedule_looks import ledger_faults, look_at
from fixtures.waiting import wait_until_blocked
from scheduler_core.decisions import interval_rules
from scheduler_core.decisions.interval_rules import awaited_slots
from scheduler_core.interfaces import Store
from scheduler_core.models import ClaimedRun, PauseWindow, Schedule, SkipReason, Task, TaskRun, TaskRunStatus
from scheduler_core.models.interval_wait import AwaitedSlots, SlotOutcome, WaitState
from scheduler_dispatcher import awaited_intervals
from scheduler_dispatcher.schedule_service import fire
from scheduler_infra.database import interval_repository

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
DAILY = Schedule(cron="0 0 * * *")
FIVE_PAST = MIDNIGHT + DAY + timedelta(minutes=5)
PENDING, DISPATCHED = TaskRunStatus.PENDING, TaskRunStatus.DISPATCHED
COMPLETED, FAILED, SKIPPED = TaskRunStatus.COMPLETED, TaskRunStatus.FAILED, TaskRunStatus.SKIPPED


async def only_run(store: Store, task: Task) -> TaskRun:
    """The one run that a task has."""
    [run] = await runs_of(store, task)
    return run


@pytest.mark.parametrize(
    ("day_begins", "hours"),
    [
        (datetime(2026, 3, 28, 23, tzinfo=UTC), 23),
        (datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
        (datetime(2026, 6, 1, 22, tzinfo=UTC), 24),
    ],
)
async def test_dispatcher_integration_intervals_a_local_day_waits_for_its_hours(
    store: Store, day_begins: datetime, hours: int
) -> None:
    """A day in Berlin waits for exactly the 23, 24 or 25 hours in UTC that it has, and starts once."""
    runner = await Runner.start(store)
    await scheduled(store, "hourly", HOURLY, day_begins - HOUR / 2)
    berlin = Schedule(cron="0 0 * * *", timezone="Europe/Berlin")
    daily = await scheduled(store, "daily", berlin, day_begins, on("hourly", "contained"))
    await fire_until(store, day_begins, day_begins + hours * HOUR)
    run = await only_run(store, daily)
    assert (run.status, run.waiting_on) == (PENDING, 1)
    [wait] = await waits_of(store, run)
    assert (wait.state, wait.expected, wait.upstream_task) == (WaitState.OPEN, hours, "hourly")
    done = await runner.run_all()
    assert done[-1] == ("daily", day_begins + hours * HOUR)
    assert [name for name, _ in done].count("daily") == 1
    [wait] = await waits_of(store, run)
    assert (wait.state, wait.outcomes, wait.missing) == (WaitState.MET, {SlotOutcome.SUCCESS: hours}, ())


async def test_dispatcher_integration_intervals_a_failed_hour_is_waited_for_until_it_is_run_again(store: Store) -> None:
    """One failure keeps the day waiting, and is named; when that hour has succeeded the day starts, once."""
    runner = await Runner.start(store)
    hourly = await scheduled(store, "hourly", HOURLY, MIDNIGHT)
    daily = await scheduled(store, "daily", DAILY, MIDNIGHT, on("hourly", "contained"))
    await fire_until(store, MIDNIGHT, MIDNIGHT + DAY)
    seventh = MIDNIGHT + 7 * HOUR
    assert "daily" not in {name for name, _ in await runner.run_all(hourly=seventh)}
    [wait] = await waits_of(store, await only_run(store, daily))
    assert wait.outcomes == {SlotOutcome.SUCCESS: 23, SlotOutcome.FAILURE: 1}
    [missing] = wait.missing
    failed = next(run for run in await runs_of(store, hourly) if run.scheduled_at == seventh)
    assert (missing.scheduled_at, missing.upstream_run_id, missing.upstream_status) == (seventh, failed.id, FAILED)
    await rerun(store, failed)
    assert await runner.run_all() == [("hourly", seventh), ("daily", MIDNIGHT + DAY)]


async def test_dispatcher_integration_intervals_a_week_waits_for_its_working_days(store: Store) -> None:
    """All working days count, Monday too, whose interval begins in the week before; one in a pause window does not."""
    runner = await Runner.start(store)
    holiday = PauseWindow(starts_at=MIDNIGHT + 3 * DAY, until=MIDNIGHT + 4 * DAY)
    await scheduled(store, "working-day", Schedule(cron="0 18 * * 1-5", pauses=(holiday,)), MIDNIGHT)
    weekly = await scheduled(
        store, "weekly", Schedule(cron="0 0 * * 6"), MIDNIGHT, on("working-day", "contained", condition="at_least:5")
    )
    await fire_until(store, MIDNIGHT, MIDNIGHT + 5 * DAY, DAY / 4)
    [wait] = await waits_of(store, await only_run(store, weekly))
    assert wait.expected == 4
    assert [name for name, _ in await runner.run_all()] == ["working-day"] * 4 + ["weekly"]


async def test_dispatcher_integration_intervals_each_slot_after_the_one_before(store: Store) -> None:
    """previous:1 of the task itself: late slots that are made up for together run one after the other, in order."""
    runner = await Runner.start(store)
    chain = await scheduled(store, "chain", HOURLY, MIDNIGHT, on("chain", "previous:1"), misfire="all")
    await look_at(store, MIDNIGHT + 5 * HOUR)
    first, *others = await runs_of(store, chain)
    assert [run.waiting_on for run in others] == [1, 1, 1, 1]
    assert await runner.run_all() == [("chain", MIDNIGHT + hour * HOUR) for hour in range(1, 6)]
    assert (await waits_of(store, first))[0].expected == 0, "before the first slot there is none"


async def test_dispatcher_integration_intervals_upstream_slots_come_later(store: Store) -> None:
    """An hour waits for the day around it, which is due only when that day is over."""
    runner = await Runner.start(store)
    await scheduled(store, "daily", DAILY, MIDNIGHT)
    hourly = await scheduled(store, "hourly", HOURLY, MIDNIGHT, on("daily", "covering"))
    await fire_until(store, MIDNIGHT, MIDNIGHT + 2 * HOUR)
    assert await runner.run_all() == []
    await look_at(store, MIDNIGHT + DAY - HOUR)
    assert {run.status for run in await runs_of(store, hourly)} == {PENDING}
    await look_at(store, MIDNIGHT + DAY)
    assert (await runner.run_all())[0] == ("daily", MIDNIGHT + DAY)
    assert COMPLETED in {run.status for run in await runs_of(store, hourly)}


async def test_dispatcher_integration_intervals_of_a_member_of_a_flow(store: Store) -> None:
    """A task downstream waits for its upstream run and for the interval; what ends last starts it."""
    runner = await Runner.start(store)
    await scheduled(store, "daily", DAILY, MIDNIGHT)
    await scheduled(store, "check", DAILY, MIDNIGHT)
    report_task = await create_task(store, name="report", dependencies=("daily", on("check", "same")))
    await look_at(store, MIDNIGHT + DAY)
    run = await only_run(store, report_task)
    assert (run.status, run.waiting_on) == (PENDING, 2)
    done = await runner.run_all()
    assert done[-1] == ("report", MIDNIGHT + DAY)
    assert len(done) == 3


async def test_dispatcher_integration_intervals_what_has_come_already_is_not_waited_for(store: Store) -> None:
    """With all of the hours done the day starts in the transaction that makes its run."""
    runner = await Runner.start(store)
    await scheduled(store, "hourly", HOURLY, MIDNIGHT)
    await fire_until(store, MIDNIGHT, MIDNIGHT + DAY)
    await runner.run_all()
    await scheduled(store, "daily", DAILY, MIDNIGHT, on("hourly", "contained"), on("hourly", "latest"))
    [made] = await look_at(store, MIDNIGHT + DAY)
    assert made.status is DISPATCHED


@pytest.mark.parametrize(
    ("on_unmet", "status", "state"),
    [
        ("skip", SKIPPED, WaitState.UNMET),
        ("fail", FAILED, WaitState.UNMET),
        ("run", DISPATCHED, WaitState.WAIVED),
        ("alert", PENDING, WaitState.OVERDUE),
    ],
)
async def test_dispatcher_integration_intervals_that_do_not_exist(
    store: Store, on_unmet: str, status: TaskRunStatus, state: WaitState
) -> None:
    """Where no slot has the interval, what is to happen then happens at once, downstream of it too."""
    await scheduled(store, "hourly", HOURLY, MIDNIGHT)
    daily = await scheduled(store, "daily", DAILY, MIDNIGHT, on("hourly", "same", on_unmet=on_unmet))
    after = await create_task(store, name="after", dependencies=("daily",))
    await look_at(store, MIDNIGHT + DAY)
    run = await only_run(store, daily)
    [wait] = await waits_of(store, run)
    assert (run.status, wait.state) == (status, state)
    if state is WaitState.UNMET:
        assert "can never be met" in (run.error or "")
        assert run.skip_reason is (SkipReason.DEPENDENCY_UNMET if status is SKIPPED else None)
        assert (await only_run(store, after)).status is SKIPPED


async def test_dispatcher_integration_intervals_end_while_the_wait_is_made(
    store: Store, second_store: Store, database_url: str
) -> None:
    """A run made while the last upstream run is being settled waits for that commit, and sees what it says."""
    after, claimed, session_id = await _upstream_running(store)
    async with store.transaction() as work:
        await work.task_runs.finish(session_id, [report(claimed)])
        await work.task_runs.settle(10, [claimed.id])
        firing = asyncio.create_task(look_at(second_store, FIVE_PAST))
        await wait_until_blocked(database_url)
    await firing
    assert (await only_run(store, after)).status is DISPATCHED


async def test_dispatcher_integration_intervals_end_before_the_wait_is_committed(
    store: Store, second_store: Store, database_url: str
) -> None:
    """An upstream run that ends while the waiting run is being made is told of that run once it is committed."""
    after, claimed, session_id = await _upstream_running(store)

    async def finish() -> None:
        async with second_store.autocommit() as work:
            await work.task_runs.finish(session_id, [report(claimed)])
        await settle(second_store)

    async with store.transaction() as work:
        await fire(work, await work.schedules.take_due(10, FIVE_PAST))
        finishing = asyncio.create_task(finish())
        await wait_until_blocked(database_url)
    await finishing
    assert (await only_run(store, after)).status is DISPATCHED


async def test_dispatcher_integration_intervals_rerun_makes_stale_what_had_taken_it_in(store: Store) -> None:
    """An hour that is run again marks the day stale that was made of it: the latest run of that day."""
    runner = await Runner.start(store)
    hourly = await scheduled(store, "hourly", HOURLY, MIDNIGHT)
    daily = await scheduled(store, "daily", DAILY, MIDNIGHT, on("hourly", "contained"))
    await fire_until(store, MIDNIGHT, MIDNIGHT + DAY)
    await runner.run_all()
    day = await only_run(store, daily)
    assert (day.status, day.stale_since) == (COMPLETED, None)
    again = await rerun(store, (await runs_of(store, hourly))[7])
    assert (await only_run(store, daily)).stale_since is None, "not before it has ended"
    await runner.run_all()
    day = await only_run(store, daily)
    assert day.stale_run_id == again
    assert day.stale_since is not None
    assert await stale_ids(store) == [day.id]
    day_again = await rerun(store, day)
    await runner.run_all()
    assert await stale_ids(store) == [], "it has been run again"
    async with store.autocommit() as work:
        dependents = await work.intervals.dependents_of(again, 10)
    assert [(run.id, run.task_name) for run in dependents] == [(day_again, "daily")]
    another = await rerun(store, (await runs_of(store, hourly))[7])
    await runner.run_all()
    marks = {run.id: run.stale_run_id for run in await runs_of(store, daily)}
    assert marks == {day.id: again, day_again: another}, "what was run again since stays as it was"
    assert await stale_ids(store) == [day_again]


async def stale_ids(store: Store) -> list[int]:
    """The runs that are offered to be run again."""
    async with store.autocommit() as work:
        return [run.id for run in await work.task_runs.page(stale=True)]


async def _upstream_running(store: Store) -> tuple[Task, ClaimedRun, int]:
    """A task whose slot at FIVE_PAST waits for a run that this session executes."""
    session_id = await open_session(store)
    await scheduled(store, "daily", DAILY, MIDNIGHT)
    after = await scheduled(store, "after", Schedule(cron="5 0 * * *"), MIDNIGHT + HOUR, on("daily", "latest"))
    await look_at(store, MIDNIGHT + DAY)
    [claimed] = await claim(store, session_id)
    return after, claimed, session_id


async def test_dispatcher_integration_intervals_few_enough_for_one_look(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a look's runs wait for is bounded: the slots that are left fire in the next looks, all others at once."""
    monkeypatch.setattr(awaited_intervals, "AWAITED_A_LOOK_MAX", 60)
    monkeypatch.setattr(interval_repository, "SLOTS_A_STATEMENT", 20)
    await scheduled(store, "hourly", HOURLY, MIDNIGHT - 2 * DAY)
    days = [
        await scheduled(store, f"day-{number}", DAILY, MIDNIGHT - DAY, on("hourly", "contained"), misfire="all")
        for number in range(2)
    ]
    wide = await scheduled(store, "wide", DAILY, MIDNIGHT, on("hourly", "previous:61"))
    free = await scheduled(store, "free", DAILY, MIDNIGHT)
    seen = []
    for _ in range(4):
        await look_at(store, MIDNIGHT + DAY)
        seen.append([len(await runs_of(store, task)) for task in (*days, wide, free)])
    # The first look: both slots of one day with 24 hours each. One that is too much alone has a look to itself.
    assert seen == [[2, 0, 0, 1], [2, 2, 0, 1], [2, 2, 1, 1], [2, 2, 1, 1]]
    waits = [
        wait for task in (*days, wide) for run in await runs_of(store, task) for wait in await waits_of(store, run)
    ]
    assert [wait.expected for wait in waits] == [24] * 4 + [48]
    assert await ledger_faults(store) == []


@pytest.mark.parametrize(("interval", "is_long"), [("contained", True), ("latest", False), ("previous:5", False)])
async def test_dispatcher_integration_intervals_many_are_computed_in_a_thread(
    store: Store, monkeypatch: pytest.MonkeyPatch, interval: str, is_long: bool
) -> None:
    """What may be thousands of slots is not computed in the dispatcher's loop."""
    threads: list[threading.Thread] = []

    def seen(*arguments: Any) -> AwaitedSlots:
        threads.append(threading.current_thread())
        return awaited_slots(*arguments)

    monkeypatch.setattr(interval_rules, "awaited_slots", seen)
    await scheduled(store, "hourly", HOURLY, MIDNIGHT - DAY)
    daily = await scheduled(store, "daily", DAILY, MIDNIGHT, on("hourly", interval))
    await look_at(store, MIDNIGHT + DAY)
    assert [thread is not threading.main_thread() for thread in threads] == [is_long], "once, and where it belongs"
    [wait] = await waits_of(store, await only_run(store, daily))
    assert wait.expected > 0
