"""What a claim and a look cost beside runs that nobody takes: far more of them than there is work."""

import asyncio
import re
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from typing import Any, Final

import psycopg

from benchmarks.dispatch_system import DispatchSystem, Figures, dispatch_system, make_runs, make_task
from fixtures.factories import build_session, report
from fixtures.processes import wait_until
from fixtures.windows import build_window
from scheduler_core.interfaces import Store
from scheduler_core.models import Lane, Task
from scheduler_infra.database.query_loader import query

_LANE: Final = Lane("default", "python")
_TURN: Final = 20
"""How many claims one side makes before the other one has its turn."""

_AHEAD: Final = """
INSERT INTO scheduler.task_runs (task_id, task_version_id, flow_id, scheduled_at, not_before, created_at, max_retries,
                                 priority, status, trigger, namespace, queue, task_type, claim_at)
SELECT task_id, task_version_id, flow_id, scheduled_at, not_before, created_at, 0, 10, 'DISPATCHED', 'MANUAL',
       'default', 'default', 'nobody', '2000-01-01'
FROM generate_series(1, %(runs)s)
CROSS JOIN (SELECT * FROM scheduler.task_runs ORDER BY id LIMIT 1) AS one
RETURNING 1
"""


class _Side:
    """One of two systems that claims are timed on, by a session of the benchmark's own."""

    def __init__(self, system: DispatchSystem, store: Store) -> None:
        self.system = system
        self.store = store
        self.session_id = 0
        self.times: list[float] = []

    async def open(self, claims: int) -> Task:
        """Make runs for so many claims, and a session that takes them."""
        task = await make_task(self.store)
        await make_runs(self.store, task, claims)
        async with self.store.autocommit() as work:
            self.session_id = await work.worker_sessions.open(build_session(lease_seconds=3600.0))
        return task

    async def claim(self, count: int) -> None:
        """Claim runs one by one."""
        for _ in range(count):
            began = time.perf_counter()
            async with self.store.autocommit() as work:
                (run,) = await work.task_runs.claim(self.session_id, [_LANE], 1)
            self.times.append(time.perf_counter() - began)
            assert run.attempt == 1

    def settle(self) -> None:
        """What the server still has to write for many new rows is not what is measured."""
        self.system.execute("CHECKPOINT", "VACUUM ANALYZE scheduler.task_runs", "CHECKPOINT")

    def blocks(self) -> int:
        """How many blocks of the database a claim of one run touches, by the plan that workers keep."""
        names: list[str] = []

        def numbered(found: re.Match[str]) -> str:
            if found[1] not in names:
                names.append(found[1])
            return f"${names.index(found[1]) + 1}"

        statement = re.sub(r"%\((\w+)\)s", numbered, query("claim_runs"))
        values = {
            "session_id": str(self.session_id),
            "queues": "'{default}'",
            "task_types": "'{python}'",
            "limit": "1",
            "look": "1",
            "now": "NULL",
        }
        arguments = ", ".join(values[name] for name in names)
        with psycopg.connect(self.system.url) as connection:
            connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            connection.execute(f"PREPARE claim AS {statement}".encode())
            (plan,) = connection.execute(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE claim({arguments})".encode()
            ).fetchone() or ([],)
            connection.rollback()
        found: int = plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
        return found


def head(runs: int = 1_000_000, claims: int = 2000) -> Figures:
    """Claims beside claimable runs of a type that nobody takes, at the head of the queue, and without them."""

    async def fill(side: _Side) -> Figures:
        await asyncio.to_thread(side.system.rows, _AHEAD, runs=runs)
        return {"figure": "head", "runs_ahead": runs}

    return _compared(fill, claims)


def parked(runs: int = 200_000, tenants: int = 1000, claims: int = 2000, looks: int = 50) -> Figures:
    """The same beside gated runs that no worker has the tag for, in one stream for each tenant; and a look at them."""

    async def fill(side: _Side) -> Figures:
        began = time.monotonic()
        task = await make_task(side.store, fairness_key="params.kwargs.key", required_tags=("nowhere",))
        await _make_tenants(side.store, task, tenants, runs // tenants)
        unsorted = "SELECT EXISTS (SELECT FROM scheduler.task_runs WHERE gated AND stream_id IS NULL)"
        await asyncio.to_thread(
            wait_until, lambda: not side.system.number(unsorted), 300, "all gated runs are in their streams"
        )
        sorted_in = time.monotonic() - began
        # Nobody looks while claims are timed, nor while looks are.
        side.system.dispatcher.stop()
        side.settle()
        idle = await _timed(build_window(side.store).look, looks)
        serving = await _serving_looks(side.store, tenants, looks)
        return {
            "figure": "parked",
            "runs": runs,
            "streams": tenants,
            "made_and_sorted_per_s": round(runs / sorted_in),
            "look_ms": round(statistics.median(idle) * 1000, 1),
            "look_that_releases_ms": round(statistics.median(serving) * 1000, 1),
        }

    return _compared(fill, claims)


def _compared(fill: Callable[[_Side], Awaitable[Figures]], claims: int) -> Figures:
    """Claims on an empty system and on a filled one, taking turns."""
    with ExitStack() as systems:
        both = [systems.enter_context(dispatch_system(places=1)) for _ in range(2)]

        async def run() -> Figures:
            async with AsyncExitStack() as stores:
                sides = [_Side(system, await stores.enter_async_context(system.store())) for system in both]
                for side in sides:
                    await side.open(claims * 2 + 100)
                figures = await fill(sides[1])
                for side in sides:
                    side.settle()
                    await side.claim(claims // 2)
                    side.times.clear()
                for _ in range(claims // _TURN):
                    for side in sides:
                        await side.claim(_TURN)
                p99 = [statistics.quantiles(side.times, n=100)[-1] * 1000 for side in sides]
                return {
                    **figures,
                    "claims": len(sides[0].times),
                    "p50_ms": [round(statistics.median(side.times) * 1000, 2) for side in sides],
                    "p99_ms": [round(each, 2) for each in p99],
                    "p99_ratio": round(p99[1] / p99[0], 2),
                    "blocks": [side.blocks() for side in sides],
                }

        return asyncio.run(run())


async def _make_tenants(store: Store, task: Task, tenants: int, runs_each: int) -> None:
    for number in range(tenants):
        await make_runs(store, task, runs_each, kwargs={"key": f"tenant-{number}"})


async def _timed(look: Callable[[], Awaitable[Any]], count: int) -> list[float]:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        await look()
        times.append(time.perf_counter() - began)
    return times


async def _serving_looks(store: Store, tenants: int, count: int) -> list[float]:
    """Looks that each release ten runs of so many waiting tenants, in another queue."""
    task = await make_task(store, queue="served", fairness_key="params.kwargs.key")
    await _make_tenants(store, task, tenants, max(2, count * 10 // tenants * 2))
    async with store.autocommit() as work:
        session_id = await work.worker_sessions.open(build_session(queues=("served",), lease_seconds=3600.0))
    window = build_window(store, max_concurrent_dispatches=10_000)
    await window.look()
    times = []
    for _ in range(count):
        async with store.autocommit() as work:
            claimed = await work.task_runs.claim(session_id, [Lane("served", "python")], 10)
            assert len(claimed) == 10, f"{len(claimed)} of 10 runs were claimable"
            await work.task_runs.finish(session_id, [report(run) for run in claimed])
        times += await _timed(window.look, 1)
    return times
