"""Ten thousand tasks due at one second: how soon one dispatcher has written all their runs."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from fixtures.factories import build_definition
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from fixtures.processes import SchedulerProcesses
from scheduler_core.interfaces import Store
from scheduler_core.models import Schedule
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.schedule_service import ScheduleService
from scheduler_infra.database import DatabaseConfig, open_store, resolve_url

_BATCH = 1000
"""The default of dispatcher.max_concurrent_dispatches."""

_RUNS = b"""
SELECT count(*), count(DISTINCT task_id), extract(epoch FROM max(created_at)) FROM scheduler.task_runs
WHERE trigger = 'SCHEDULE' AND scheduled_at = %s
"""


def measure(directory: Path, tasks: int = 10_000) -> dict[str, Any]:
    """Let `tasks` tasks fall due at one second; seconds from that second to the last run row, by the database's clock.

    Embedded PostgreSQL as it is installed, one dispatcher's schedule service, nothing else running. The rows are
    recounted by SQL; AssertionError when one is missing or double.
    """
    system = SchedulerProcesses(directory)
    try:
        system.start_up("--only", "postgresql")
        return asyncio.run(_measure(resolve_url(DatabaseConfig(), system.state_dir), directory, tasks))
    finally:
        system.end_all()


async def _measure(url: str, directory: Path, tasks: int) -> dict[str, Any]:
    store = await open_store(DatabaseConfig(url=url), state_dir=directory, application_name="benchmark")
    try:
        due = (datetime.now(UTC) + timedelta(seconds=20)).replace(microsecond=0)
        await _create(store, tasks, due)
        service = ScheduleService(store, Ringer(store, InMemoryMessageQueue()), batch=_BATCH, interval_seconds=600.0)
        await asyncio.sleep(max(0.0, await service.look()))
        began, looks = time.perf_counter(), 0
        while await service.look() < 1.0:
            looks += 1
        look_seconds = time.perf_counter() - began
    finally:
        await store.close()
    with psycopg.connect(url) as connection:
        row = connection.execute(_RUNS, [due]).fetchone()
    assert row is not None
    runs, distinct, last = row
    assert (runs, distinct) == (tasks, tasks), row
    return {
        "workload": "due-burst",
        "tasks": tasks,
        "seconds_to_last_row": round(float(last) - due.timestamp(), 2),
        "look_seconds": round(look_seconds, 2),
        "looks": looks,
    }


async def _create(store: Store, tasks: int, due: datetime) -> None:
    schedule = Schedule(cron=f"{due.second} {due.minute} {due.hour} {due.day} {due.month} *")
    async with store.transaction() as work:
        for start in range(0, tasks, 1000):
            definitions = [build_definition(schedule=schedule) for _ in range(min(1000, tasks - start))]
            await work.tasks.create(definitions, [due] * len(definitions))
