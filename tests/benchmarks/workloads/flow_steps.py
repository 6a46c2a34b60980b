"""W4: what a step of a flow takes, in a chain and in a fan, from the call to the last end."""

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time

import psycopg

from benchmarks.flows import CHAIN, FAN, Bench
from benchmarks.workloads.figure import Figure, Size, percentile

_LAST_END = b"""
SELECT extract(epoch FROM max(completed_at))::float
FROM scheduler.task_runs WHERE id = %(flow)s OR (flow_id = %(flow)s AND flow_id <> id)
"""


def chain(size: Size) -> Iterator[Figure]:
    """Twenty tasks, each after the one before."""

    def measure(bench: Bench) -> Iterator[Figure]:
        names = [f"chain-{number:02d}" for number in range(CHAIN)]
        bench.apply(
            [{"name": name, "dependencies": names[max(0, index - 1) : index]} for index, name in enumerate(names)]
        )
        whole, flows = _run(bench, names[0], size.flows)
        steps = [step for flow_id in flows for _, step in bench.steps(flow_id)]
        facts = {"flows": size.flows, "runs": CHAIN}
        yield Figure("chain_step", statistics.median(whole) / CHAIN * 1000, "ms", facts)
        yield Figure("chain_end_to_end_p50", statistics.median(steps), "ms", facts)
        yield Figure("chain_end_to_end_p99", percentile(steps, 0.99), "ms", facts)

    yield from _measured(measure)


def fan(size: Size) -> Iterator[Figure]:
    """One run, then two hundred, then one that waits for all: as the shards of one task, and as tasks of their own."""

    def measure(bench: Bench) -> Iterator[Figure]:
        names = [f"fan-{number:03d}" for number in range(FAN)]
        bench.apply(
            [
                {"name": "map-begin"},
                {"name": "map", "dependencies": ["map-begin"], "shards": FAN},
                {"name": "map-end", "dependencies": ["map"]},
                {"name": "fan-begin"},
                *({"name": name, "dependencies": ["fan-begin"]} for name in names),
                {"name": "fan-end", "dependencies": names},
            ]
        )
        for kind, root in (("shards", "map-begin"), ("tasks", "fan-begin")):
            whole, _ = _run(bench, root, size.flows)
            facts = {"flows": size.flows, "runs": FAN + 2, "whole_s": round(statistics.median(whole), 4)}
            yield Figure(f"fan_step_{kind}", statistics.median(whole) / (FAN + 2) * 1000, "ms", facts)

    yield from _measured(measure)


def _measured(measure: Callable[[Bench], Iterator[Figure]]) -> Iterator[Figure]:
    with TemporaryDirectory(prefix="scheduler-bench-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        bench = Bench(Path(directory), "")
        try:
            yield from measure(bench)
        finally:
            bench.system.end_all()


def _run(bench: Bench, root: str, times: int) -> tuple[list[float], list[int]]:
    """Seconds from the call to the last end of so many flows after a first one, and their ids."""
    bench.ended(bench.trigger(root))
    whole, flows = [], []
    with psycopg.connect(bench.url, autocommit=True) as connection:
        for _ in range(times):
            began = time()
            flow_id = bench.trigger(root)
            bench.ended(flow_id)
            (ended,) = connection.execute(_LAST_END, {"flow": flow_id}).fetchone() or (0.0,)
            whole.append(ended - began)
            flows.append(flow_id)
    return whole, flows
