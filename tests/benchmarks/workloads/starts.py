"""W5: how soon processes are there: those that only import, and a worker for which a run waits."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.workloads.bench_system import bench_system
from benchmarks.workloads.figure import Figure, Size
from benchmarks.workloads.start_marks import JOB

_IMPORTS = {
    "import_ms": "import scheduler_api.client.commands",
    "import_worker_ms": "import scheduler_worker.component, scheduler_worker.worker_service",
    "python_ms": "pass",
}
_PROCESS_STARTS = 10


def imports(size: Size) -> Iterator[Figure]:
    """Whole processes: what the client commands are, what a worker is, and bare Python; the best of ten."""
    taken: dict[str, list[float]] = {name: [] for name in _IMPORTS}
    for _ in range(_PROCESS_STARTS):
        for name, statement in _IMPORTS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True, timeout=60)
            taken[name].append((time.perf_counter() - began) * 1000)
    for name, times in taken.items():
        yield Figure(name, min(times), "ms", {"median": round(statistics.median(times), 1)})


def cold_start(size: Size) -> Iterator[Figure]:
    """From the start of a worker's process to the body and to the recorded end of a run that has waited for it."""
    begun, finished = [], []
    with bench_system(workers=0) as bench:
        task_id = bench.create_task("mark", JOB)
        for _ in range(size.starts):
            (run_id,) = bench.trigger("mark", 1)
            after, began = run_id - 1, time.time()
            worker = bench.system.start_worker()
            finished.append(bench.recount(task_id, after, 1, 60).ended - began)
            begun.append(bench.marks.seconds(run_id) - began)
            worker.stop()
    yield Figure("cold_start_s", statistics.median(begun), "s", {"starts": size.starts})
    yield Figure("cold_start_to_finished_s", statistics.median(finished), "s", {"starts": size.starts})
