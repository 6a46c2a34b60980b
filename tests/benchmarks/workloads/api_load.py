"""W7: pages of a list of millions, and single triggers by many clients beside a bare echo."""

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack

from benchmarks.workloads.bench_system import BenchSystem, bench_system
from benchmarks.workloads.figure import Figure, Size, percentile
from benchmarks.workloads.finished_runs import fill
from benchmarks.workloads.http_caller import connected, open_caller
from fixtures.processes import free_port, wait_until
from scheduler_api.schemas.cursor import encode_cursor

CLIENTS = 32
PAGE = 50
_SLICES = 5
"""How often triggers and echoes take turns."""

_LEFT = """
SELECT EXISTS (SELECT FROM scheduler.task_runs WHERE status IN ('DISPATCHED', 'RUNNING') AND queue = 'default')
"""
_COUNTS = """
SELECT count(*), count(*) FILTER (WHERE run.status = 'COMPLETED' AND run.attempt = 1)
FROM scheduler.task_runs AS run JOIN scheduler.tasks ON tasks.id = run.task_id WHERE tasks.name = %(name)s
"""


def pages(size: Size) -> Iterator[Figure]:
    """A page of 50 runs out of all that there are: the newest, one anywhere, and the newest of one task."""
    runs = max(size.finished)
    with bench_system(places=10) as bench:
        fill(bench, runs)
        newest = bench.newest_run()
        rng = random.Random(7)

        def paths() -> dict[str, str]:
            start = encode_cursor("run", rng.randrange(PAGE + 10, newest))
            list_path = f"/api/v1/task-runs?limit={PAGE}"
            return {
                "newest": list_path,
                "anywhere": f"{list_path}&cursor={start}",
                "of_task": f"{list_path}&task=past-{rng.randrange(100):02d}",
            }

        async def ask() -> dict[str, list[float]]:
            taken: dict[str, list[float]] = {}
            async with open_caller(bench) as caller:
                for number in range(-10, size.requests):
                    for name, path in paths().items():
                        request, began = caller.request("GET", path), time.perf_counter()
                        content = await caller.send(request)
                        if number >= 0:
                            taken.setdefault(name, []).append((time.perf_counter() - began) * 1000)
                        assert len(json.loads(content)["items"]) == PAGE, f"{path} gave less than {PAGE} runs"
            return taken

        for name, times in asyncio.run(ask()).items():
            facts = {"runs": runs, "requests": len(times), "max": round(max(times), 2)}
            yield Figure(f"page_{name}_p50", statistics.median(times), "ms", facts)
            yield Figure(f"page_{name}_p99", percentile(times, 0.99), "ms", facts)


def triggers(size: Size) -> Iterator[Figure]:
    """Triggers of one run each from 32 kept connections, and a Litestar that echoes, taking turns.

    Once of a task whose runs two workers carry out meanwhile, and once of one that nobody takes.
    """
    with bench_system(places=100) as bench:
        bench.create_task("taken")
        bench.create_task("left", queue="nobody")
        bench.warm_up("taken", 50)
        port = free_port()
        echo = bench.processes.start(
            sys.executable,
            "-m",
            "benchmarks.workloads.echo_server",
            str(port),
            name="echo",
            env=bench.system.environment,
        )
        echo.wait_for_output("listening")
        rates: dict[str, list[float]] = {}
        asked: dict[str, int] = {"taken": 50, "left": 0}
        asyncio.run(_take_turns(bench, port, size.seconds, rates, asked))
        for name, count in asked.items():
            _check_all(bench, name, count)
    echo_rate = statistics.median(rates.pop("echo"))
    yield Figure("echo_per_s", echo_rate, "1/s", {"clients": CLIENTS})
    for name, found in rates.items():
        yield Figure(f"trigger_{name}_per_s", statistics.median(found), "1/s", {"clients": CLIENTS})
        yield Figure(f"trigger_{name}_share_of_echo", statistics.median(found) / echo_rate, "ratio")


async def _take_turns(
    bench: BenchSystem, port: int, seconds: float, rates: dict[str, list[float]], asked: dict[str, int]
) -> None:
    async with AsyncExitStack() as stack:
        api = [await stack.enter_async_context(open_caller(bench)) for _ in range(CLIENTS)]
        echoes = [await stack.enter_async_context(connected(port)) for _ in range(CLIENTS)]
        sides = {
            "echo": (echoes, echoes[0].request("POST", "/echo", {"parameters": {"number": 1}})),
            "taken": (api, api[0].request("POST", "/api/v1/tasks/taken/trigger", {})),
            "left": (api, api[0].request("POST", "/api/v1/tasks/left/trigger", {})),
        }
        for turn in range(-1, _SLICES):
            for name, (callers, request) in sides.items():
                length = seconds / _SLICES if turn >= 0 else 0.3
                began, end = time.perf_counter(), time.perf_counter() + length
                count = 0

                async def call(place: int) -> None:
                    nonlocal count
                    while time.perf_counter() < end:  # noqa: B023  awaited within the turn
                        await callers[place].send(request)  # noqa: B023
                        count += 1

                await asyncio.gather(*map(call, range(CLIENTS)))
                if turn >= 0:
                    rates.setdefault(name, []).append(count / (time.perf_counter() - began))
                if name in asked:
                    asked[name] += count
                # What a turn has left to do must not be done in the next one's time.
                await asyncio.to_thread(_settle, bench)


def _settle(bench: BenchSystem) -> None:
    wait_until(lambda: not bench.system.number(_LEFT), 60, "the workers are done")


def _check_all(bench: BenchSystem, name: str, count: int) -> None:
    (row,) = bench.system.rows(_COUNTS, name=name)
    expected = (count, count if name == "taken" else 0)
    assert row == expected, f"runs and completed runs of {name} are {row} and not {expected}"
