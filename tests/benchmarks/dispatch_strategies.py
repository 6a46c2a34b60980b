"""What a chosen worker costs: the runs a second of each strategy over those of `shared`."""

import asyncio
import statistics
from collections import Counter
from typing import Any

from benchmarks.dispatch_system import DispatchSystem, Figures, dispatch_system, make_runs, make_task
from scheduler_core.interfaces import Store
from scheduler_core.models import Task

STRATEGIES = (
    "round_robin",
    "least_loaded",
    "power_of_two",
    "random",
    "task_type_affinity",
    "consistent_hash",
    "resource_aware",
)
_KEYS = 50
_OPTIONS: dict[str, dict[str, Any]] = {
    "consistent_hash": {"hash_key": "params.kwargs.key"},
    "resource_aware": {"resources": {"cpu": 0.01}},
}


def strategies(runs: int = 5000, workers: int = 20, repeat: int = 3, places: int = 5, job: float = 0.1) -> Figures:
    """Runs a second of each strategy over those of `shared`, taking turns on one system; medians.

    By the database's clock, from before the first run is made to the end of the last one. Every other time the turns
    are taken in the opposite order, so that none comes always when the machine or the tables are at their best. Before
    them each strategy has some runs that do not count: the first ones of a version are sorted one by one, and workers
    import what they need.
    """
    rates: dict[str, list[float]] = {name: [] for name in ("shared", *STRATEGIES)}
    used: dict[str, Counter[int]] = {name: Counter() for name in rates}
    with dispatch_system(places=places) as system:
        for _ in range(workers):
            system.start_worker()
        system.wait_for_workers(workers)

        async def run() -> None:
            async with system.store() as store:
                nap = {"kwargs": {"key": "k", "seconds": job, "weight": 1}}
                tasks = {
                    name: await make_task(store, "keyed_nap", strategy=name, parameters=nap, **_OPTIONS.get(name, {}))
                    for name in rates
                }
                keys = {"consistent_hash": [f"k{number}" for number in range(_KEYS)]}
                for name, task in tasks.items():
                    await _rate(system, store, task, runs // 10, job, keys.get(name, ["k"]))
                for turn in range(repeat):
                    for name in list(tasks)[:: -1 if turn % 2 else 1]:
                        rates[name].append(await _rate(system, store, tasks[name], runs, job, keys.get(name, ["k"])))
                for name, task in tasks.items():
                    used[name] += Counter(dict(_runs_by_session(system, task)))

        asyncio.run(run())
    medians = {name: statistics.median(each) for name, each in rates.items()}
    return {
        "figure": "strategies",
        "workers": workers,
        "places": places,
        "job_ms": job * 1000,
        "runs": runs,
        "shared_per_s": round(medians["shared"]),
        "ratios": {name: round(medians[name] / medians["shared"], 2) for name in STRATEGIES},
        "ratios_of_turns": {
            name: [round(one / shared, 2) for one, shared in zip(rates[name], rates["shared"], strict=True)]
            for name in STRATEGIES
        },
        "workers_used": {name: len(sessions) for name, sessions in used.items()},
        "fewest_of_a_worker": {name: min(sessions.values()) for name, sessions in used.items()},
    }


async def _rate(system: DispatchSystem, store: Store, task: Task, runs: int, job: float, keys: list[str]) -> float:
    began = system.number("SELECT clock_timestamp()")
    for key in keys:
        await make_runs(store, task, runs // len(keys), kwargs={"key": key, "seconds": job, "weight": 1})
    await asyncio.to_thread(system.ring)
    await asyncio.to_thread(system.wait_until_finished)
    ended, completed = system.rows(
        "SELECT max(completed_at), count(*) FILTER (WHERE status = 'COMPLETED') FROM scheduler.task_runs "
        "WHERE task_id = %(task_id)s AND created_at >= %(began)s",
        task_id=task.id,
        began=began,
    )[0]
    assert completed == runs // len(keys) * len(keys), f"{completed} of {runs} runs have completed"
    return float(completed / (ended - began).total_seconds())


def _runs_by_session(system: DispatchSystem, task: Task) -> list[Any]:
    return system.rows(
        "SELECT session_id, count(*) FROM scheduler.task_runs WHERE task_id = %(task_id)s GROUP BY session_id",
        task_id=task.id,
    )
