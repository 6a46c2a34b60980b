"""What stands in the ledger after dispatchers were away, whatever the clocks did meanwhile."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fixtures.factories import build_definition, create_task
from fixtures.schedule_looks import LedgerLine, ledger_faults, ledger_of, look_at, look_until_idle_at
from scheduler_core.interfaces import Store
from scheduler_core.models import MisfirePolicy, PauseWindow, Schedule
from scheduler_infra.database import DatabaseConfig, open_store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
EVERY_MINUTE = Schedule(cron="* * * * *")


async def create_minutely(store: Store, tasks: int, schedule: Schedule = EVERY_MINUTE, **policies: Any) -> list[int]:
    """Tasks that are due every minute, created at noon."""
    definitions = [build_definition(schedule=schedule, **policies) for _ in range(tasks)]
    async with store.transaction() as work:
        return [task.id for task in await work.tasks.create(definitions, [NOON + MINUTE] * tasks, NOON)]


def line(first: int, last: int, what: str) -> LedgerLine:
    """The slots of these minutes after noon as one entry."""
    return LedgerLine(NOON + first * MINUTE, NOON + last * MINUTE, last - first + 1, what)


@pytest.mark.parametrize(
    ("policies", "lines"),
    [
        ({"misfire": MisfirePolicy.SKIP}, [line(1, 119, "MISFIRED"), line(120, 120, "run")]),
        ({"misfire": MisfirePolicy.SKIP, "misfire_grace_seconds": 10.0}, [line(1, 120, "MISFIRED")]),
        ({"misfire": MisfirePolicy.LATEST}, [line(1, 119, "MISSED"), line(120, 120, "run")]),
        (
            {"misfire": MisfirePolicy.LATEST, "misfire_grace_seconds": 600.0},
            [line(1, 110, "MISFIRED"), line(111, 119, "MISSED"), line(120, 120, "run")],
        ),
        (
            {"misfire": MisfirePolicy.ALL, "misfire_runs_max": 3},
            [line(1, 117, "MISFIRED"), *(line(minute, minute, "run") for minute in (118, 119, 120))],
        ),
        (
            {"misfire": MisfirePolicy.ALL, "misfire_grace_seconds": 150.0},
            [line(1, 117, "MISFIRED"), *(line(minute, minute, "run") for minute in (118, 119, 120))],
        ),
    ],
)
async def test_dispatcher_integration_two_hours_away_leave_the_documented_rows(
    store: Store, database_url: str, policies: dict[str, Any], lines: list[LedgerLine]
) -> None:
    """1,000 minutely tasks, no dispatcher for two hours: each task has exactly the rows that its policy promises."""
    tasks = 1000
    ids = await create_minutely(store, tasks, **policies)
    now = NOON + 2 * HOUR + MINUTE / 2
    await look_until_idle_at(store, now)
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT scheduled_at, last_scheduled_at, count, coalesce(reason, 'run'), count(*) FROM scheduler.slots "
            "GROUP BY 1, 2, 3, 4 ORDER BY 1"
        ).fetchall()
        runs = connection.execute("SELECT count(*) FROM scheduler.task_runs").fetchone()
    assert rows == [(*each, tasks) for each in lines]
    assert runs == (tasks * sum(each.what == "run" for each in lines),)
    assert await ledger_of(store, ids[0]) == lines
    assert await ledger_faults(store) == []
    await look_until_idle_at(store, NOON + 2 * HOUR + MINUTE)
    assert (await ledger_of(store, ids[-1]))[-1] == line(121, 121, "run"), "it goes on from the last slot"


async def test_dispatcher_integration_catching_up_is_paced(store: Store) -> None:
    """Late runs of a task start one second apart, oldest first, and each covers its own data interval."""
    [task_id] = await create_minutely(store, 1, misfire=MisfirePolicy.ALL)
    now = NOON + 5 * MINUTE + MINUTE / 2
    await look_until_idle_at(store, now)
    async with store.autocommit() as work:
        runs = (await work.task_runs.page(task_id=task_id))[::-1]
    assert [run.not_before for run in runs] == [now + timedelta(seconds=number) for number in range(5)]
    assert [(run.interval_from, run.interval_to) for run in runs] == [
        (NOON + minute * MINUTE, NOON + (minute + 1) * MINUTE) for minute in range(5)
    ]


async def test_dispatcher_integration_steps_of_the_clock_lose_and_double_nothing(store: Store) -> None:
    """The clock is set back an hour, then forward two: every slot is in the ledger once, and none ran twice."""
    [task_id] = await create_minutely(store, 1, misfire=MisfirePolicy.ALL)
    moments = [NOON + minute * MINUTE for minute in range(1, 90)]
    back = [moment - HOUR for moment in moments[60:]]
    forward = [moment + HOUR for moment in moments[60:]]
    for now in [*moments, *back, *forward]:
        await look_until_idle_at(store, now)
    lines = await ledger_of(store, task_id)
    last = round((forward[-1] - NOON) / MINUTE)
    assert [each.first for each in lines] == [NOON + minute * MINUTE for minute in range(1, last + 1)]
    assert {each.what for each in lines} == {"run"}
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_dispatchers_whose_clocks_differ_share_one_ledger(
    store: Store, second_store: Store
) -> None:
    """Ten minutes of skew between two dispatchers: the later one finds nothing left, and nothing is made twice."""
    ids = await create_minutely(store, 50, misfire=MisfirePolicy.ALL)
    for minute in range(1, 15):
        await asyncio.gather(
            look_until_idle_at(store, NOON + minute * MINUTE),
            look_until_idle_at(second_store, NOON + (minute + 10) * MINUTE),
        )
    for task_id in ids:
        lines = await ledger_of(store, task_id)
        assert [each.first for each in lines] == [NOON + minute * MINUTE for minute in range(1, 25)]
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_eight_dispatchers_make_each_run_once(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """Eight dispatchers that know nothing of each other, 500 tasks with ten slots each: 5,000 runs, none twice."""
    tasks, slots = 500, 10
    await create_minutely(store, tasks, misfire=MisfirePolicy.ALL)
    now = NOON + slots * MINUTE
    async with AsyncExitStack() as stack:
        stores = []
        for _ in range(8):
            opened = await open_store(DatabaseConfig(url=database_url), state_dir=tmp_path, application_name="tests")
            stack.push_async_callback(opened.close)
            stores.append(opened)
        made = await asyncio.gather(*(look_until_idle_at(each, now, batch=20) for each in stores))
    found = Counter((run.task_id, run.scheduled_at) for runs in made for run in runs)
    assert len(found) == tasks * slots
    assert set(found.values()) == {1}
    assert sum(1 for runs in made if runs) > 1, "they shared the work"
    assert await ledger_faults(store) == []


async def test_dispatcher_integration_pause_windows_and_validity_are_on_record(store: Store) -> None:
    """Slots before the validity and in a pause window have their reason; next_run_at names the one that will run."""
    schedule = Schedule(
        cron="*/10 * * * *",
        valid_from=NOON + 30 * MINUTE,
        pauses=(PauseWindow(starts_at=NOON + 60 * MINUTE, until=NOON + 90 * MINUTE),),
    )
    task = await create_task(store, schedule=schedule, next_due=NOON + 30 * MINUTE)
    async with store.transaction() as work:
        [taken] = await work.schedules.lock([task.id], NOON)
    start = taken.recorded_until
    for minute in range(0, 101, 10):
        await look_at(store, NOON + minute * MINUTE)
        if minute == 50:
            async with store.autocommit() as work:
                assert (await work.tasks.get(task.id, "default")).next_run_at == NOON + 90 * MINUTE
    lines = await ledger_of(store, task.id)
    runs = [each.first for each in lines if each.what == "run"]
    assert runs == [NOON + minute * MINUTE for minute in (30, 40, 50, 90, 100)]
    assert LedgerLine(NOON + 60 * MINUTE, NOON + 80 * MINUTE, 3, "PAUSED") in lines
    assert start == NOON + 30 * MINUTE - timedelta(microseconds=1)
    assert await ledger_faults(store) == []
