"""Programs a second, from a made run to its recorded end, against the bare starting of the same program."""

import os
import statistics
import time
from typing import Any

from benchmarks.dispatch_system import DispatchSystem
from benchmarks.worker_system import Figures, create_task, trigger, worker_system

_CAPS = {"cpu_seconds": 60, "memory": "1GB", "processes": 1000, "open_files": 256, "file_size": "1GB"}


def shell(runs: int = 2000, repeat: int = 3, places: int = 50) -> Figures:
    """Runs of /bin/true a second with inherited and with per-run limits, and of bare posix_spawn, taking turns."""
    rates: dict[str, list[float]] = {"posix_spawn": [], "inherited": [], "caps": []}
    with worker_system(places=places, SCHEDULER_WORKER__LEASE_SECONDS="30") as system:
        system.start_worker()
        system.wait_for_workers(1)
        create_task(system, "inherited", "/bin/true", parameters={"command": ["/bin/true"], "shell": False})
        create_task(system, "caps", "/bin/true", parameters={"command": ["/bin/true"], "shell": False, "caps": _CAPS})
        for name in ("inherited", "caps"):
            _rate(system, name, 50)
        for _ in range(repeat):
            rates["posix_spawn"].append(_bare(runs))
            for name in ("inherited", "caps"):
                rates[name].append(_rate(system, name, runs))
    medians = {name: statistics.median(each) for name, each in rates.items()}
    return {
        "figure": "shell",
        "runs": runs,
        **{f"{name}_per_s": round(rate) for name, rate in medians.items()},
        "inherited_over_posix_spawn": round(medians["inherited"] / medians["posix_spawn"], 2),
        "caps_over_posix_spawn": round(medians["caps"] / medians["posix_spawn"], 2),
    }


def _bare(runs: int) -> float:
    """One after another, which is how one process starts programs."""
    began = time.perf_counter()
    for _ in range(runs):
        os.waitpid(os.posix_spawn("/bin/true", ["/bin/true"], os.environ), 0)
    return runs / (time.perf_counter() - began)


def _rate(system: DispatchSystem, name: str, runs: int) -> float:
    began = system.number("SELECT clock_timestamp()")
    trigger(system, name, runs)
    system.wait_until_finished(120)
    ended, completed = _ends(system, name, began)
    assert completed == runs, f"{completed} of {runs} runs have completed"
    return float(runs / (ended - began).total_seconds())


def _ends(system: DispatchSystem, name: str, began: Any) -> Any:
    return system.rows(
        "SELECT max(run.completed_at), count(*) FILTER (WHERE run.status = 'COMPLETED') "
        "FROM scheduler.task_runs AS run JOIN scheduler.tasks ON tasks.id = run.task_id "
        "WHERE tasks.name = %(name)s AND run.created_at >= %(began)s",
        name=name,
        began=began,
    )[0]
