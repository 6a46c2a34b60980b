"""Whose turn it is: tenants by their weights, and live runs beside the background."""

import asyncio
import random
import statistics
import time
from collections import Counter
from typing import Any

from benchmarks.dispatch_system import DispatchSystem, Figures, dispatch_system, make_runs, make_task
from scheduler_core.interfaces import Store
from scheduler_core.models import Task

WEIGHTS = {"a": 1, "b": 2, "c": 4}
GUARANTEED = 0.1
"""The background's share of the places by default."""


def fairness(runs_each: int = 700, seconds: float = 0.02) -> Figures:
    """Three tenants of weight 1, 2 and 4 on seven places: how many runs of each have ended when half have."""
    with dispatch_system(places=7) as system:

        async def begin() -> int:
            async with system.store() as store:
                task = await make_task(
                    store,
                    "keyed_nap",
                    parameters={"kwargs": {"key": "", "seconds": seconds, "weight": 1}},
                    fairness_key="params.kwargs.key",
                    fairness_weight="params.kwargs.weight",
                )
                for key, weight in WEIGHTS.items():
                    await make_runs(store, task, runs_each, kwargs={"key": key, "seconds": seconds, "weight": weight})
            return task.id

        task_id = asyncio.run(begin())
        system.start_worker()
        system.wait_until_finished()
        half = runs_each * 3 // 2
        ended = system.rows(
            "SELECT parameters #>> '{kwargs,key}' FROM scheduler.task_runs WHERE task_id = %(task_id)s "
            "ORDER BY completed_at LIMIT %(half)s",
            task_id=task_id,
            half=half,
        )
    counts = Counter(key for (key,) in ended)
    shares = {key: half * weight / sum(WEIGHTS.values()) for key, weight in WEIGHTS.items()}
    off = {key: round(abs(counts[key] - share) / share, 3) for key, share in shares.items()}
    return {"figure": "fairness", "finished": half, "counts": dict(counts), "off": off, "off_max": max(off.values())}


def background(
    batch: int = 10_000, seconds: float = 15.0, job: float = 0.05, places: int = 10, backlog: int = 2000
) -> Figures:
    """Live runs at about 60 % load, without and with a batch in the background; then a live backlog beside it."""
    with dispatch_system(places=places) as system:

        async def run() -> Figures:
            async with system.store() as store:
                nap = {"kwargs": {"key": "", "seconds": job, "weight": 1}}
                live, slow = [await make_task(store, "keyed_nap", parameters=nap) for _ in range(2)]
                await _live_delays(system, store, live, seconds / 3, 0.6 * places / job)
                alone = await _live_delays(system, store, live, seconds, 0.6 * places / job)
                await make_runs(store, slow, batch, background=True)
                await asyncio.sleep(1)
                beside = await _live_delays(system, store, live, seconds, 0.6 * places / job)
                waiting = system.number(
                    "SELECT count(*) FROM scheduler.task_runs WHERE task_id = %(task_id)s AND started_at IS NULL",
                    task_id=slow.id,
                )
                assert waiting > 0, "the batch had ended before its effect was measured"
                # More live runs than there are places for: the background has its share and no more.
                await make_runs(store, live, backlog)
                await asyncio.sleep(1)
                ended = await _ends(system, [live.id, slow.id], 5.0)
            p95 = [statistics.quantiles(delays, n=20)[-1] for delays in (alone, beside)]
            return {
                "figure": "background",
                "live_runs": len(beside),
                "p95_ms_alone": round(p95[0] * 1000, 1),
                "p95_ms_beside": round(p95[1] * 1000, 1),
                "raised_by_run_durations": round((p95[1] - p95[0]) / job, 2),
                "background_ended": ended[1],
                "share_under_full_load": round(ended[1] / sum(ended), 3),
                "share_guaranteed": GUARANTEED,
            }

        system.start_worker()
        system.wait_for_workers(1)
        return asyncio.run(run())


async def _live_delays(system: DispatchSystem, store: Store, task: Task, seconds: float, rate: float) -> list[float]:
    """From creation to start, in seconds, of runs that come one by one at random instants, `rate` a second."""
    first = system.number("SELECT coalesce(max(id), 0) FROM scheduler.task_runs")
    rng = random.Random(1)
    began, made, due = time.monotonic(), 0, 0.0
    while due < seconds:
        due += rng.expovariate(rate)
        made += 1
        if due > time.monotonic() - began:
            await make_runs(store, task, made)
            await asyncio.to_thread(system.ring)
            await asyncio.sleep(max(0.0, due - (time.monotonic() - began)))
            made = 0
    await asyncio.sleep(1)
    rows: list[Any] = system.rows(
        "SELECT extract(epoch FROM started_at - created_at)::float FROM scheduler.task_runs "
        "WHERE task_id = %(task_id)s AND id > %(first)s",
        task_id=task.id,
        first=first,
    )
    delays = [delay for (delay,) in rows]
    assert None not in delays, "live runs are left over: more came than there are places for"
    return delays


async def _ends(system: DispatchSystem, task_ids: list[int], seconds: float) -> list[int]:
    """How many runs of each task end within so many seconds, in which all of them have some waiting."""
    done = "SELECT count(*) FROM scheduler.task_runs WHERE task_id = %(task_id)s AND status = 'COMPLETED'"
    before = [system.number(done, task_id=task_id) for task_id in task_ids]
    await asyncio.sleep(seconds)
    after = [system.number(done, task_id=task_id) for task_id in task_ids]
    for task_id in task_ids:
        waiting = "SELECT count(*) FROM scheduler.task_runs WHERE task_id = %(task_id)s AND started_at IS NULL"
        assert system.number(waiting, task_id=task_id) > 0, "the backlog had ended before the share was measured"
    return [later - earlier for earlier, later in zip(before, after, strict=True)]
