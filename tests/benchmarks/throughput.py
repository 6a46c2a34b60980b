"""W1: no-op runs made in bulk over HTTP, end to end, every start and end durable."""

from collections.abc import Iterator
from time import time

from benchmarks.workloads.bench_system import WORKERS, BenchSystem, bench_system
from benchmarks.workloads.figure import Figure, Size

__all__ = ["BULK", "WORKERS", "bulk", "bulk_over_rabbitmq", "run_bulk"]

BULK = 10_000
"""Runs asked for by one trigger: the most that the API takes."""


def bulk(size: Size) -> Iterator[Figure]:
    """One dispatcher, two workers, rings by LISTEN/NOTIFY."""
    yield _measured(size, rabbitmq=False)


def bulk_over_rabbitmq(size: Size) -> Iterator[Figure]:
    """The same with the rings over a RabbitMQ of its own."""
    yield _measured(size, rabbitmq=True)


def _measured(size: Size, *, rabbitmq: bool) -> Figure:
    with bench_system(places=size.places, rabbitmq=rabbitmq) as bench:
        task_id = bench.create_task("no-op")
        bench.warm_up("no-op")
        return run_bulk(bench, "no-op", task_id, size)


def run_bulk(bench: BenchSystem, name: str, task_id: int, size: Size) -> Figure:
    """Runs a second from the first call to the last end, recounted by SQL; AssertionError when one is missing or odd.

    `enqueue_per_s` counts the HTTP calls alone, `drain_per_s` from the first start to the last end.
    """
    after, began = bench.newest_run(), time()
    for start in range(0, size.runs, BULK):
        bench.trigger(name, min(BULK, size.runs - start))
    enqueued = time()
    found = bench.recount(task_id, after, size.runs)
    total = size.runs / (found.ended - began)
    facts = {
        "n": size.runs,
        "enqueue_per_s": round(size.runs / (enqueued - began)),
        "drain_per_s": round(size.runs / (found.ended - found.started)),
        "total_per_s": round(total),
        "workers": found.sessions,
        "places": size.places,
    }
    return Figure("total_per_s", total, "1/s", facts)
