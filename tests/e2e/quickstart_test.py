"""The quickstart as its page tells it: `scheduler up`, apply, and a pipeline that runs on its schedule."""

import json
import subprocess
from pathlib import Path
from typing import Any

from fixtures.processes import RunningProcess, SchedulerProcesses, wait_until

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
TASKS = ("extract", "countries", "report")
FIRST_SLOT_SECONDS_MAX = 90


def start_quickstart(processes: SchedulerProcesses) -> RunningProcess:
    """Start everything as `make run` does, and apply the tasks: each of them is created."""
    started = processes.start_up(env={"PYTHONPATH": str(QUICKSTART)})
    assert apply(processes) == [[task, "created"] for task in TASKS]
    return started


def apply(processes: SchedulerProcesses) -> list[list[str]]:
    """Apply the task file; the name of each task and what happened to it."""
    applied = processes.run("task", "apply", str(QUICKSTART / "tasks.toml"))
    assert applied.returncode == 0, applied.stderr
    return [line.split("\t")[:2] for line in applied.stdout.splitlines()[1:]]


def runs_of(processes: SchedulerProcesses, task: str, flow_id: int | None = None) -> list[dict[str, Any]]:
    """The runs of a task, newest first, of one flow or of all."""
    runs: list[dict[str, Any]] = processes.run_json("run", "list", "--task", task)["items"]
    return [run for run in runs if flow_id in (None, run["flow_id"])]


def test_quickstart_first_slot_completes_with_its_flow(scheduler_processes: SchedulerProcesses) -> None:
    """Within 90 s of ready the first slot's three runs are COMPLETED in order, and their files hold together."""
    start_quickstart(scheduler_processes)
    reports = wait_until(
        lambda: [run for run in runs_of(scheduler_processes, "report") if run["status"] == "COMPLETED"],
        FIRST_SLOT_SECONDS_MAX,
        "a report is COMPLETED",
        describe=lambda: json.dumps([runs_of(scheduler_processes, task) for task in TASKS], indent=1),
    )
    flow = [runs_of(scheduler_processes, task, reports[-1]["flow_id"]) for task in TASKS]
    assert [[run["status"] for run in runs] for runs in flow] == [["COMPLETED"]] * 3
    extract, countries, report = (runs[0] for runs in flow)
    assert extract["trigger"] == "SCHEDULE"
    assert extract["completed_at"] <= countries["started_at"] < countries["completed_at"] <= report["started_at"]
    assert extract["result"]["countries"] == countries["result"]["countries"]

    out = scheduler_processes.work_dir / ".state" / "quickstart"
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=out, check=True, capture_output=True)
    assert scheduler_processes.run("run", "logs", str(report["id"])).stdout == (out / "summary.txt").read_text()

    assert apply(scheduler_processes) == [[task, "unchanged"] for task in TASKS]


def test_quickstart_broken_table_fails_and_stops_its_flow(scheduler_processes: SchedulerProcesses) -> None:
    """A broken table is a FAILED run that names the line, exit code 10, and SKIPPED runs behind it."""
    start_quickstart(scheduler_processes)
    tables = scheduler_processes.work_dir / "tables"
    tables.mkdir()
    (tables / "iso3166.tab").write_text("ad\tAndorra\n")
    for table in ("zone.tab", "zone1970.tab"):
        (tables / table).write_text("")
    parameters = json.dumps({"kwargs": {"directory": str(tables / "out"), "tables": str(tables)}})
    triggered = scheduler_processes.run(
        "task", "trigger", "extract", "--params", parameters, "--wait", "--timeout", "30", "-o", "json"
    )
    assert triggered.returncode == 10, triggered.stderr
    run = json.loads(triggered.stdout)
    assert (run["status"], run["trigger"]) == ("FAILED", "MANUAL")
    assert "iso3166.tab, line 1" in run["error"]
    wait_until(
        lambda: all(
            [behind["status"] for behind in runs_of(scheduler_processes, task, run["flow_id"])] == ["SKIPPED"]
            for task in TASKS[1:]
        ),
        30,
        "what waits for the failed run is SKIPPED",
    )
    assert not (tables / "out" / "zones.json").exists()
