"""W1: no-op runs made in bulk over HTTP, end to end, every start and end durable."""

from pathlib import Path
from time import time
from typing import Any

import psycopg

from fixtures.processes import SchedulerProcesses, wait_until
from scheduler_infra.database import DatabaseConfig, resolve_url

WORKERS = 2
BULK = 10_000
"""Runs asked for by one trigger: the most that the API takes."""

_COUNTS = """
SELECT count(*) AS runs,
       count(*) FILTER (WHERE status = 'COMPLETED') AS completed,
       count(*) FILTER (WHERE attempt <> 1 OR started_at IS NULL OR session_id IS NULL) AS odd,
       count(DISTINCT session_id) AS sessions,
       extract(epoch FROM min(started_at)) AS started,
       extract(epoch FROM max(completed_at)) AS ended
FROM scheduler.task_runs WHERE task_id = %s AND id > %s
"""


def measure(directory: Path, n: int, places: int = 500) -> dict[str, Any]:
    """Run `n` no-op runs through one dispatcher and two workers; rates in runs a second.

    `enqueue_per_s` counts the HTTP calls, `drain_per_s` from the first start to the last end, `total_per_s` from the
    first call to the last end. The runs are recounted by SQL; AssertionError when any is missing, failed or repeated.
    """
    system = SchedulerProcesses(directory)
    try:
        return _measure(system, n, places)
    finally:
        system.end_all()


def _measure(system: SchedulerProcesses, n: int, places: int) -> dict[str, Any]:
    environment = {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "SCHEDULER_WORKER__ALLOW_ROOT": "true",
        "SCHEDULER_WORKER__SHELL_ENABLED": "true",
        "SCHEDULER_WORKER__MAX_CONCURRENT_TASKS": str(places),
    }
    system.start_up("--only", "postgresql,api")
    system.start("scheduler-dispatcher", env=environment)
    for _ in range(WORKERS):
        system.start("scheduler-worker", env=environment)
    body = {"name": "no-op", "task_type": "python", "parameters": {"callable": "benchmarks.benchmark_tasks:no_op"}}
    task = system.request("POST", "/api/v1/tasks", body).body
    wait_until(lambda: len(_alive(system)) == WORKERS, 30, "two live workers")
    last = _warm_up(system)

    began = time()
    for start in range(0, n, BULK):
        answer = system.request("POST", "/api/v1/tasks/no-op/trigger", {"count": min(BULK, n - start)})
        assert answer.status in (200, 201), answer
    enqueue_seconds = time() - began

    url = resolve_url(DatabaseConfig(), system.state_dir)
    with psycopg.connect(url, autocommit=True) as connection:

        def counts() -> Any:
            return connection.execute(_COUNTS, (task["id"], last)).fetchone()

        wait_until(lambda: counts()[1] == n, 300, f"{n} completed runs", describe=lambda: str(counts()))
        runs, completed, odd, sessions, started, ended = counts()
    assert (runs, completed, odd) == (n, n, 0), (runs, completed, odd)
    return {
        "workload": "W1-bulk",
        "n": n,
        "enqueue_per_s": round(n / enqueue_seconds),
        "drain_per_s": round(n / float(ended - started)),
        "total_per_s": round(n / (float(ended) - began)),
        "workers": sessions,
        "places": places,
    }


def _alive(system: SchedulerProcesses) -> list[Any]:
    body = system.request("GET", "/api/v1/workers").body
    return [worker for worker in body["items"] if worker["state"] == "ALIVE"]


def _warm_up(system: SchedulerProcesses) -> int:
    items = system.request("POST", "/api/v1/tasks/no-op/trigger", {"count": 16}).body["items"]
    for item in items:
        system.wait_for_run(item["id"])
    last: int = max(item["id"] for item in items)
    return last
