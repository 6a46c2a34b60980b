"""W5: what a system costs while there is nothing to do, and how soon it is there when there is."""

import time
from collections.abc import Iterator

from benchmarks.workloads.bench_system import WORKERS, BenchSystem, bench_system
from benchmarks.workloads.figure import Figure, Size
from benchmarks.workloads.process_cost import cpu_seconds, cpu_since, memory, tree
from benchmarks.workloads.starts import cold_start, imports

_OURS = ("dispatcher", "worker", "api")
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE starts_with(application_name, 'scheduler-worker')"
_REST_SECONDS = 5.0
"""What is done once after a start is over by then."""


def idle(size: Size) -> Iterator[Figure]:
    """What imports and starts take, then CPU and memory of a system that has worked and has nothing to do now."""
    yield from imports(size)
    yield from cold_start(size)
    yield from _at_rest(size)


def _at_rest(size: Size) -> Iterator[Figure]:
    with bench_system(places=10) as bench:
        bench.create_task("no-op")
        bench.warm_up("no-op", 50)
        time.sleep(min(_REST_SECONDS, size.idle_seconds))
        pids = processes_of(bench)
        used = idle_cpu(pids, size.idle_seconds)
        one_of_each = used["dispatcher"] + used["api"] + used["worker"] / WORKERS
        yield Figure("idle_cpu_percent", used["worker"], "%", {"workers": WORKERS})
        yield Figure("idle_cpu_one_of_each", one_of_each, "%", used)
        yield Figure("idle_cpu_database", used["database"], "%")
        yield Figure("workers_mib", memory(pids["worker"]).proportional, "MiB", {"processes": len(pids["worker"])})
        for name in _OURS:
            # The process alone: a worker has small ones beside it.
            found = memory(pids[name][:1])
            yield Figure(f"{name}_pss", found.proportional, "MiB")
            yield Figure(f"{name}_rss", found.resident, "MiB")
        yield Figure("connections_per_worker", worker_connections(bench) / WORKERS, "connections")


def worker_connections(bench: BenchSystem) -> int:
    """How many connections to the database all workers have together."""
    found: int = bench.system.number(_CONNECTIONS)
    return found


def processes_of(bench: BenchSystem) -> dict[str, list[int]]:
    """The processes of each part; the one that started the database is the API's."""
    started = bench.processes.started
    api, *database = tree(started[0].pid)
    workers = [pid for process in started[2:] for pid in tree(process.pid)]
    return {"api": [api], "database": database, "dispatcher": tree(started[1].pid), "worker": workers}


def idle_cpu(pids: dict[str, list[int]], seconds: float) -> dict[str, float]:
    """How many per cent of a core each part uses while nobody asks anything of it."""
    before, began = {name: cpu_seconds(each) for name, each in pids.items()}, time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return {name: round(cpu_since(before[name], each) / took * 100, 3) for name, each in pids.items()}
