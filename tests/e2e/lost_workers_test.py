"""Workers that freeze, that are killed by their own jobs, and that nothing takes their session from."""

import os
import signal
import time
from datetime import datetime
from pathlib import Path

from fixtures.job_lines import JobLine
from fixtures.processes import wait_until
from fixtures.site import QUICK_LEASE, Site

MAX_LOSSES = 2
# A dispatcher looks for dead workers every 2.5 seconds.
_SCANS_SECONDS = 4.0
LEASE_SECONDS = float(QUICK_LEASE["SCHEDULER_WORKER__LEASE_SECONDS"])


def test_frozen_worker_changes_nothing_when_it_thaws(site: Site) -> None:
    """A worker that was stopped beyond its lease reports and logs nothing of a run that another has finished.

    Its job ends while it is frozen, so that it thaws with an outcome and with output that it believes to be its own.
    """
    site.start(workers=1)
    frozen = site.processes.started[-1]
    gate = site.processes.work_dir / "gate"
    ended = site.processes.work_dir / "ended"
    site.create_task(
        "long",
        parameters=site.lines.parameters(
            f'test "$SCHEDULER_ATTEMPT" -gt 1 && echo second && exit 0; until test -e {gate}; do sleep 0.1; done; '
            f"echo first; touch {ended}; exit 7"
        ),
    )
    run_id = site.trigger("long")
    wait_until(lambda: site.lines.read(), 20, "the job has started")
    frozen.send(signal.SIGSTOP)
    gate.touch()
    wait_until(ended.exists, 20, "the job has ended behind its frozen worker's back")
    site.start_worker("worker-2")
    done = site.processes.wait_for_run(run_id, seconds=LEASE_SECONDS + 20)

    frozen.send(signal.SIGCONT)
    frozen.wait_for_output("session lost", 20)
    wait_until(lambda: site.workers_alive() == {"worker-1", "worker-2"}, 20, "the thawed worker begins anew")

    run = site.processes.request("GET", f"/api/v1/task-runs/{run_id}").body
    assert run == done
    assert (run["worker_id"], run["attempt"], run["losses"], run["failures"]) == ("worker-2", 2, 1, 0)
    assert run["result"] == {"exit_code": 0}
    assert site.lines.read() == [JobLine(run_id, 1), JobLine(run_id, 2)]
    logs = site.processes.request("GET", f"/api/v1/task-runs/{run_id}/logs").body
    assert [(entry["attempt"], entry["content"]) for entry in logs["items"]] == [(2, "second\n")]


def test_a_killed_workers_run_begins_again_when_its_job_has_ended(site: Site) -> None:
    """A dispatcher of the same host knows at once that the worker is dead, and waits until what it ran is dead, too.

    Who ends that is held back here for longer than it takes a dispatcher to look, and less than the lease.
    """
    site.processes.environment["SCHEDULER_WORKER__LEASE_SECONDS"] = "60"
    site.start(workers=1)
    worker = site.processes.started[-1]
    beats = site.processes.work_dir / "beats"
    site.create_task(
        "beating",
        parameters=site.lines.parameters(
            f'test "$SCHEDULER_ATTEMPT" -gt 1 && exit 0; while sleep 0.05; do date +%s.%N > {beats}; done'
        ),
    )
    run_id = site.trigger("beating")
    wait_until(beats.exists, 20, "the job runs")
    # Not later: a worker that starts ends itself what dead ones have left.
    site.start_worker("worker-2")
    site.wait_for_workers(2)
    (guard,) = (int(pid) for pid in Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split())
    os.kill(guard, signal.SIGSTOP)
    try:
        worker.kill()
        time.sleep(_SCANS_SECONDS)
        assert site.lines.read() == [JobLine(run_id, 1)]
        assert site.workers_alive() == {"worker-1", "worker-2"}
    finally:
        os.kill(guard, signal.SIGCONT)

    run = site.processes.wait_for_run(run_id, seconds=20)

    assert (run["attempt"], run["losses"], run["worker_id"]) == (2, 1, "worker-2")
    assert site.lines.read() == [JobLine(run_id, 1), JobLine(run_id, 2)]
    assert float(beats.read_text()) < datetime.fromisoformat(run["started_at"]).timestamp()


def test_run_that_kills_its_workers_is_quarantined(site: Site) -> None:
    """A run that costs a worker at each start is started max_losses times and no more; then others work on.

    The evidence tells of each loss, and with it the run is released: the new one takes its place.
    """
    site.start(workers=1)
    # The worker is the parent of the supervisor that has started the shell; what the job prints is stored by then.
    kill = "kill -9 $(cut -d' ' -f4 /proc/$PPID/stat)"
    command = f"test -e {site.processes.work_dir / 'mended'} || {{ echo allocating; sleep 3; {kill}; sleep 5; }}"
    site.create_task("killer", parameters=site.lines.parameters(command), max_losses=MAX_LOSSES)
    run_id = site.trigger("killer")
    for losses in range(1, MAX_LOSSES + 1):
        worker = site.processes.started[-1]
        assert worker.wait(30) == -signal.SIGKILL
        wait_until(lambda: len(site.lines.read()) == losses, 5, f"{losses} starts")  # noqa: B023 - called at once
        site.start_worker("worker-1")
    run = site.processes.wait_for_run(run_id, "QUARANTINED", seconds=30)

    site.create_task("harmless")
    site.processes.wait_for_run(site.trigger("harmless"), seconds=20)

    assert (run["attempt"], run["losses"], run["failures"]) == (MAX_LOSSES, MAX_LOSSES, 0)
    assert site.lines.starts()[run_id] == MAX_LOSSES
    (listed,) = site.processes.request("GET", "/api/v1/quarantine").body["items"]
    assert [(loss["attempt"], loss["worker_id"], loss["last_lines"]) for loss in listed["evidence"]] == [
        (attempt, "worker-1", ["allocating"]) for attempt in range(1, MAX_LOSSES + 1)
    ]
    (site.processes.work_dir / "mended").touch()
    released = site.processes.request("POST", f"/api/v1/quarantine/{run_id}/release").body
    assert released["retry_of"] == run_id
    site.processes.wait_for_run(released["id"], seconds=20)
    assert site.processes.request("GET", "/api/v1/quarantine").body["items"] == []
    assert site.processes.request("POST", f"/api/v1/quarantine/{run_id}/discard").status == 409


def test_function_that_holds_the_interpreter_costs_no_session(site: Site) -> None:
    """A C call that holds the interpreter's lock for longer than the lease is one execution like any other."""
    module = site.processes.work_dir / "holding.py"
    module.write_text(
        "import ctypes, os\n\n"
        "def hold(seconds):\n"
        f"    with open({str(site.lines.path)!r}, 'a') as lines:\n"
        "        lines.write(f\"{os.environ['SCHEDULER_RUN_ID']} {os.environ['SCHEDULER_ATTEMPT']}\\n\")\n"
        "    ctypes.PyDLL(None).sleep(seconds)\n"
        "    return 'done'\n"
    )
    site.start(workers=2)
    site.create_task("hold", task_type="python", parameters={"callable": "holding:hold", "args": [8]})
    run_id = site.trigger("hold")

    run = site.processes.wait_for_run(run_id, seconds=40)

    assert (run["attempt"], run["losses"], run["result"]) == (1, 0, "done")
    assert site.lines.read() == [JobLine(run_id, 1)]
    assert not any("session lost" in process.output for process in site.processes.started)
