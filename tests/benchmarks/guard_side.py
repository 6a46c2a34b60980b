"""One side of `make bench-guard`: a system that measures what it is told on stdin, a line for a line."""

import asyncio
import statistics
import sys

from benchmarks.results import result_line
from benchmarks.throughput import run_bulk
from benchmarks.time_limits import hear_signals
from benchmarks.workloads.bench_system import bench_system
from benchmarks.workloads.due_burst import run_burst
from benchmarks.workloads.figure import Size
from benchmarks.workloads.latency import delays_over_repository
from benchmarks.workloads.start_marks import JOB

_SIZE = Size(runs=20_000, seconds=2.0)
_DUE = 2_000


def main() -> None:
    """Answer each of the lines W1, W2, W3 with a figure; end at the end of stdin."""
    hear_signals()
    with bench_system(places=_SIZE.places) as bench:
        no_op, mark = bench.create_task("no-op"), bench.create_task("mark", JOB)
        bench.warm_up("no-op", 50)
        bench.warm_up("mark", 50)
        print("ready", flush=True)
        for number, line in enumerate(sys.stdin, 1):
            workload = line.strip()
            if workload == "W1":
                figure = run_bulk(bench, "no-op", no_op, _SIZE)
                print(result_line("W1-bulk", "total_per_s", figure.value, figure.unit, number), flush=True)
            elif workload == "W2":
                delays = asyncio.run(delays_over_repository(bench, mark, _SIZE.seconds))
                print(result_line("W2-latency", "p50", statistics.median(delays), "ms", number), flush=True)
            else:
                started, missed = run_burst(bench, _DUE)
                assert not missed.value, f"{missed.value:g} slots were missed"
                print(result_line("W3-due", started.metric, started.value, started.unit, number), flush=True)


if __name__ == "__main__":
    main()
