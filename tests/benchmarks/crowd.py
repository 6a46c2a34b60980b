"""Eight dispatchers that know nothing of each other and 100,000 slots that are due at once: each runs once."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from fixtures.factories import build_definition
from fixtures.processes import SchedulerProcesses, wait_until
from scheduler_core.models import MisfirePolicy, Schedule
from scheduler_infra.database import DatabaseConfig, open_store, resolve_url

DISPATCHERS = 8
WORKERS = 2
SLOTS_EACH = 10

_BACK = b"""
UPDATE scheduler.schedules SET recorded_from = %(start)s, next_due_at = %(first)s;
UPDATE scheduler.schedule_periods SET counts_from = %(start)s;
"""


def measure(directory: Path, slots: int = 100_000) -> dict[str, Any]:
    """Tasks with ten late slots each, all to be run; jobs write a line each, and the lines are counted.

    AssertionError when a slot has no line, or two. `seconds` is from the first dispatcher's start to the last line.
    """
    system = SchedulerProcesses(directory)
    lines = system.work_dir / "lines"
    lines.touch()
    try:
        return _measure(system, lines, slots)
    finally:
        system.end_all()


def _measure(system: SchedulerProcesses, lines: Path, slots: int) -> dict[str, Any]:
    system.start_up("--only", "postgresql,api")
    url = resolve_url(DatabaseConfig(), system.state_dir)
    expected = asyncio.run(_create(url, system.work_dir, slots // SLOTS_EACH))
    environment = {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "BENCHMARK_LINES": str(lines),
        "SCHEDULER_WORKER__MAX_CONCURRENT_TASKS": "500",
    }
    for _ in range(WORKERS):
        system.start("scheduler-worker", env=environment)
    began = time.monotonic()
    for _ in range(DISPATCHERS):
        system.start("scheduler-dispatcher")
    wait_until(lambda: lines.read_bytes().count(b"\n") >= slots, 600, f"{slots} lines")
    seconds = time.monotonic() - began
    # A second run of a slot would come late: whoever lost a race retries within the fallback poll.
    wait_until(lambda: _unfinished(url) == 0, 60, "all runs are final")
    counted = Counter(lines.read_text().splitlines())
    assert counted.keys() == expected, f"{len(expected - counted.keys())} slots have no line"
    assert set(counted.values()) == {1}, f"{sum(count > 1 for count in counted.values())} slots have two lines"
    verified = system.run("ledger", "verify", "--quiet", seconds=300)
    assert verified.returncode == 0, verified.stdout
    return {
        "workload": "schedule-crowd",
        "dispatchers": DISPATCHERS,
        "slots": slots,
        "lines": counted.total(),
        "missing": 0,
        "doubled": 0,
        "seconds": round(seconds, 1),
    }


async def _create(url: str, state_dir: Path, tasks: int) -> set[str]:
    """Minutely tasks whose last ten slots nobody has looked at; the lines that they are to write."""
    last = datetime.now(UTC).replace(second=0, microsecond=0)
    start = last - timedelta(minutes=SLOTS_EACH, seconds=-1)
    first = last - timedelta(minutes=SLOTS_EACH - 1)
    definitions = [
        msgspec.structs.replace(
            build_definition(
                task_type="python",
                parameters={"callable": "benchmarks.benchmark_tasks:write_line"},
                schedule=Schedule(cron="* * * * *", valid_until=last),
            ),
            misfire=MisfirePolicy.ALL,
        )
        for _ in range(tasks)
    ]
    store = await open_store(DatabaseConfig(url=url), state_dir=state_dir, application_name="benchmark")
    try:
        async with store.transaction() as work:
            for offset in range(0, tasks, 1000):
                batch = definitions[offset : offset + 1000]
                await work.tasks.create(batch, [first] * len(batch))
    finally:
        await store.close()
    with psycopg.connect(url) as connection:
        cursor = psycopg.ClientCursor(connection)
        cursor.execute(_BACK, {"start": start, "first": first})
    slots = [first + timedelta(minutes=minute) for minute in range(SLOTS_EACH)]
    return {f"{definition.name} {slot.isoformat()}" for definition in definitions for slot in slots}


def _unfinished(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM scheduler.task_runs WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING')"
        ).fetchone()
    assert row is not None
    return int(row[0])
