"""Lives of runs: on schedule, by hand, retried, in a chain, drained."""

import os
import signal
from datetime import datetime, timedelta
from itertools import pairwise

from fixtures.job_lines import JobLine
from fixtures.processes import wait_until
from fixtures.site import Site
from fixtures.worker import processes_with


def test_cron_run_fires_every_second_once(site: Site) -> None:
    """D3, D4: a task that has never run fires at its first slot, then at every one, and each slot runs once."""
    site.start()
    task = site.create_task("tick", schedule="* * * * * *", timezone="Europe/Berlin")
    wait_until(lambda: len(site.lines.read()) >= 5, 30, "five lines", describe=lambda: str(site.lines.read()))
    site.processes.request("POST", f"/api/v1/tasks/{task['id']}/pause")
    runs = site.processes.request("GET", f"/api/v1/tasks/{task['id']}/runs?limit=100").body["items"]
    slots = sorted(datetime.fromisoformat(run["scheduled_at"]) for run in runs)
    assert all(later - earlier == timedelta(seconds=1) for earlier, later in pairwise(slots))
    for run in runs:
        site.processes.wait_for_run(run["id"], "COMPLETED", "PENDING", "CANCELLED")
    assert set(site.lines.starts().values()) == {1}


def test_manual_trigger_runs_at_once(site: Site) -> None:
    """D5: a triggered run starts without any schedule, and its output and result can be read."""
    site.start()
    site.create_task("hello", parameters={"command": ["echo", "hello; rm -rf $(x) | &"]})
    run = site.processes.wait_for_run(site.trigger("hello"))
    assert (run["attempt"], run["worker_id"], run["result"]) == (1, "worker-1", {"exit_code": 0})
    logs = site.processes.request("GET", f"/api/v1/task-runs/{run['id']}/logs").body["items"]
    assert "".join(entry["content"] for entry in logs) == "hello; rm -rf $(x) | &\n"


def test_failed_run_is_told_with_its_exit_code(site: Site) -> None:
    """D9: a job that ends with another code than 0 is FAILED, never COMPLETED."""
    site.start()
    site.create_task("bad", parameters={"command": ["sh", "-c", "exit 3"]})
    run = site.processes.wait_for_run(site.trigger("bad"), "FAILED", "COMPLETED")
    assert run["status"] == "FAILED"
    assert "3" in run["error"]


def test_retry_goes_on_until_the_job_succeeds(site: Site) -> None:
    """A job that fails twice and then succeeds is COMPLETED at its third attempt."""
    site.start()
    third = f"test $(wc -l < {site.lines.path}) -ge 3"
    site.create_task(
        "flaky",
        parameters=site.lines.parameters(third),
        max_retries=5,
        retry={"delay_seconds": 0.2, "multiplier": 1.0, "max_delay_seconds": 1.0, "jitter": 0.0},
    )
    run = site.processes.wait_for_run(site.trigger("flaky"))
    assert (run["attempt"], run["failures"]) == (3, 2)
    assert site.lines.read() == [JobLine(run["id"], attempt) for attempt in (1, 2, 3)]


def test_time_out_kills_the_job_and_is_told(site: Site) -> None:
    """D10: a job that outlives its time-out is stopped with its children and its run is TIMEOUT."""
    site.start()
    here, apart = (f"{seconds}.{os.getpid()}" for seconds in (60, 61))
    site.create_task(
        "slow", parameters={"command": f"setsid sleep {apart} & sleep {here}", "shell": True}, timeout_seconds=1
    )
    run_id = site.trigger("slow")
    wait_until(lambda: processes_with(here) and processes_with(apart), 20, "the job and its child run")
    run = site.processes.wait_for_run(run_id, "TIMEOUT", "COMPLETED", "FAILED")
    assert run["status"] == "TIMEOUT"
    assert processes_with(here) + processes_with(apart) == []


def test_cancel_stops_a_running_job(site: Site) -> None:
    """D8: a cancelled run's process is gone and its status is CANCELLED."""
    site.start()
    seconds = f"62.{os.getpid()}"
    site.create_task("long", parameters=site.lines.parameters(f"sleep {seconds}; true"))
    run_id = site.trigger("long")
    wait_until(lambda: processes_with(seconds), 20, "the job runs")
    site.processes.request("POST", f"/api/v1/task-runs/{run_id}/cancel")
    site.processes.wait_for_run(run_id, "CANCELLED", seconds=5)
    assert processes_with(seconds) == []


def test_dependency_chain_runs_in_order_and_stops_at_a_failure(site: Site) -> None:
    """Each task starts after its upstream completed; what follows a failure is skipped with the reason."""
    site.start()
    order = site.processes.work_dir / "order"
    for name, upstreams, command in (
        ("a", [], f"sleep 0.3; echo a >> {order}"),
        ("b", ["a"], f"echo b >> {order}"),
        ("c", ["b"], f"echo c >> {order}; exit 1"),
        ("d", ["c"], f"echo d >> {order}"),
    ):
        site.create_task(name, dependencies=upstreams, parameters={"command": command, "shell": True})
    flow = site.trigger("a")

    def runs() -> dict[str, dict[str, str]]:
        items = site.processes.request("GET", f"/api/v1/task-runs?flow_id={flow}").body["items"]
        return {run["task_name"]: run for run in items}

    wait_until(lambda: runs()["d"]["status"] == "SKIPPED", 30, "d is SKIPPED", describe=lambda: str(runs()))
    assert [runs()[name]["status"] for name in "abc"] == ["COMPLETED", "COMPLETED", "FAILED"]
    assert order.read_text().split() == ["a", "b", "c"]
    assert "FAILED" in runs()["d"]["error"]


def test_drain_finishes_what_runs_and_takes_nothing_new(site: Site) -> None:
    """On SIGTERM a worker ends the job it has, leaves the rest to others, and exits with 0."""
    site.start(workers=1)
    first = site.processes.started[-1]
    site.create_task("work", parameters=site.lines.parameters("sleep 2"))
    running = site.trigger("work")
    wait_until(lambda: site.lines.read(), 20, "the job has started")
    first.send(signal.SIGTERM)
    second = site.trigger("work")
    assert first.wait(20) == 0
    assert site.processes.wait_for_run(running)["attempt"] == 1
    site.start_worker("worker-2")
    assert site.processes.wait_for_run(second)["worker_id"] == "worker-2"
    assert set(site.lines.starts().values()) == {1}


def test_drain_hands_back_what_does_not_end_in_time(site: Site) -> None:
    """After drain_seconds a worker stops its jobs and gives their runs to others."""
    site.start(workers=0)
    first = site.start_worker("worker-1", SCHEDULER_WORKER__DRAIN_SECONDS="1")
    site.wait_for_workers(1)
    site.create_task("work", parameters=site.lines.parameters("test $SCHEDULER_ATTEMPT -gt 1 || sleep 60"))
    run_id = site.trigger("work")
    wait_until(lambda: site.lines.read(), 20, "the job has started")
    assert first.stop(20) == 0
    site.start_worker("worker-2")
    run = site.processes.wait_for_run(run_id)
    assert (run["attempt"], run["losses"], run["failures"], run["worker_id"]) == (2, 0, 0, "worker-2")
