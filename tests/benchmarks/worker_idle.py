"""What a worker costs while there is nothing to do, beside what a Celery worker does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.worker_system import Figures, worker_system
from fixtures.processes import free_port, wait_until

_CELERY = """
from celery import Celery

app = Celery("idle", broker="redis://127.0.0.1:{port}/0")


@app.task
def no_op():
    return None
"""
_REDIS = ("redis-server", "--save", "", "--appendonly", "no", "--bind", "127.0.0.1")


def idle(seconds: float = 20.0, celery: str = "") -> Figures:
    """Memory and wake-ups a second of an idle worker, all its processes, and of a Celery worker with one child.

    `celery` is a Python with celery and redis; without it that half is left out. Memory is the proportional
    set size, so that what processes share counts once.
    """
    figures: Figures = {"figure": "idle"}
    with worker_system(
        places=1, SCHEDULER_WORKER__LEASE_SECONDS="30", SCHEDULER_WORKER__HEARTBEAT_INTERVAL_SECONDS="10"
    ) as system:
        worker = system.start_worker()
        system.wait_for_workers(1)
        figures["worker"] = _cost(worker.pid, seconds)
        if celery:
            directory = system.processes.work_dir
            port = free_port()
            (directory / "idle.py").write_text(_CELERY.format(port=port))
            started = [_start([*_REDIS, "--port", str(port)], directory)]
            try:
                command = [celery, "-m", "celery", "-A", "idle", "worker", "-c", "1", "--loglevel", "ERROR"]
                started.append(_start(command, directory))
                wait_until(lambda: len(_tree(started[1].pid)) > 1, 30, "Celery has its child")
                figures["celery"] = _cost(started[1].pid, seconds)
            finally:
                for process in reversed(started):
                    process.send_signal(signal.SIGTERM)
                    process.wait(30)
    return figures


def _start(command: list[str], directory: Path) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "C_FORCE_ROOT": "1"}
    silent = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=directory, env=environment, stdin=silent, stdout=silent, stderr=silent)


def _cost(pid: int, seconds: float) -> Figures:
    time.sleep(seconds / 4)  # what is done once at the start
    pids = _tree(pid)
    before, began = _switches(pids), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return {
        "processes": len(pids),
        "memory_mib": round(sum(map(_proportional_mib, pids)), 1),
        "wakeups_per_s": round((_switches(pids) - before) / took, 1),
    }


def _tree(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        for thread in Path(f"/proc/{each}/task").glob("*"):
            found += map(int, (thread / "children").read_text().split())
    return found


def _switches(pids: Iterable[int]) -> int:
    total = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*"):
            (line,) = [row for row in (thread / "status").read_text().splitlines() if row.startswith("voluntary_")]
            total += int(line.split()[1])
    return total


def _proportional_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} tells no memory")


def find_celery() -> str:
    """The Python of an environment with Celery, made where BENCHMARK_CELERY names one that is not there yet."""
    directory = Path(os.environ.get("BENCHMARK_CELERY", ".tools/celery")).absolute()
    python = directory / "bin" / "python"
    if not python.exists():
        uv = subprocess.run(["bash", ".ci/find_uv.sh"], check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(directory)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), "celery[redis]"], check=True)
    return str(python)
