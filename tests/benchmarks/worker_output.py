"""Jobs that print much: followed live without loss, and without costing the worker memory."""

import re
import sys
import time
from pathlib import Path

from benchmarks.worker_system import Figures, create_task, trigger, worker_system

_PRINTING = """
import sys, time
per_second, seconds = int(sys.argv[1]), float(sys.argv[2])
began, printed, total = time.monotonic(), 0, int(per_second * seconds)
while printed < total:
    due = min(total, int((time.monotonic() - began + 0.01) * per_second))
    now = f"{time.time():.3f}"
    sys.stdout.write("".join(f"line {number} {now} of a job that prints a lot\\n" for number in range(printed, due)))
    sys.stdout.flush()
    printed = due
    time.sleep(0.01)
"""


def lines(per_second: int = 10_000, seconds: float = 10.0) -> Figures:
    """A job prints so many lines a second while `scheduler run logs --follow` reads them."""
    total = int(per_second * seconds)
    with worker_system(SCHEDULER_WORKER__OUTPUT_LIMIT_BYTES="134217728") as system:
        system.start_worker()
        system.wait_for_workers(1)
        program = system.processes.work_dir / "printing.py"
        program.write_text(_PRINTING)
        create_task(system, "printing", f"{sys.executable} {program} {per_second} {seconds}")
        (run_id,) = trigger(system, "printing", 1)
        follower = system.processes.start("scheduler", "run", "logs", str(run_id), "--follow")
        last_seen = 0.0
        delays = []
        deadline = time.monotonic() + 60 + 10 * seconds
        while follower.is_running:
            assert time.monotonic() < deadline, f"the follower has not ended: {_tail(follower.log)}"
            numbers = re.findall(r"^line (\d+) ([\d.]+)", _tail(follower.log), re.MULTILINE)
            if numbers and float(numbers[-1][1]) != last_seen:
                last_seen = float(numbers[-1][1])
                delays.append(time.time() - last_seen)
            time.sleep(0.05)
        found = [int(number) for number in re.findall(r"^line (\d+) ", follower.output, re.MULTILINE)]
    return {
        "figure": "lines",
        "lines_per_s": per_second,
        "printed": total,
        "followed": len(found),
        "lost": total - len(set(found)),
        "in_order": found == sorted(found),
        "delay_seconds_median": round(sorted(delays)[len(delays) // 2], 2) if delays else None,
        "delay_seconds_max": round(max(delays), 2) if delays else None,
    }


def flood(megabytes: int = 1024) -> Figures:
    """By how much the worker's memory grows at most while a job prints so much."""
    with worker_system() as system:
        worker = system.start_worker()
        system.wait_for_workers(1)
        create_task(system, "warm", "seq 100000")
        create_task(system, "flood", f"yes 'a line of a job that does not stop printing' | head -c {megabytes}M")
        trigger(system, "warm", 1)
        system.wait_until_finished()
        before = memory_of(worker.pid)
        most = before
        trigger(system, "flood", 1)
        deadline = time.monotonic() + 60 + megabytes
        while system.has_unfinished():
            assert time.monotonic() < deadline, "the job has not ended"
            most = max(most, memory_of(worker.pid))
            time.sleep(0.02)
        status, kept = system.rows(
            "SELECT run.status, (SELECT sum(length(content)) FROM scheduler.task_run_logs WHERE run_id = run.id) "
            "FROM scheduler.task_runs AS run ORDER BY id DESC LIMIT 1"
        )[0]
    return {
        "figure": "flood",
        "megabytes": megabytes,
        "status": status,
        "kept_bytes": int(kept),
        "memory_before_mib": round(before),
        "memory_grew_mib": round(most - before, 1),
    }


def _tail(file: Path, size: int = 4096) -> str:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - size))
        return opened.read().decode(errors="replace")


def memory_of(pid: int) -> float:
    """MiB that the process holds in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1024 / 1024
