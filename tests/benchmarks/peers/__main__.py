"""One system, one workload: `python -m benchmarks.peers pgqueuer W1-bulk`; JSON lines on stdout.

All of it lives in a temporary folder with ports of its own, and is ended whatever happens.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.catalogue import PEERS, SCHEDULES, W1_BULK, W1_EIGHT, W1_ONE, W3_DUE, WORKLOADS
from benchmarks.peers.environments import ROOT, python_of
from benchmarks.peers.servers import running_servers
from benchmarks.results import error_line, result_line
from benchmarks.time_limits import hear_signals
from benchmarks.workloads.figure import QUICK
from fixtures.processes import SchedulerProcesses

_SECONDS = 300
_QUICK_JOBS = 200


def main() -> None:
    """Measure and print; exit code 1 after a line with the error when there are no figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("system", choices=PEERS)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("-n", type=int, default=0, help="jobs of a throughput workload, schedules of W3")
    parser.add_argument("--quick", action="store_true", help="few of them, to see that it works")
    parser.add_argument("--seconds", type=int, default=_SECONDS, help=f"when it is given up ({_SECONDS})")
    chosen = parser.parse_args()
    hear_signals()
    try:
        sizes = (chosen.n,) if chosen.n else default_sizes(chosen.system, chosen.workload, is_quick=chosen.quick)
        measure(chosen.system, chosen.workload, sizes, chosen.seconds)
    except (RuntimeError, AssertionError, OSError) as error:
        print(error_line(chosen.workload, str(error), 1, system=chosen.system), flush=True)
        sys.exit(1)


def measure(system: str, workload: str, sizes: Sequence[int], seconds: float) -> None:
    """Print a line for each figure; RuntimeError says why there is none."""
    entry = PEERS[system]
    if workload not in entry.workloads:
        raise RuntimeError(f"{system} has no {workload}: it has {', '.join(entry.workloads)}")
    python = python_of(entry.environment)
    for size in sizes:
        for metric, value, unit in measured(system, workload, python, size, seconds):
            facts = {"n": size} if size else {}
            line = result_line(workload, metric, value, unit, 1, system=system, **facts)
            print(line, flush=True)


def measured(system: str, workload: str, python: Path, jobs: int, seconds: float) -> list[tuple[str, float, str]]:
    """The name, value and unit of each figure, with new servers that are gone afterwards."""
    entry = PEERS[system]
    directory = Path(tempfile.mkdtemp(prefix="scheduler-peer-", dir="/tmp"))
    processes = SchedulerProcesses(directory)
    try:
        with running_servers(processes, entry.servers) as told:
            told |= {"PEER_SYSTEM": system, "PEER_WORKLOAD": workload, "PYTHONPATH": str(ROOT / "tests"), "TZ": "UTC"}
            output = directory / "figures.jsonl"
            command = [str(python), "-m", "benchmarks.peers.drive", entry.module, workload]
            command += ["--jobs", str(jobs), "--folder", str(processes.work_dir), "--out", str(output)]
            driver = processes.start(*command, name="drive", env=told)
            try:
                if driver.wait(seconds) != 0:
                    raise RuntimeError(driver.output.strip()[-1000:])
            finally:
                # Before the servers go: it ends the workers, which would else complain.
                driver.stop()
            figures = [json.loads(line) for line in output.read_text().splitlines()]
            return [(figure["metric"], figure["value"], figure["unit"]) for figure in figures]
    finally:
        processes.end_all()
        shutil.rmtree(directory, ignore_errors=True)


def default_sizes(system: str, workload: str, *, is_quick: bool = False) -> tuple[int, ...]:
    """How many jobs or schedules, one measurement for each; of jobs, as many as each system does in some seconds."""
    if workload == W3_DUE:
        return QUICK.due if is_quick else SCHEDULES
    entry = PEERS[system]
    if is_quick:
        entry = entry._replace(jobs=_QUICK_JOBS, jobs_singly=_QUICK_JOBS)
    return ({W1_BULK: entry.jobs, W1_ONE: entry.jobs_singly, W1_EIGHT: entry.jobs_singly}.get(workload, 0),)


if __name__ == "__main__":
    main()
