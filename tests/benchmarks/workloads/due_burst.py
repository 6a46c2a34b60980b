"""W3: tasks that are all due at one second: how long until the last body has begun, and whether one was missed."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from benchmarks.workloads.bench_system import BenchSystem, bench_system
from benchmarks.workloads.figure import Figure, Size, percentile
from benchmarks.workloads.producer import Producer, open_producer
from benchmarks.workloads.start_marks import JOB
from fixtures.factories import build_definition
from scheduler_core.models import Schedule

_MISSED_SECONDS = 60.0
"""A slot whose run has not ended so long after it counts as missed."""

_PROBE = 200
"""So many tasks without a schedule show how long storing takes."""

_REST_SECONDS = 2.0

_RUNS = """
SELECT count(*), count(*) FILTER (WHERE status = 'COMPLETED' AND attempt = 1), count(DISTINCT task_id)
FROM scheduler.task_runs WHERE id > %(after)s AND trigger = 'SCHEDULE' AND scheduled_at = %(due)s
"""
_ENDED = """
SELECT count(*) FROM scheduler.task_runs
WHERE id > %(after)s AND trigger = 'SCHEDULE' AND status = 'COMPLETED' AND scheduled_at = %(due)s
"""
"""Asked again and again while runs are carried out, so it must cost them little."""

_LOOK_SECONDS = 0.1

_IDS = "SELECT id FROM scheduler.task_runs WHERE id > %(after)s AND trigger = 'SCHEDULE' AND scheduled_at = %(due)s"


def due_at_once(size: Size) -> Iterator[Figure]:
    """Each number of tasks on a new system of one dispatcher and two workers."""
    for tasks in size.due:
        with bench_system(places=size.places) as bench:
            bench.create_task("mark", JOB)
            bench.warm_up("mark", 50)
            yield from run_burst(bench, tasks)


def run_burst(bench: BenchSystem, tasks: int) -> Iterator[Figure]:
    """Let that many new tasks fall due at one second of a few seconds' time; AssertionError when a run is odd."""
    after = bench.newest_run()
    due = asyncio.run(_create(bench, tasks))
    time.sleep(max(0.0, due.timestamp() + 0.5 - time.time()))

    give_up_at = due.timestamp() + _MISSED_SECONDS
    while (ended := bench.system.number(_ENDED, after=after, due=due)) < tasks and time.time() < give_up_at:
        time.sleep(_LOOK_SECONDS)
    missed = tasks - ended
    runs, completed, distinct = bench.system.rows(_RUNS, after=after, due=due)[0]
    assert runs == completed == distinct, f"runs, completed at once, tasks: {runs, completed, distinct}"
    rows = bench.system.rows(_IDS, after=after, due=due)
    late = [bench.marks.seconds(run_id) - due.timestamp() for (run_id,) in rows]
    assert late, "no task has run"
    facts = {"due": tasks, "first": round(min(late), 3), "median": round(statistics.median(late), 3)}
    facts["p99"] = round(percentile(late, 0.99), 3)
    yield Figure(f"{tasks}_all_started", max(late), "s", facts)
    yield Figure(f"{tasks}_missed", missed, "slots", {"due": tasks})


async def _create(bench: BenchSystem, tasks: int) -> datetime:
    async with open_producer(bench) as producer:
        await _store(producer, 1, None)  # what only the first one costs
        began = time.monotonic()
        await _store(producer, _PROBE, None)
        # Twice what storing them takes now, and time for the dispatcher to be at rest again.
        lead = _REST_SECONDS + 2 * (time.monotonic() - began) / _PROBE * tasks
        due = (datetime.now(UTC) + timedelta(seconds=lead)).replace(microsecond=0) + timedelta(seconds=1)
        for start in range(0, tasks, 1000):
            await _store(producer, min(1000, tasks - start), due)
        await producer.ringer.ring_dispatchers()
    assert datetime.now(UTC) < due - timedelta(seconds=1), "storing the tasks took until they were due"
    return due


async def _store(producer: Producer, count: int, due: datetime | None) -> None:
    schedule = None
    if due is not None:
        schedule = Schedule(cron=f"{due.second} {due.minute} {due.hour} {due.day} {due.month} *")
    definitions = [build_definition(parameters={"callable": JOB}, schedule=schedule) for _ in range(count)]
    async with producer.store.transaction() as work:
        await work.tasks.create(definitions, [due] * count)
