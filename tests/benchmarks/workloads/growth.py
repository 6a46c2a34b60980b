"""W6: what throughput and bursts lose when the database, the number of workers or of tasks grows."""

import asyncio
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

from benchmarks.throughput import run_bulk
from benchmarks.workloads.bench_system import NO_OP, BenchSystem, bench_system
from benchmarks.workloads.due_burst import run_burst
from benchmarks.workloads.figure import Figure, Size
from benchmarks.workloads.finished_runs import fill
from benchmarks.workloads.idle import idle_cpu, processes_of, worker_connections
from benchmarks.workloads.process_cost import cpu_seconds, cpu_since, memory
from benchmarks.workloads.producer import open_producer
from benchmarks.workloads.start_marks import JOB
from fixtures.factories import build_definition
from scheduler_core.decisions.schedule_rules import next_after
from scheduler_core.models import Schedule


def finished(size: Size) -> Iterator[Figure]:
    """W1 and W3 beside so many finished runs: a system for each number, which take turns."""
    found: dict[tuple[str, int], list[float]] = {}
    with ExitStack() as stack:
        systems = [(count, stack.enter_context(bench_system(places=size.places))) for count in size.finished]
        tasks = {count: bench.create_task("no-op", NO_OP) for count, bench in systems}
        for count, bench in systems:
            bench.create_task("mark", JOB)
            bench.warm_up("mark", 50)
            _say(f"writing {count} finished runs")
            fill(bench, count)
        for turn in range(size.turns):
            for count, bench in systems if turn % 2 == 0 else reversed(systems):
                bulk = run_bulk(bench, "no-op", tasks[count], size)
                started, missed = run_burst(bench, size.growth_due)
                assert missed.value == 0, f"{missed.value:g} slots were missed beside {count} finished runs"
                for figure, name in ((bulk, "bulk"), (started, f"due_{size.growth_due}")):
                    found.setdefault((name, count), []).append(figure.value)
                    yield Figure(f"{name}_beside_{count}", figure.value, figure.unit, {"turn": turn + 1})
    for (name, count), values in found.items():
        if count != size.finished[0]:
            before = statistics.median(found[name, size.finished[0]])
            yield Figure(f"{name}_{count}_over_{size.finished[0]}", statistics.median(values) / before, "ratio")


def workers(size: Size) -> Iterator[Figure]:
    """W1 with more and more worker processes: runs a second, and the CPU of all processes for each run.

    What a worker's first run costs, which starts its supervisor and a child that looks at the function, is told by
    itself. A burst that is not measured comes before the one that is: each connection plans its statements once.
    """
    for count in size.workers:
        with bench_system(workers=count, places=size.crowd_places) as bench:
            task_id = bench.create_task("no-op", NO_OP)
            before = cpu_seconds(_all(bench))
            bench.warm_up_workers()
            first = cpu_since(before, _all(bench)) / count
            yield Figure(f"cpu_first_run_per_worker_{count}_workers", first * 1e3, "ms")
            run_bulk(bench, "no-op", task_id, size)
            before = cpu_seconds(_all(bench))
            bulk = run_bulk(bench, "no-op", task_id, size)
            pids = _all(bench)
            spent = cpu_since(before, pids) / size.runs
            facts = {"places": size.crowd_places, "pss_mib": round(memory(pids).proportional), "processes": len(pids)}
            yield Figure(f"bulk_{count}_workers", bulk.value, bulk.unit, facts)
            yield Figure(f"cpu_per_run_{count}_workers", spent * 1e6, "µs")
            yield Figure(f"connections_per_worker_{count}_workers", worker_connections(bench) / count, "connections")


def _all(bench: BenchSystem) -> list[int]:
    return [pid for each in processes_of(bench).values() for pid in each]


def tasks(size: Size) -> Iterator[Figure]:
    """What an idle dispatcher and its database use without and with many tasks whose schedules have far to go."""
    with bench_system(workers=1, places=10) as bench:
        pids = processes_of(bench)
        for count in (0, size.tasks):
            asyncio.run(_store_yearly(bench, count))
            bench.system.execute("VACUUM ANALYZE scheduler.tasks", "VACUUM ANALYZE scheduler.schedules", "CHECKPOINT")
            time.sleep(min(5.0, size.idle_seconds))
            used = idle_cpu(pids, size.idle_seconds)
            for name in ("dispatcher", "database"):
                yield Figure(f"cpu_{name}_{count}_tasks", used[name], "% of a core")


async def _store_yearly(bench: BenchSystem, count: int) -> None:
    async with open_producer(bench) as producer:
        for start in range(0, count, 1000):
            definitions = [
                build_definition(
                    parameters={"callable": NO_OP},
                    schedule=Schedule(cron=f"{number % 60} {number // 60 % 24} {1 + number % 28} 3 *"),
                )
                for number in range(start, min(count, start + 1000))
            ]
            now = datetime.now(UTC)
            due = [next_after(each.schedule, now) for each in definitions if each.schedule is not None]
            async with producer.store.transaction() as work:
                await work.tasks.create(definitions, due)
        await producer.ringer.ring_dispatchers()


def _say(text: str) -> None:
    print(f"  {text} ...", file=sys.stderr, flush=True)
