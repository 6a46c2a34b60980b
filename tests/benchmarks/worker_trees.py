"""What becomes of everything that a job has started: at its time-out, when its worker dies, and when it freezes."""

import signal
import time
from itertools import pairwise

from benchmarks.dispatch_system import DispatchSystem
from benchmarks.worker_system import (
    TREE,
    Figures,
    create_task,
    living,
    percentile,
    seconds_until,
    trigger,
    worker_system,
)

_KILLED_SECONDS_MAX = 2.0
_BUSY = "SELECT id FROM scheduler.task_runs WHERE status = 'RUNNING' AND session_id = %(session_id)s"
_HOLDERS = (
    "SELECT session.pid, session.id FROM scheduler.worker_sessions AS session "
    "WHERE session.state = 'ALIVE' AND (SELECT count(*) FROM scheduler.task_runs AS run "
    "WHERE run.session_id = session.id AND run.status = 'RUNNING') >= %(least)s"
)


def timeouts(cycles: int = 300, at_once: int = 10) -> Figures:
    """Runs with a time-out of 2 s whose jobs fork and leave their group; what lives 1 s after they are TIMEOUT."""
    survivors, slowest = 0, 0.0
    with worker_system(places=at_once) as system:
        system.start_worker()
        system.wait_for_workers(1)
        create_task(system, "tree", TREE, timeout_seconds=2)
        for _ in range(0, cycles, at_once):
            runs = trigger(system, "tree", at_once)
            seconds_until(lambda: len(living(system, runs)) == at_once, 20, "all jobs run")  # noqa: B023 - called at once
            system.wait_until_finished(30)
            began = time.monotonic()
            while left := living(system, runs):
                slowest = max(slowest, time.monotonic() - began)
                if slowest > 1.0:
                    survivors += sum(map(len, left.values()))
                    break
                time.sleep(0.01)
        statuses = dict(system.rows("SELECT status, count(*) FROM scheduler.task_runs GROUP BY status"))
    return {
        "figure": "timeouts",
        "cycles": cycles,
        "statuses": statuses,
        "survivors": survivors,
        "seconds_alive_after_the_end_max": round(slowest, 2),
    }


def kills(cycles: int = 300, workers: int = 3, trees: int = 3) -> Figures:
    """Workers killed with SIGKILL while such jobs run; how long until nothing of their jobs is left."""
    took: list[float] = []
    with worker_system(places=trees) as system:
        create_task(system, "tree", TREE, max_losses=100, timeout_seconds=None)
        processes = {worker.pid: worker for worker in (system.start_worker() for _ in range(workers))}
        system.wait_for_workers(workers)
        trigger(system, "tree", workers * trees + trees)
        for _ in range(cycles):
            pid, runs = _busy_worker(system, set(processes), trees)
            # What another worker has begun meanwhile is not looked at: a process is known by its id.
            doomed = {process for each in living(system, runs).values() for process in each}
            processes.pop(pid).kill()
            took.append(seconds_until(lambda: not _alive(doomed), 30, "all jobs of the killed worker are dead"))  # noqa: B023
            worker = system.start_worker()
            processes[worker.pid] = worker
    return {
        "figure": "kills",
        "cycles": cycles,
        "survivors": sum(seconds > _KILLED_SECONDS_MAX for seconds in took),
        "seconds_p50": round(percentile(took, 0.5), 3),
        "seconds_max": round(max(took), 3),
    }


def freezes(cycles: int = 20) -> Figures:
    """A worker stopped beyond its lease: whether its job was dead before another worker started the run again.

    The job writes a line every 20 ms; two attempts overlap when the later one begins before the last line of the other.
    """
    overlap, accepted = 0.0, 0
    with worker_system(places=1) as system:
        line = 'while true; do echo "$SCHEDULER_RUN_ID $SCHEDULER_ATTEMPT $(date +%s.%N)"; sleep 0.02; done'
        create_task(system, "writer", f"({line}) >> {system.lines}", max_losses=100, timeout_seconds=None)
        workers = {worker.pid: worker for worker in (system.start_worker() for _ in range(2))}
        system.wait_for_workers(2)
        trigger(system, "writer", 1)
        for _ in range(cycles):
            pid, _ = _busy_worker(system, set(workers), 1)
            attempt = system.number("SELECT attempt FROM scheduler.task_runs WHERE status = 'RUNNING'")
            seconds_until(lambda: _lines(system).get(attempt), 20, "the job writes")  # noqa: B023 - called at once
            workers[pid].send(signal.SIGSTOP)
            seconds_until(lambda: _lines(system).get(attempt + 1), 40, "another worker has started it")  # noqa: B023
            workers[pid].send(signal.SIGCONT)
            workers[pid].wait_for_output("session lost", 30)
            system.wait_for_workers(2)
        lines = _lines(system)
        for earlier, later in pairwise(sorted(lines)):
            overlap = max(overlap, lines[earlier][-1] - lines[later][0])
        # What a thawed worker reports of a run that is not its own would show as an end.
        accepted = system.number("SELECT count(*) FROM scheduler.task_runs WHERE completed_at IS NOT NULL")
        attempts = len(lines)
        system.processes.request("POST", "/api/v1/task-runs/1/cancel", {})
    return {
        "figure": "freezes",
        "cycles": cycles,
        "attempts": attempts,
        "overlap_seconds_max": round(max(0.0, overlap), 3),
        "stale_reports_accepted": accepted,
    }


def _busy_worker(system: DispatchSystem, pids: set[int], least: int) -> tuple[int, list[int]]:
    """One of these workers that runs so many jobs, each of them with all its processes; and the runs."""
    deadline = time.monotonic() + 60
    while True:
        for pid, session_id in system.rows(_HOLDERS, least=least):
            runs = [run_id for (run_id,) in system.rows(_BUSY, session_id=session_id)]
            if pid in pids and len(living(system, runs)) >= least:
                return pid, runs
        assert time.monotonic() < deadline, f"no worker runs {least} jobs"
        time.sleep(0.05)


def _alive(pids: set[int]) -> bool:
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - very often
                if file.read().rpartition(b")")[2].split()[0] != b"Z":
                    return True
        except OSError:
            continue
    return False


def _lines(system: DispatchSystem) -> dict[int, list[float]]:
    """The moments that each attempt has written, in order."""
    found: dict[int, list[float]] = {}
    for line in system.lines.read_text().splitlines():
        words = line.split()
        if len(words) == 3:
            found.setdefault(int(words[1]), []).append(float(words[2]))
    return found
