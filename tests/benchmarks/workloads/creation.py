"""W1: how fast runs are made, in bulk and one by one."""

import asyncio
from collections.abc import Iterator
from time import perf_counter, time

from benchmarks.throughput import BULK
from benchmarks.workloads.bench_system import bench_system
from benchmarks.workloads.figure import Figure, Size
from benchmarks.workloads.producer import open_producer

CALLERS = 8
_WARM_UP = 8


def bulk_creation(size: Size) -> Iterator[Figure]:
    """Runs that no worker takes, 10,000 a call: over HTTP, and over the repository interface."""
    runs = size.runs * 5
    with bench_system(workers=0) as bench:
        task_ids = [bench.create_task(name) for name in ("over-http", "over-repository")]
        bench.trigger("over-http", 16)
        began = perf_counter()
        for start in range(0, runs, BULK):
            bench.trigger("over-http", min(BULK, runs - start))
        over_http = runs / (perf_counter() - began)

        async def create() -> float:
            async with open_producer(bench) as producer:
                await producer.create(task_ids[1], 16)
                began = perf_counter()
                for start in range(0, runs, BULK):
                    await producer.create(task_ids[1], min(BULK, runs - start))
                return runs / (perf_counter() - began)

        over_repository = asyncio.run(create())
        for task_id in task_ids:
            made = bench.system.number(
                "SELECT count(*) FROM scheduler.task_runs WHERE task_id = %(task_id)s AND status = 'DISPATCHED'",
                task_id=task_id,
            )
            assert made == runs + 16, f"{made} of {runs + 16} runs are there"
    yield Figure("create_over_http_per_s", over_http, "1/s", {"n": runs})
    yield Figure("create_over_repository_per_s", over_repository, "1/s", {"n": runs})


def one_by_one(size: Size) -> Iterator[Figure]:
    """Each run by a call of its own that is awaited, from one producer over the repository interface."""
    yield from _singly(size, callers=1)


def by_eight(size: Size) -> Iterator[Figure]:
    """The same from eight coroutines of one process."""
    yield from _singly(size, callers=CALLERS)


def _singly(size: Size, callers: int) -> Iterator[Figure]:
    each = max(1, size.runs // 4 // callers)
    runs = each * callers
    with bench_system(places=size.places) as bench:
        task_id = bench.create_task("no-op")
        bench.warm_up("no-op")
        after = bench.newest_run()

        async def create() -> tuple[float, float]:
            async with open_producer(bench) as producer:

                async def call(times: int) -> None:
                    for _ in range(times):
                        await producer.create_one(task_id)

                # Statements are prepared after some calls on each connection.
                await asyncio.gather(*(call(_WARM_UP) for _ in range(callers)))
                began, counted = time(), perf_counter()
                await asyncio.gather(*(call(each) for _ in range(callers)))
                return began, perf_counter() - counted

        began, seconds = asyncio.run(create())
        found = bench.recount(task_id, after, runs + _WARM_UP * callers)
    facts = {"n": runs, "callers": callers}
    yield Figure("create_per_s", runs / seconds, "1/s", facts)
    yield Figure("total_per_s", runs / (found.ended - began), "1/s", facts)
