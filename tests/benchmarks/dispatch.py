"""`make bench-dispatch`: whose turn it is, and how many at once, with real processes; one JSON line per figure."""

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from benchmarks.dispatch_system import DispatchSystem, dispatch_system, make_runs, make_task
from benchmarks.dispatch_trace import STARTS, Start, excess_starts, most_at_once
from fixtures.factories import build_session
from fixtures.processes import wait_until
from scheduler_core.errors import SessionFencedError
from scheduler_core.interfaces import Store
from scheduler_core.models import Lane, LimitDefinition, TaskStatus

QUICK_LEASE = {"SCHEDULER_WORKER__LEASE_SECONDS": "3", "SCHEDULER_WORKER__HEARTBEAT_INTERVAL_SECONDS": "1"}
STRATEGIES = (
    "round_robin",
    "least_loaded",
    "power_of_two",
    "random",
    "task_type_affinity",
    "consistent_hash",
    "resource_aware",
)
Figures = dict[str, Any]
_LANE: Final = Lane("default", "python")


def fairness(runs_each: int = 700, seconds: float = 0.02) -> Figures:
    """Three tenants of weight 1, 2 and 4 on seven places: how many runs of each have ended when half have."""
    weights = {"a": 1, "b": 2, "c": 4}
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
                for key, weight in weights.items():
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
    shares = {key: half * weight / 7 for key, weight in weights.items()}
    off = {key: round(abs(counts[key] - share) / share, 3) for key, share in shares.items()}
    return {"figure": "fairness", "finished": half, "counts": dict(counts), "off": off, "off_max": max(off.values())}


def limits(runs: int = 1500, kills: int = 20, seed: int = 1) -> Figures:
    """Keys of two at once, and a rate of 50/s with a burst of 10, while workers are killed: what the record says."""
    rng = random.Random(seed)
    with dispatch_system(places=10, **QUICK_LEASE) as system:

        async def begin() -> tuple[int, int]:
            async with system.store() as store:
                async with store.transaction() as work:
                    await work.limits.create(
                        [
                            LimitDefinition(name="two", key="params.kwargs.key", concurrent=2),
                            LimitDefinition(name="rate", rate=50, burst=10),
                        ]
                    )
                options: dict[str, Any] = {"parameters": {"kwargs": {"key": "", "seconds": 0.02, "weight": 1}}}
                both = await make_task(store, "keyed_nap", limits=("two", "rate"), **options)
                one = await make_task(store, "keyed_nap", limits=("two",), max_losses=100, **options)
                for task, count in ((both, runs // 3), (one, runs - runs // 3)):
                    for key in "abcde":
                        await make_runs(store, task, count // 5, kwargs={"key": key, "seconds": 0.02, "weight": 1})
            return both.id, one.id

        both_id, one_id = asyncio.run(begin())
        workers = [system.start_worker() for _ in range(3)]
        killed = 0
        while killed < kills and system.number(
            "SELECT count(*) FROM scheduler.task_runs WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING')"
        ):
            time.sleep(rng.uniform(0.2, 1.0))
            place = rng.randrange(len(workers))
            workers[place].kill()
            workers[place] = system.start_worker()
            killed += 1
        system.wait_until_finished()
        record = {
            task_id: [Start(*row) for row in system.rows(STARTS, task_id=task_id)] for task_id in (both_id, one_id)
        }
        statuses = dict(system.rows("SELECT status, count(*) FROM scheduler.task_runs GROUP BY status"))
    together = [*record[both_id], *record[one_id]]
    return {
        "figure": "limits",
        "attempts": len(together),
        "runs": statuses,
        "kills": killed,
        "most_at_once": most_at_once(together),
        "windows_over_rate": excess_starts([start._replace(key="") for start in record[both_id]], 50, 10),
    }


def changes(rounds: int = 20, runs: int = 20_000) -> Figures:
    """A limit is changed and a task paused under load: starts under the old rule after the reply."""
    wrong = 0
    replies: list[float] = []
    with dispatch_system(places=20) as system:

        async def run() -> None:
            nonlocal wrong
            async with system.store() as store:
                async with store.transaction() as work:
                    (limit,) = await work.limits.create([LimitDefinition(name="wide", concurrent=20)])
                limited = await make_task(
                    store,
                    "keyed_nap",
                    limits=("wide",),
                    parameters={"kwargs": {"key": "", "seconds": 0.005, "weight": 1}},
                )
                plain = await make_task(
                    store, "keyed_nap", parameters={"kwargs": {"key": "", "seconds": 0.005, "weight": 1}}
                )
                await make_runs(store, limited, runs)
                await make_runs(store, plain, runs)
                await asyncio.sleep(2)
                for _ in range(rounds):
                    wrong += await _paused_starts(system, store, plain.id, replies)
                    began = time.perf_counter()
                    async with store.transaction() as work:
                        await work.limits.update([limit.id], [LimitDefinition(name="wide", concurrent=1)])
                    replies.append(time.perf_counter() - began)
                    wrong += await _starts_over(system, limited.id, 1)
                    async with store.transaction() as work:
                        await work.limits.update([limit.id], [LimitDefinition(name="wide", concurrent=20)])
                    await asyncio.sleep(0.1)

        for _ in range(2):
            system.start_worker()
        system.wait_for_workers(2)
        asyncio.run(run())
    return {
        "figure": "changes",
        "rounds": rounds,
        "starts_under_old_rule": wrong,
        "reply_ms_max": round(max(replies) * 1000, 1),
    }


async def _paused_starts(system: DispatchSystem, store: Store, task_id: int, replies: list[float]) -> int:
    began = time.perf_counter()
    async with store.transaction() as work:
        await work.tasks.set_status([task_id], TaskStatus.PAUSED)
    replies.append(time.perf_counter() - began)
    answered = system.number("SELECT clock_timestamp()")
    await asyncio.sleep(0.3)
    started: int = system.number(
        "SELECT count(*) FROM scheduler.task_runs WHERE task_id = %(task_id)s AND started_at > %(at)s",
        task_id=task_id,
        at=answered,
    )
    async with store.transaction() as work:
        await work.tasks.set_status([task_id], TaskStatus.ACTIVE)
        await work.task_runs.admit(1000)
    return started


async def _starts_over(system: DispatchSystem, task_id: int, concurrent: int) -> int:
    """Starts after the reply in whose moment as many others ran already."""
    answered = system.number("SELECT clock_timestamp()")
    await asyncio.sleep(0.3)
    rows = system.rows(
        "SELECT '', started_at, coalesce(completed_at, now() + interval '1 hour') FROM scheduler.task_runs "
        "WHERE task_id = %(task_id)s AND (completed_at IS NULL OR completed_at > %(at)s) AND started_at IS NOT NULL",
        task_id=task_id,
        at=answered,
    )
    starts = [Start(*row) for row in rows]
    return sum(
        sum(other.started_at < start.started_at < other.ended_at for other in starts) >= concurrent
        for start in starts
        if start.started_at > answered
    )


def background(batch: int = 10_000, seconds: float = 15.0, job: float = 0.05) -> Figures:
    """Live runs at about 60 % load, without and with a batch in the background; then a live backlog beside it."""
    places = 10
    with dispatch_system(places=places) as system:

        async def live(store: Store, task: Any) -> list[float]:
            first = system.number("SELECT coalesce(max(id), 0) FROM scheduler.task_runs")
            rng = random.Random(1)
            began, made = time.monotonic(), 0
            due = 0.0
            while due < seconds:
                due += rng.expovariate(0.6 * places / job)
                made += 1
                if due > time.monotonic() - began:
                    await make_runs(store, task, made)
                    await asyncio.to_thread(_ring, system)
                    await asyncio.sleep(max(0.0, due - (time.monotonic() - began)))
                    made = 0
            await asyncio.sleep(1)
            rows = system.rows(
                "SELECT extract(epoch FROM started_at - created_at)::float FROM scheduler.task_runs "
                "WHERE task_id = %(task_id)s AND id > %(first)s AND started_at IS NOT NULL",
                task_id=task.id,
                first=first,
            )
            return [delay for (delay,) in rows]

        async def run() -> Figures:
            async with system.store() as store:
                nap = {"kwargs": {"key": "", "seconds": job, "weight": 1}}
                task = await make_task(store, "keyed_nap", parameters=nap)
                slow = await make_task(store, "keyed_nap", parameters=nap)
                await live(store, task)
                alone = await live(store, task)
                await make_runs(store, slow, batch, background=True)
                await asyncio.sleep(1)
                beside = await live(store, task)
                done = "SELECT count(*) FROM scheduler.task_runs WHERE task_id = %(task_id)s AND status = 'COMPLETED'"
                # More live runs than there are places for: the background has its share and no more.
                await make_runs(store, task, 2000)
                await asyncio.sleep(1)
                before = {each.id: system.number(done, task_id=each.id) for each in (task, slow)}
                await asyncio.sleep(5)
                after = {each.id: system.number(done, task_id=each.id) - before[each.id] for each in (task, slow)}
            p95 = [statistics.quantiles(delays, n=20)[-1] for delays in (alone, beside)]
            return {
                "figure": "background",
                "live_runs": len(beside),
                "p95_ms_alone": round(p95[0] * 1000, 1),
                "p95_ms_beside": round(p95[1] * 1000, 1),
                "raised_by_run_durations": round((p95[1] - p95[0]) / job, 2),
                "share_under_full_load": round(after[slow.id] / sum(after.values()), 3),
                "share_guaranteed": 0.1,
            }

        system.start_worker()
        system.wait_for_workers(1)
        return asyncio.run(run())


def head(runs: int = 1_000_000, claims: int = 400) -> Figures:
    """Claims beside claimable runs of a type that nobody takes, at the head of the queue, and without them; p99."""
    with dispatch_system(places=1) as system:

        async def run() -> Figures:
            async with system.store() as store:
                task = await make_task(store)
                await make_runs(store, task, claims * 4)
                async with store.autocommit() as work:
                    session_id = await work.worker_sessions.open(build_session(places=10_000, lease_seconds=3600.0))

                async def claimed() -> list[float]:
                    times = []
                    for _ in range(claims):
                        began = time.perf_counter()
                        async with store.autocommit() as work:
                            (run,) = await work.task_runs.claim(session_id, [_LANE], 1)
                        times.append(time.perf_counter() - began)
                        assert run.attempt == 1
                    return times

                await claimed()
                empty = await claimed()
                system.rows(
                    "INSERT INTO scheduler.task_runs (task_id, task_version_id, flow_id, scheduled_at, not_before, "
                    "created_at, max_retries, priority, status, trigger, namespace, queue, task_type, claim_at) "
                    "SELECT task_id, task_version_id, flow_id, scheduled_at, not_before, created_at, 0, 10, "
                    "'DISPATCHED', 'MANUAL', 'default', 'default', 'nobody', '2000-01-01' "
                    "FROM generate_series(1, %(runs)s) "
                    "CROSS JOIN (SELECT * FROM scheduler.task_runs ORDER BY id LIMIT 1) AS one RETURNING 1",
                    runs=runs,
                )
                # What the server has to write for so many rows is not what is measured.
                system.execute("CHECKPOINT", "VACUUM ANALYZE scheduler.task_runs", "CHECKPOINT")
                await claimed()
                behind = await claimed()
            p99 = [statistics.quantiles(times, n=100)[-1] * 1000 for times in (empty, behind)]
            return {
                "figure": "head",
                "runs_ahead": runs,
                "p99_ms_empty": round(p99[0], 2),
                "p99_ms_behind": round(p99[1], 2),
                "p50_ms": [round(statistics.median(times) * 1000, 2) for times in (empty, behind)],
                "ratio": round(p99[1] / p99[0], 2),
            }

        return asyncio.run(run())


def strategies(runs: int = 4000, workers: int = 20, repeat: int = 3) -> Figures:
    """Runs a second of each strategy over those of `shared`, taking turns on one system; medians."""
    with dispatch_system(places=20) as system:
        for _ in range(workers):
            system.start_worker()
        system.wait_for_workers(workers)
        rates: dict[str, list[float]] = {name: [] for name in ("shared", *STRATEGIES)}
        used: dict[str, int] = {}

        async def run() -> None:
            async with system.store() as store:
                tasks = {}
                for name in rates:
                    more: dict[str, Any] = {}
                    if name == "consistent_hash":
                        more = {"hash_key": "params.kwargs.key"}
                    if name == "resource_aware":
                        more = {"resources": {"cpu": 0.01}}
                    tasks[name] = await make_task(
                        store,
                        "keyed_nap",
                        strategy=name,
                        parameters={"kwargs": {"key": "k", "seconds": 0, "weight": 1}},
                        **more,
                    )
                for _ in range(repeat):
                    for name, task in tasks.items():
                        began = time.monotonic()
                        keys = [f"k{n}" for n in range(50)] if name == "consistent_hash" else ["k"]
                        for key in keys:
                            await make_runs(
                                store, task, runs // len(keys), kwargs={"key": key, "seconds": 0, "weight": 1}
                            )
                        await asyncio.to_thread(_ring_and_wait, system)
                        rates[name].append(runs / (time.monotonic() - began))
                        used[name] = system.number(
                            "SELECT count(DISTINCT session_id) FROM scheduler.task_runs WHERE task_id = %(task_id)s",
                            task_id=task.id,
                        )

        asyncio.run(run())
    medians = {name: statistics.median(each) for name, each in rates.items()}
    return {
        "figure": "strategies",
        "workers": workers,
        "runs": runs,
        "shared_per_s": round(medians["shared"]),
        "ratios": {name: round(medians[name] / medians["shared"], 2) for name in STRATEGIES},
        "workers_used": used,
    }


def _ring(system: DispatchSystem) -> None:
    """What the API does for a trigger: rings for whoever has something to do."""
    system.rows("SELECT pg_notify('status_updates', '{\"ring\":\"look\"}')")
    for (session_id,) in system.rows("SELECT id FROM scheduler.worker_sessions WHERE state = 'ALIVE'"):
        system.rows('SELECT pg_notify(%(channel)s, \'{"ring":"look"}\')', channel=f"tasks.session-{session_id}")


def _ring_and_wait(system: DispatchSystem) -> None:
    _ring(system)
    wait_until(
        lambda: (
            not system.number(
                "SELECT count(*) FROM scheduler.task_runs WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING')"
            )
        ),
        120,
        "all runs are final",
    )


def successor(runs: int = 200) -> Figures:
    """From the end of a run to the start of the next one of a key that lets one run at a time."""
    with dispatch_system(places=10) as system:

        async def begin() -> int:
            async with system.store() as store:
                async with store.transaction() as work:
                    await work.limits.create([LimitDefinition(name="one", concurrent=1)])
                task = await make_task(store, limits=("one",))
                await make_runs(store, task, runs)
            return task.id

        task_id = asyncio.run(begin())
        system.start_worker()
        system.wait_until_finished()
        gaps = system.rows(
            "SELECT extract(epoch FROM started_at - lag(completed_at) OVER (ORDER BY started_at))::float * 1000 "
            "FROM scheduler.task_runs WHERE task_id = %(task_id)s ORDER BY started_at",
            task_id=task_id,
        )
    times = sorted(gap for (gap,) in gaps if gap is not None)
    return {
        "figure": "successor",
        "runs": runs,
        "p50_ms": round(statistics.median(times), 1),
        "p99_ms": round(times[int(len(times) * 0.99) - 1], 1),
    }


SECTIONS: dict[str, Callable[[], Figures]] = {
    "fairness": fairness,
    "limits": limits,
    "changes": changes,
    "background": background,
    "head": head,
    "strategies": strategies,
    "successor": successor,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench-dispatch", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="which figures (all)")
    for name in parser.parse_args().sections or SECTIONS:
        try:
            print(json.dumps(SECTIONS[name]()), flush=True)
        except (AssertionError, SessionFencedError) as error:
            sys.exit(f"the benchmark {name} failed: {error}")


if __name__ == "__main__":
    main()
