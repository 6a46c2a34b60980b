"""Settings that change while everything runs."""

import json
import signal
from typing import Any

import pytest

from fixtures.ledger import assert_ledger_is_clean
from fixtures.processes import RunningProcess, SchedulerProcesses, wait_until
from fixtures.site import Site

LIVE = "[observability]\nlog_level = {level}\n\n[worker]\nmax_concurrent_tasks = {places}\nlease_seconds = {lease}\n"


def write(processes: SchedulerProcesses, *, places: object = 1, level: str = '"WARNING"', lease: float = 6.0) -> None:
    """Write the configuration file."""
    text = LIVE.format(places=places, level=level, lease=lease)
    (processes.config_dir / "scheduler.toml").write_text(text)


def reload(processes: SchedulerProcesses, *, code: int = 0) -> tuple[list[dict[str, Any]], str]:
    """The documents of `scheduler config reload` and what it says beside them."""
    done = processes.run("config", "reload", "-o", "json")
    assert done.returncode == code, done.stderr
    documents: list[dict[str, Any]] = json.loads(done.stdout)
    return documents, done.stderr


def running_at_once(processes: SchedulerProcesses) -> int:
    """How many runs run now."""
    items = processes.request("GET", "/api/v1/task-runs?status=RUNNING").body["items"]
    return len(items)


def places(processes: SchedulerProcesses) -> int:
    """How many places the one worker has, as the others see it."""
    (worker,) = processes.request("GET", "/api/v1/workers").body["items"]
    found: int = worker["places"]
    return found


@pytest.mark.timeout(180)
def test_config_reload_changes_places_and_log_level_while_everything_runs(
    scheduler_processes: SchedulerProcesses,
) -> None:
    """More runs are taken at once, fewer end none, the log follows, and what needs a restart or is wrong is told."""
    processes = scheduler_processes
    processes.environment["SCHEDULER_WORKER__HEARTBEAT_INTERVAL_SECONDS"] = "2"
    processes.environment["SCHEDULER_WORKER__DRAIN_SECONDS"] = "0"
    write(processes)
    up = processes.start_up()
    nap = {"name": "nap", "task_type": "shell", "parameters": {"command": ["sleep", "30"]}}
    assert processes.request("POST", "/api/v1/tasks", nap).status == 201
    for _ in range(4):
        assert processes.request("POST", "/api/v1/tasks/nap/trigger", {}).status == 201
    wait_until(lambda: running_at_once(processes) == 1, 20, "one run runs")

    write(processes, places=3)
    (document,), _ = reload(processes)
    assert (document["pid"], document["components"][0], document["outcome"]) == (up.pid, "postgresql", "reloaded")
    assert document["settings"] == [{"key": "worker.max_concurrent_tasks", "old": 1, "new": 3, "outcome": "applied"}]
    wait_until(lambda: running_at_once(processes) == 3, 20, "three runs run")
    wait_until(lambda: places(processes) == 3, 20, "the new places are known")

    write(processes, places=0)
    (document,), told = reload(processes, code=2)
    assert document["outcome"] == "refused"
    assert "worker.max_concurrent_tasks cannot be 0" in told
    assert str(processes.config_dir / "scheduler.toml") in told

    write(processes, places=2, level='"INFO"', lease=9.0)
    (document,), told = reload(processes)
    outcomes = {setting["key"]: setting["outcome"] for setting in document["settings"]}
    assert outcomes == {
        "observability.log_level": "applied",
        "worker.max_concurrent_tasks": "applied",
        "worker.lease_seconds": "needs restart",
    }
    assert "from the next start on: worker.lease_seconds" in told
    wait_until(lambda: places(processes) == 2, 20, "fewer places are known")
    assert running_at_once(processes) == 3
    for line in (
        "configuration not reloaded; the old one goes on: worker.max_concurrent_tasks cannot be 0",
        "reloaded: observability.log_level from 'WARNING' to 'INFO'; worker.max_concurrent_tasks from 3 to 2",
        "these settings need a restart: worker.lease_seconds from 6.0 to 9.0",
    ):
        up.wait_for_output(line, 20)
    assert '"level":"info"' not in up.output.partition("configuration reloaded")[0]
    assert_ledger_is_clean(processes)
    assert up.stop() == 0
    assert '"event":"draining"' in up.output


@pytest.mark.timeout(180)
def test_config_reload_reaches_every_process_and_none_that_has_gone(site: Site) -> None:
    """Each script answers for what concerns it, the strategy changes, and records go with their processes."""
    processes = site.processes
    (processes.config_dir / "scheduler.toml").write_text('[dispatcher]\nstrategy = "shared"\n')
    site.start(workers=1)
    dispatcher, worker = processes.started[-2:]
    (processes.config_dir / "scheduler.toml").write_text('[dispatcher]\nstrategy = "least_loaded"\n')
    for process, line in ((dispatcher, "dispatcher ready"), (worker, "worker ready")):
        process.wait_for_output(line)
    found = {document["pid"]: document["settings"] for document in reload(processes)[0]}
    changed = [{"key": "dispatcher.strategy", "old": "shared", "new": "least_loaded", "outcome": "applied"}]
    assert found == {processes.started[0].pid: [], dispatcher.pid: changed, worker.pid: []}

    worker.kill()
    dispatcher.stop()
    assert [document["pid"] for document in reload(processes)[0]] == [processes.started[0].pid]
    assert_ledger_is_clean(processes)
    processes.started[0].stop()
    done = processes.run("config", "reload")
    assert done.returncode == 3
    assert f"for the state directory {processes.state_dir}" in done.stderr


@pytest.mark.timeout(120)
def test_hangup_of_one_process_reads_its_configuration_again(site: Site) -> None:
    """What a service supervisor sends for a reload ends nothing, and a stop still drains."""
    site.start(workers=0)
    worker = site.start_worker("worker-1")
    worker.wait_for_output("worker ready")
    write(site.processes, places=7, level='"INFO"')
    hang_up(worker)
    worker.wait_for_output("configuration reloaded: worker.max_concurrent_tasks from 10 to 7", 20)
    wait_until(lambda: places(site.processes) == 7, 20, "the new places are known")
    assert worker.stop() == 0


def hang_up(process: RunningProcess) -> None:
    """Send what means: read your configuration again."""
    process.send(signal.SIGHUP)
