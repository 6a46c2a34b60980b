"""The quickstart as its page tells it: `scheduler up`, apply, and a pipeline that runs on its schedule."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
SCHEDULER = Path(sys.executable).with_name("scheduler")
TASKS = ("extract", "countries", "report")


class Quickstart:
    """A running system of its own, and the `scheduler` command beside it."""

    def __init__(self, directory: Path, environment: dict[str, str], process: subprocess.Popen[bytes]) -> None:
        self.directory = directory
        self.environment = environment
        self.process = process

    def scheduler(self, *words: str, code: int = 0) -> str:
        """Type a command, check its exit code, and return what it wrote to stdout."""
        ran = subprocess.run(
            [SCHEDULER, *words], cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert ran.returncode == code, f"{words} ended with {ran.returncode}: {ran.stderr}"
        return ran.stdout

    def runs(self, task: str) -> list[dict[str, Any]]:
        """The runs of a task, newest first."""
        found: list[dict[str, Any]] = json.loads(self.scheduler("run", "list", "--task", task, "-o", "json"))["items"]
        return found


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait until a condition holds; False when the limit passes or the process ends first."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit or process.poll() is not None:
            return condition()
        time.sleep(0.1)
    return True


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quickstart]:
    """`scheduler up` with a new state directory, as `make run` starts it, and the quickstart's tasks applied."""
    directory = tmp_path_factory.mktemp("quickstart")
    # The embedded server runs under another uid when root starts it, which has to pass pytest's private directories.
    for parent in [directory, *directory.parents][:4]:
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o011)
    state = directory / "state"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("SCHEDULER_") and name != "NO_COLOR"
    } | {
        "SCHEDULER_STATE_DIR": str(state),
        "SCHEDULER_API__BIND_ADDRESS": "127.0.0.1:0",
        "SCHEDULER_WORKER__ALLOW_ROOT": "true",
        "PYTHONPATH": str(QUICKSTART),
    }
    log = directory / "up.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [SCHEDULER, "up"], cwd=directory, env=environment, stdout=file, stderr=subprocess.STDOUT
        )
    system = Quickstart(directory, environment, process)
    try:
        assert wait_for(lambda: is_ready(system), process, 90), log.read_text(errors="replace")
        system.scheduler("task", "apply", str(QUICKSTART / "tasks.toml"))
        yield system
    finally:
        stop(process)


def is_ready(system: Quickstart) -> bool:
    """Whether the server answers and says that all its parts work."""
    words: Sequence[str | Path] = [SCHEDULER, "status", "--quiet"]
    ran = subprocess.run(words, cwd=system.directory, env=system.environment, capture_output=True, timeout=60)
    return ran.returncode == 0


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the system as Ctrl-C does."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def test_quickstart_first_slot_completes_with_its_flow(quickstart: Quickstart) -> None:
    """Within 90 s the first slot and the two tasks after it are COMPLETED, and the files on disk hold together."""
    assert wait_for(
        lambda: any(run["status"] == "COMPLETED" for run in quickstart.runs("report")), quickstart.process, 90
    ), {task: quickstart.runs(task) for task in TASKS}
    last = next(run for run in quickstart.runs("report") if run["status"] == "COMPLETED")
    flow = {task: [run for run in quickstart.runs(task) if run["flow_id"] == last["flow_id"]] for task in TASKS}
    assert [[run["status"] for run in flow[task]] for task in TASKS] == [["COMPLETED"]] * 3
    extract, countries, report = (flow[task][0] for task in TASKS)
    assert extract["trigger"] == "SCHEDULE"
    assert extract["scheduled_at"].rstrip("Z").partition("+")[0].endswith(":00")
    assert extract["completed_at"] <= countries["started_at"]
    assert countries["completed_at"] <= report["started_at"]
    assert extract["result"]["countries"] == countries["result"]["countries"]
    out = quickstart.directory / ".state" / "quickstart"
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=out, check=True, capture_output=True)
    assert quickstart.scheduler("run", "logs", str(report["id"])) == (out / "summary.txt").read_text()


def test_quickstart_apply_again_changes_nothing(quickstart: Quickstart) -> None:
    """Applying the same file again leaves every task as it is."""
    before = [json.loads(quickstart.scheduler("task", "show", task, "-o", "json"))["version"] for task in TASKS]
    told = quickstart.scheduler("task", "apply", str(QUICKSTART / "tasks.toml"))
    assert [line.split("\t")[:2] for line in told.splitlines()[1:]] == [[task, "unchanged"] for task in TASKS]
    after = [json.loads(quickstart.scheduler("task", "show", task, "-o", "json"))["version"] for task in TASKS]
    assert before == after


def test_quickstart_trigger_runs_at_once_and_waits(quickstart: Quickstart) -> None:
    """A triggered run completes without waiting for the minute, and its log is what it printed."""
    run = json.loads(quickstart.scheduler("task", "trigger", "extract", "--wait", "--timeout", "60", "-o", "json"))
    assert (run["status"], run["trigger"]) == ("COMPLETED", "MANUAL")
    assert "all checked" in quickstart.scheduler("run", "logs", str(run["id"]), "--follow")


def test_quickstart_broken_table_fails_and_stops_the_flow(quickstart: Quickstart, tmp_path: Path) -> None:
    """A broken table makes a FAILED run that names the line, exit code 10, and SKIPPED runs behind it."""
    (tmp_path / "iso3166.tab").write_text("ad\tAndorra\n")
    for table in ("zone.tab", "zone1970.tab"):
        (tmp_path / table).write_text("")
    kwargs = {"directory": str(tmp_path / "out"), "tables": str(tmp_path)}
    words = ("task", "trigger", "extract", "--params", json.dumps({"kwargs": kwargs}), "--wait", "-o", "json")
    run = json.loads(quickstart.scheduler(*words, code=10))
    assert run["status"] == "FAILED"
    assert "iso3166.tab, line 1" in run["error"]

    def skipped() -> bool:
        runs = [run_ for task in TASKS[1:] for run_ in quickstart.runs(task) if run_["flow_id"] == run["flow_id"]]
        return [run_["status"] for run_ in runs] == ["SKIPPED", "SKIPPED"]

    assert wait_for(skipped, quickstart.process, 30)
