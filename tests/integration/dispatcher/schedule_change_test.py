"""Changing, deleting, pausing and resuming tasks leaves no hole in the ledger, at whatever moment it happens."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from fixtures.factories import build_definition, claim, create_task, open_session, report
from fixtures.schedule_looks import ledger_faults, ledger_of, look_at, look_until_idle_at, pause_at, task_service
from fixtures.waiting import wait_until_blocked
from scheduler_api.task_service import update_tasks
from scheduler_core.decisions.schedule_rules import schedule_seed
from scheduler_core.errors import InvalidInputError
from scheduler_core.interfaces import Store
from scheduler_core.models import Schedule, ScheduleAdvance, SchedulePeriod, Task, TaskStatus
from scheduler_dispatcher.schedule_service import fire

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
EVERY_MINUTE = Schedule(cron="* * * * *")
PARAMETERS = {"callable": "module:function"}


def minutes_ago(minutes: int) -> datetime:
    """The full minute that long before the present one."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - minutes * MINUTE


async def create(store: Store, since: datetime, schedule: Schedule = EVERY_MINUTE, **changes: Any) -> Task:
    """A minutely task, created at `since`."""
    definition = build_definition(schedule=schedule, parameters=PARAMETERS, **changes)
    async with store.transaction() as work:
        [task] = await work.tasks.create([definition], [since + MINUTE], since)
    return task


async def create_secondly(store: Store, since: datetime, schedule: Schedule, **changes: Any) -> Task:
    """A task whose slots are seconds, created at `since`, first due a second later."""
    definition = build_definition(schedule=schedule, parameters=PARAMETERS, **changes)
    async with store.transaction() as work:
        [task] = await work.tasks.create([definition], [since + SECOND], since)
    return task


def make_unknown(url: str, task: Task) -> None:
    """Take the zone of a task's schedule out of the time zone database, as far as its rows can tell."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table in (b"schedules", b"schedule_periods"):
            connection.execute(
                b"UPDATE scheduler." + table + b' SET schedule = schedule || \'{"timezone": "Europe/Atlantis"}\' '
                b"WHERE task_id = %s",
                [task.id],
            )


async def periods_of(store: Store, task: Task) -> list[SchedulePeriod]:
    """Which schedules counted when."""
    async with store.autocommit() as work:
        return await work.schedules.periods([task.id])


async def test_dispatcher_integration_created_task_opens_a_period(store: Store) -> None:
    """The seed comes from the name at creation, and a task's schedule counts from its creation."""
    service = task_service(store)
    outcome = await service.create(
        {"name": "nightly", "task_type": "python", "parameters": PARAMETERS, "schedule": "H H * * *"}
    )
    task = outcome.result
    assert task.schedule_seed == schedule_seed("default", "nightly")
    renamed = await service.change(str(task.id), "default", {"name": "daily"})
    assert renamed.schedule_seed == task.schedule_seed
    [period] = await periods_of(store, task)
    assert (period.counts_from, period.counts_until) == (task.created_at, None)
    assert (period.schedule, period.seed) == (task.schedule, task.schedule_seed)


async def test_dispatcher_integration_changed_schedule_closes_the_former_one(store: Store) -> None:
    """What was due and not looked at yet is MISSED; the new schedule counts from there, in a period of its own."""
    since, service = minutes_ago(5), task_service(store)
    task = await create(store, since)
    await look_until_idle_at(store, since + 2 * MINUTE)
    changed = await service.change(str(task.id), "default", {"schedule": "0 0 1 1 *"})
    lines = await ledger_of(store, task.id)
    assert [line.what for line in lines] == ["MISSED", "run", "MISSED"], "look_until_idle_at ran the latest"
    assert lines[-1].first == since + 3 * MINUTE
    former, present = await periods_of(store, task)
    assert former.counts_until == present.counts_from == changed.updated_at
    assert (former.schedule, present.schedule) == (EVERY_MINUTE, changed.schedule)
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_other_changes_keep_the_place_of_the_schedule(store: Store) -> None:
    """A change of something else records nothing and opens no period: what is due still runs."""
    since, service = minutes_ago(5), task_service(store)
    task = await create(store, since)
    await service.change(str(task.id), "default", {"description": "another"})
    assert await ledger_of(store, task.id) == []
    assert len(await periods_of(store, task)) == 1
    await look_until_idle_at(store, since + 5 * MINUTE)
    assert [line.slots for line in await ledger_of(store, task.id)] == [4, 1]
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_removed_schedule_and_a_new_one_later(store: Store) -> None:
    """While a task has no schedule nothing is due; a later one begins a new period."""
    since, service = minutes_ago(3), task_service(store)
    task = await create(store, since)
    await service.change(str(task.id), "default", {"schedule": None})
    [line] = await ledger_of(store, task.id)
    assert (line.what, line.slots >= 3) == ("MISSED", True)
    await service.change(str(task.id), "default", {"schedule": "* * * * *"})
    first, second = await periods_of(store, task)
    assert first.counts_until is not None
    assert first.counts_until < second.counts_from
    assert await ledger_faults(store) == []


@pytest.mark.parametrize("pauses", [False, True])
async def test_dispatcher_integration_deleted_task_leaves_a_complete_ledger(store: Store, pauses: bool) -> None:
    """What passed before the deletion is on record with its reason, and nothing is due after it."""
    since, service = minutes_ago(4), task_service(store)
    task = await create(store, since)
    if pauses:
        await pause_at(store, task, since)
    await service.delete(str(task.id), "default")
    [line] = await ledger_of(store, task.id)
    assert (line.first, line.what) == (since + MINUTE, "PAUSED" if pauses else "MISSED")
    [period] = await periods_of(store, task)
    assert period.counts_until is not None
    assert line.last <= period.counts_until
    assert await look_until_idle_at(store, datetime.now(UTC) + timedelta(hours=1)) == []
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_resumed_task_records_its_pause(store: Store) -> None:
    """The slots of a pause are one stretch, and the first slot after it runs."""
    since, service = minutes_ago(6), task_service(store)
    task = await create(store, since)
    await look_until_idle_at(store, since + MINUTE)
    await pause_at(store, task, since + MINUTE)
    resumed = await service.resume(str(task.id), "default")
    run, paused = await ledger_of(store, task.id)
    assert (run.what, paused.what, paused.first) == ("run", "PAUSED", since + 2 * MINUTE)
    assert resumed.next_run_at == paused.last + MINUTE
    await look_until_idle_at(store, paused.last + MINUTE)
    assert (await ledger_of(store, task.id))[-1].what == "run"
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_what_was_due_before_a_pause_is_missed(store: Store) -> None:
    """A backlog that no dispatcher had looked at is not the pause's: it is MISSED, and nothing is recorded twice."""
    since, service = minutes_ago(6), task_service(store)
    task = await create(store, since)
    await pause_at(store, task, since + 3.5 * MINUTE)
    assert await ledger_of(store, task.id) == [(since + MINUTE, since + 3 * MINUTE, 3, "MISSED")]
    assert await ledger_faults(store) == []
    await service.pause(str(task.id), "default")  # once more: it is paused already
    await service.resume(str(task.id), "default")
    missed, paused = await ledger_of(store, task.id)
    assert (missed.slots, paused.first, paused.what) == (3, since + 4 * MINUTE, "PAUSED")
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_pause_of_a_fixed_delay_records_only_what_is_due(store: Store) -> None:
    """Its slots follow each other from the last one, which the pause does not move."""
    since, service = minutes_ago(6), task_service(store)
    task = await create(store, since, Schedule(after_end=60))
    await service.pause(str(task.id), "default")
    [missed] = await ledger_of(store, task.id)
    assert (missed.first, missed.what) == (since + MINUTE, "MISSED")
    resumed = await service.resume(str(task.id), "default")
    assert resumed.next_run_at == missed.last + MINUTE
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_changed_while_paused(store: Store) -> None:
    """A schedule that is changed during a pause ends there as PAUSED, and the new one is resumed like any other."""
    since, service = minutes_ago(4), task_service(store)
    task = await create(store, since)
    await pause_at(store, task, since)
    await service.change(str(task.id), "default", {"schedule": "*/2 * * * *"})
    resumed = await service.resume(str(task.id), "default")
    assert {line.what for line in await ledger_of(store, task.id)} == {"PAUSED"}
    assert resumed.next_run_at is not None
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_clock_set_back_before_a_change(store: Store) -> None:
    """What is recorded of a time that the clock now calls the future stays; the new schedule counts from there."""
    since, ahead, service = minutes_ago(1), datetime.now(UTC) + timedelta(hours=1), task_service(store)
    task = await create(store, since)
    await look_until_idle_at(store, ahead)
    recorded = (await ledger_of(store, task.id))[-1].last
    await service.change(str(task.id), "default", {"schedule": "*/5 * * * *"})
    former, present = await periods_of(store, task)
    assert former.counts_until == present.counts_from > recorded
    await look_until_idle_at(store, ahead + 10 * MINUTE)
    lines = await ledger_of(store, task.id)
    assert [line.first for line in lines] == sorted({line.first for line in lines})
    assert await ledger_faults(store) == []


@pytest.mark.parametrize("resumes", [False, True])
async def test_dispatcher_integration_fixed_delay_goes_on_after_a_clock_set_back(store: Store, resumes: bool) -> None:
    """Runs that end an hour before their slots, by a clock set back, are followed by slots all the same, in order."""
    since, service = minutes_ago(3), task_service(store)
    task, session_id = await create(store, since, Schedule(after_end=60)), await open_session(store)
    due = since + MINUTE
    for _ in range(3):
        [run] = await look_at(store, due)
        assert (run.task_id, run.scheduled_at) == (task.id, due)
        [claimed] = await claim(store, session_id)
        if resumes:
            await pause_at(store, task, due)
        async with store.transaction() as work:
            await work.task_runs.finish(session_id, [report(claimed)], due - timedelta(hours=1))
            await work.task_runs.settle(10)
        if resumes:
            await service.resume(str(task.id), "default")
            break
        due += SECOND
    lines = await ledger_of(store, task.id)
    if resumes:
        assert [(line.first, line.what) for line in lines] == [(due, "run"), (due + SECOND, "PAUSED")]
    else:
        assert [line.what for line in lines] == ["run"] * 3
    assert await ledger_faults(store) == []


@pytest.mark.parametrize("removed", [False, True])
async def test_dispatcher_integration_instant_that_a_former_schedule_counted_is_refused(
    store: Store, removed: bool
) -> None:
    """What has an entry by the former schedule gets no second one: the grace of a minute is for a task's first."""
    since, service = datetime.now(UTC).replace(microsecond=0) - 30 * SECOND, task_service(store)
    task = await create_secondly(store, since, Schedule(cron="* * * * * *"))
    await look_until_idle_at(store, datetime.now(UTC))
    if removed:
        await service.change(str(task.id), "default", {"schedule": None})
    with pytest.raises(InvalidInputError, match=r"schedule\.at.*has passed"):
        await service.change(str(task.id), "default", {"schedule": {"at": (since + 20 * SECOND).isoformat()}})
    await look_until_idle_at(store, datetime.now(UTC))
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_instant_is_not_promised_again_while_it_is_recorded_as_missed(
    store: Store,
) -> None:
    """An `at` in its minute that is replaced before a look by the same instant, written otherwise, is over."""
    service = task_service(store)
    at = (datetime.now(UTC) - 5 * SECOND).replace(microsecond=0)
    document = {"name": "once", "task_type": "python", "parameters": PARAMETERS, "schedule": {"at": at.isoformat()}}
    task = (await service.create(document)).result
    with pytest.raises(InvalidInputError, match=r"schedule\.at.*has passed"):
        await service.change(str(task.id), "default", {"schedule": {"at": at.isoformat(), "timezone": "Europe/Berlin"}})
    await look_until_idle_at(store, at + 10 * SECOND)
    assert [line.what for line in await ledger_of(store, task.id)] == ["run"]
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_task_without_a_schedule_may_be_given_an_instant_just_passed(
    store: Store,
) -> None:
    """A request that says "now" arrives a little later, also for a task that is there already."""
    [task] = [await create_task(store, parameters=PARAMETERS)]
    at = (datetime.now(UTC) - 5 * SECOND).replace(microsecond=0)
    changed = await task_service(store).change(str(task.id), "default", {"schedule": {"at": at.isoformat()}})
    assert changed.next_run_at == at
    await look_until_idle_at(store, at + SECOND)
    assert [line[::3] for line in await ledger_of(store, task.id)] == [(at, "run")]
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_schedule_that_was_removed_counts_again_after_what_it_has_recorded(
    store: Store,
) -> None:
    """A clock set back in between leads to no second entry for the slots of the time that comes twice."""
    since, ahead, service = minutes_ago(1), datetime.now(UTC) + timedelta(hours=1), task_service(store)
    task = await create(store, since)
    await look_until_idle_at(store, ahead)
    await service.change(str(task.id), "default", {"schedule": None})
    await service.change(str(task.id), "default", {"schedule": "*/5 * * * *"})
    former, present = await periods_of(store, task)
    assert former.counts_until is not None
    assert present.counts_from > former.counts_until > ahead - MINUTE


async def test_dispatcher_integration_schedule_that_is_over_is_refused(store: Store) -> None:
    """A validity that has ended is an error that names its field, not a task that never runs."""
    document = {
        "name": "late",
        "task_type": "python",
        "parameters": PARAMETERS,
        "schedule": {"cron": "* * * * *", "valid_until": "2020-01-01T00:00:00Z"},
    }
    with pytest.raises(InvalidInputError, match=r"schedule\.valid_until"):
        await task_service(store).create(document)


async def change_against_a_look(store: Store, second_store: Store, url: str, change: Any) -> None:
    """A dispatcher has taken what is due and is slow to commit while somebody changes the task."""
    async with second_store.transaction() as work:
        due = await work.schedules.take_due(10, datetime.now(UTC))
        assert len(due) == 1
        changing = asyncio.create_task(change())
        await wait_until_blocked(url)
        await fire(work, due)
    await changing


@pytest.mark.parametrize("kind", ["change", "delete", "pause and resume"])
async def test_dispatcher_integration_change_waits_for_the_look_that_has_its_schedule(
    store: Store, second_store: Store, database_url: str, kind: str
) -> None:
    """Whoever comes second sees what the first has recorded: no slot is written twice, none is forgotten."""
    since, service = minutes_ago(4), task_service(store)
    task = await create(store, since)

    async def change() -> None:
        if kind == "change":
            await service.change(str(task.id), "default", {"schedule": "0 0 1 1 *"})
        elif kind == "delete":
            await service.delete(str(task.id), "default")
        else:
            await service.pause(str(task.id), "default")
            await service.resume(str(task.id), "default")

    await change_against_a_look(store, second_store, database_url, change)
    assert [line.what for line in await ledger_of(store, task.id)][:2] == ["MISSED", "run"]
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_schedule_that_nobody_can_compute_can_be_replaced(
    store: Store, database_url: str
) -> None:
    """A stored definition that a newer tz database makes odd stops nobody: it waits, and an update puts it right."""
    since, service = minutes_ago(3), task_service(store)
    task, other = await create(store, since), await create(store, since)
    make_unknown(database_url, task)
    now = datetime.now(UTC)
    runs = await look_until_idle_at(store, now)
    assert [run.task_id for run in runs] == [other.id]
    async with store.autocommit() as work:
        [position] = await work.schedules.position([task.id])
    assert position == ScheduleAdvance(task_id=task.id, recorded_until=since, next_due_at=now + timedelta(hours=1)), (
        "looked at again in an hour, with nothing lost"
    )
    changed = await service.change(str(task.id), "default", {"schedule": "*/5 * * * *"})
    assert changed.next_run_at is not None
    async with store.autocommit() as work:
        assert (await work.tasks.get(task.id, "default")).status is TaskStatus.ACTIVE


ODD = [
    Schedule(cron="* * * * *", timezone="Europe/Berlin"),
    Schedule(every=60, timezone="Europe/Berlin", valid_until=datetime(2100, 1, 1)),  # noqa: DTZ001  on that zone's wall
    Schedule(after_end=60, timezone="Europe/Berlin", valid_until=datetime(2100, 1, 1)),  # noqa: DTZ001
]


@pytest.mark.parametrize("schedule", ODD, ids=["cron", "every", "after_end"])
async def test_dispatcher_integration_unknown_zone_holds_up_nobody(
    store: Store, database_url: str, schedule: Schedule
) -> None:
    """Whatever the rule: the others run, its task can be paused, resumed, changed and deleted, and verify tells it."""
    since, service = minutes_ago(3), task_service(store)
    task, gone, other = [await create(store, since, each) for each in (schedule, schedule, EVERY_MINUTE)]
    await look_until_idle_at(store, since + 2 * MINUTE)
    for each in (task, gone):
        make_unknown(database_url, each)
    assert [run.task_id for run in await look_until_idle_at(store, datetime.now(UTC))] == [other.id]
    faults = await ledger_faults(store)
    assert all("UNCOMPUTABLE" in fault for fault in faults)
    assert len(faults) == 2
    assert (await service.pause(str(task.id), "default")).status is TaskStatus.PAUSED
    resumed = await service.resume(str(task.id), "default")
    assert resumed.status is TaskStatus.ACTIVE
    assert (resumed.next_run_at is not None) == (schedule.after_end is None), "looked at again, or awaits its run"
    assert (await service.change(str(task.id), "default", {"schedule": "@daily"})).next_run_at is not None
    assert (await service.delete(str(gone.id), "default")).status is TaskStatus.INACTIVE


@pytest.mark.parametrize("kind", ["resume", "pause", "delete"])
async def test_dispatcher_integration_first_schedule_beside_another_change(
    store: Store, second_store: Store, database_url: str, kind: str
) -> None:
    """Whoever waited for the lock of a task that was given its first schedule meanwhile sees that schedule."""
    service = task_service(store)
    task = await create_task(store, parameters=PARAMETERS)
    if kind == "resume":
        await service.pause(str(task.id), "default")
    async with second_store.transaction() as work:
        before = await work.tasks.get(task.id, "default")
        given = msgspec.structs.replace(before.definition(), schedule=EVERY_MINUTE)
        await update_tasks(work, [before], [given])
        changing = asyncio.create_task(getattr(service, kind)(str(task.id), "default"))
        await wait_until_blocked(database_url)
        # As if it had been given a while ago: what is due by then is the change's to record.
        behind = datetime.now(UTC).replace(second=0, microsecond=0) - 3 * MINUTE
        await work.schedules.record([ScheduleAdvance(task_id=task.id, recorded_until=behind, next_due_at=None)])
    changed = await changing
    lines = await ledger_of(store, task.id)
    if kind == "resume":
        assert changed.next_run_at is not None
        assert [line.what for line in lines] == ["PAUSED"]
    else:
        assert [line.what for line in lines] == ["MISSED"]
    if kind == "delete":
        [period] = await periods_of(store, task)
        assert period.counts_until is not None
