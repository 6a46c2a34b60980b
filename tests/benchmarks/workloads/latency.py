"""W2: fifty runs a second, each from the call that asks for it to the start of its body."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Iterator
from time import time

from benchmarks.workloads.bench_system import BenchSystem, bench_system
from benchmarks.workloads.figure import Figure, Size, percentile
from benchmarks.workloads.http_caller import open_caller
from benchmarks.workloads.producer import open_producer
from benchmarks.workloads.start_marks import JOB

RATE = 50.0

_FIRST = 25
"""So many calls come before those that count: connections are made, statements are prepared."""

Ask = Callable[[], Awaitable[int]]
"""Asks for one run and gives its id."""


def latency(size: Size) -> Iterator[Figure]:
    """Asked for over the repository interface by one process."""
    yield from _measured(delays_over_repository, size.seconds)


def latency_over_http(size: Size) -> Iterator[Figure]:
    """Asked for over one HTTP connection that is kept."""
    yield from _measured(_delays_over_http, size.seconds)


def _measured(measure: Callable[[BenchSystem, int, float], Awaitable[list[float]]], seconds: float) -> Iterator[Figure]:
    with bench_system(places=100) as bench:
        task_id = bench.create_task("mark", JOB)
        bench.warm_up("mark", 50)

        async def run() -> list[float]:
            return await measure(bench, task_id, seconds)

        delays = asyncio.run(run())
    facts = {"n": len(delays), "rate": RATE}
    yield Figure("p50", statistics.median(delays), "ms", facts)
    yield Figure("p99", percentile(delays, 0.99), "ms", facts)
    yield Figure("max", max(delays), "ms", facts)


async def delays_over_repository(bench: BenchSystem, task_id: int, seconds: float) -> list[float]:
    """Milliseconds from each call to the start of its body; AssertionError when a run is missing or odd."""
    async with open_producer(bench) as producer:

        async def ask() -> int:
            return (await producer.create_one(task_id)).run_id

        return await _delays(bench, task_id, ask, seconds)


async def _delays_over_http(bench: BenchSystem, task_id: int, seconds: float) -> list[float]:
    async with open_caller(bench) as caller:

        async def ask() -> int:
            run_id: int = (await caller.json("POST", f"/api/v1/tasks/{task_id}/trigger", {}))["id"]
            return run_id

        return await _delays(bench, task_id, ask, seconds)


async def _delays(bench: BenchSystem, task_id: int, ask: Ask, seconds: float) -> list[float]:
    after = bench.newest_run()
    called = await _at_a_steady_rate(ask, seconds)
    # In a thread: the last ring leaves from this loop.
    await asyncio.to_thread(bench.recount, task_id, after, len(called))
    # Of a completed run the body has begun, so its instant is there.
    return [(bench.marks.seconds(run_id) - at) * 1000 for at, run_id in called[_FIRST:]]


async def _at_a_steady_rate(ask: Ask, seconds: float) -> list[tuple[float, int]]:
    called = []
    began = time()
    for number in range(_FIRST + int(RATE * seconds)):
        await asyncio.sleep(max(0.0, began + number / RATE - time()))
        at = time()
        called.append((at, await ask()))
    return called
