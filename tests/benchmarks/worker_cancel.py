"""How fast running jobs are stopped."""

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.worker_system import Figures, create_task, living, percentile, seconds_until, trigger, worker_system

_LATER = """
SELECT id, extract(epoch FROM completed_at)::float FROM scheduler.task_runs WHERE status = 'CANCELLED'
"""


def cancel(jobs: int = 100, callers: int = 4) -> Figures:
    """Seconds from asking the API to cancel a running job until it is recorded as CANCELLED, all its processes dead."""
    with worker_system(places=jobs, SCHEDULER_WORKER__KILL_GRACE_SECONDS="5") as system:
        system.start_worker()
        system.wait_for_workers(1)
        create_task(system, "long", "exec sleep 1000", timeout_seconds=None)
        runs = trigger(system, "long", jobs)
        seconds_until(lambda: len(living(system, runs)) == jobs, 60, "all jobs run")
        asked: dict[int, float] = {}

        def stop(run_id: int) -> None:
            asked[run_id] = time.time()
            answer = system.processes.request("POST", f"/api/v1/task-runs/{run_id}/cancel", {})
            assert answer.status == 200, answer

        with ThreadPoolExecutor(callers) as pool:
            list(pool.map(stop, runs))
        system.wait_until_finished(60)
        left = living(system, runs)
        took = [ended - asked[run_id] for run_id, ended in system.rows(_LATER)]
    return {
        "figure": "cancel",
        "jobs": jobs,
        "cancelled": len(took),
        "processes_left": sum(map(len, left.values())),
        "seconds_p50": round(percentile(took, 0.5), 3),
        "seconds_p99": round(percentile(took, 0.99), 3),
        "seconds_max": round(max(took), 3),
    }
