"""One side of `make bench-guard`: a system that measures what it is told on stdin, and ends its answers with a dot."""

import asyncio
import os
import statistics
import sys
from collections.abc import Callable

from benchmarks.guard_verdict import CPU
from benchmarks.results import error_line, result_line
from benchmarks.throughput import run_bulk
from benchmarks.time_limits import hear_signals
from benchmarks.workloads.bench_system import BenchSystem, bench_system
from benchmarks.workloads.due_burst import run_burst
from benchmarks.workloads.figure import Figure, Size
from benchmarks.workloads.latency import RATE, delays_over_repository
from benchmarks.workloads.process_cost import cpu_seconds, cpu_since, tree
from benchmarks.workloads.start_marks import JOB

_SIZE = Size(runs=6_000, seconds=1.5)
_DUE = 1_000


def main() -> None:
    """Answer each of the lines W1, W2, W3 with figures; end at the end of stdin."""
    hear_signals()
    with bench_system(places=_SIZE.places) as bench:
        no_op, mark = bench.create_task("no-op"), bench.create_task("mark", JOB)
        bench.warm_up("no-op", 50)
        bench.warm_up("mark", 50)
        workloads: dict[str, tuple[str, int, Callable[[], Figure]]] = {
            "W1": ("W1-bulk", _SIZE.runs, lambda: run_bulk(bench, "no-op", no_op, _SIZE)),
            "W2": ("W2-latency", int(_SIZE.seconds * RATE), lambda: _latency(bench, mark)),
            "W3": ("W3-due", _DUE, lambda: _burst(bench)),
        }
        print("ready", flush=True)
        for number, line in enumerate(sys.stdin, 1):
            name, runs, measure = workloads[line.strip()]
            before = cpu_seconds(_processes())
            try:
                figure = measure()
            except Exception as error:  # earlier versions may lack what is measured with
                print(error_line(name, repr(error), number))
            else:
                cpu = cpu_since(before, _processes()) * 1000 / runs
                print(result_line(name, figure.metric, figure.value, figure.unit, number))
                print(result_line(name, "cpu_per_run", cpu, CPU, number))
            print(".", flush=True)


def _processes() -> set[int]:
    """Those of the system, without this one, which waits for it."""
    return set(tree(os.getpid())) - {os.getpid()}


def _latency(bench: BenchSystem, task_id: int) -> Figure:
    delays = asyncio.run(delays_over_repository(bench, task_id, _SIZE.seconds))
    return Figure("p50", statistics.median(delays), "ms")


def _burst(bench: BenchSystem) -> Figure:
    started, missed = run_burst(bench, _DUE)
    assert not missed.value, f"{missed.value:g} slots were missed"
    return started


if __name__ == "__main__":
    main()
