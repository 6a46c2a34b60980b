"""Wall clocks that are set while the system works, and dispatchers whose clocks disagree."""

import time
from collections import Counter
from typing import Any

import pytest

from fixtures.database import DEBIAN_BIN_DIRS
from fixtures.processes import wait_until
from fixtures.site import Site
from fixtures.stepped_clock import SteppedClock, SteppedClocks

HOUR = 3600
LEASE_SECONDS = 6
TASKS = 5


@pytest.mark.timeout(240)
def test_stepped_wall_clocks_lose_and_double_no_slot_and_no_session(site: Site, stepped_clocks: SteppedClocks) -> None:
    """A dispatcher's clock and the database's go an hour back, right again, and an hour forward, under load.

    Two more dispatchers live 10 minutes before and after everybody else. Each slot is run once or accounted for, and
    the worker keeps its session, so the job that it holds all the time is never started anew. When the database's
    clock is put right, the slots of the hour that it had shown already are not run again.
    """
    clocks = {name: stepped_clocks.make(site.processes.work_dir, name) for name in ("database", "dispatcher", "late")}
    clocks["early"] = stepped_clocks.make(site.processes.work_dir, "early")
    clocks["early"].step(600)
    clocks["late"].step(-600)
    _start(site, clocks)
    over = site.processes.work_dir / "over"
    site.create_task("held", parameters=site.lines.parameters(f"until test -e {over}; do sleep 0.2; done"))
    held = site.trigger("held")
    tasks = [site.create_task(f"tick-{number}", schedule="* * * * * *", misfire="all") for number in range(TASKS)]
    _wait_for_more_lines(site)
    for step in (-HOUR, 0, HOUR, 0):
        clocks["dispatcher"].step(step)
        _wait_for_more_lines(site)
    for step in (-HOUR, 0, HOUR):
        clocks["database"].step(step)
        # Longer than the lease: a session that went by the wall clock would be lost.
        time.sleep(LEASE_SECONDS + 1)
    _wait_for_more_lines(site)
    clocks["database"].step(0)
    time.sleep(LEASE_SECONDS + 1)
    over.touch()
    assert site.processes.wait_for_run(held)["attempt"] == 1
    for task in tasks:
        site.processes.request("POST", f"/api/v1/tasks/{task['id']}/pause")
    sessions = site.processes.request("GET", "/api/v1/workers").body["items"]
    assert [(session["worker_id"], session["state"]) for session in sessions] == [("worker-1", "ALIVE")]
    _check_lines(site)


def _start(site: Site, clocks: dict[str, SteppedClock]) -> None:
    programs = clocks["database"].programs(list(DEBIAN_BIN_DIRS.values())[-1], site.processes.work_dir / "programs")
    site.processes.start_up("--only", "postgresql,api", env={"SCHEDULER_PG_BIN": str(programs)})
    for name in ("dispatcher", "early", "late"):
        site.processes.start("scheduler-dispatcher", name=f"dispatcher-{name}", env=clocks[name].environment)
    site.start_worker("worker-1")
    site.wait_for_workers(1)


def _wait_for_more_lines(site: Site) -> None:
    before = len(site.lines.read())
    wait_until(lambda: len(site.lines.read()) >= before + 3 * TASKS, 60, "slots run")


def _check_lines(site: Site) -> None:
    """No run started twice, and no slot has two runs."""
    wait_until(lambda: not _unfinished(site), 60, "all runs are final")
    assert set(site.lines.starts().values()) == {1}
    slots = Counter((run["task_id"], run["scheduled_at"]) for run in _runs(site) if run["trigger"] == "SCHEDULE")
    assert set(slots.values()) == {1}


def _unfinished(site: Site) -> list[Any]:
    return [run for run in _runs(site) if run["status"] in ("DISPATCHED", "RUNNING")]


def _runs(site: Site) -> list[Any]:
    runs: list[Any] = []
    cursor = ""
    while True:
        page = site.processes.request("GET", f"/api/v1/task-runs?limit=200{cursor}").body
        runs += page["items"]
        if page["next_cursor"] is None:
            return runs
        cursor = f"&cursor={page['next_cursor']}"
