"""Settings of the first configuration file: changing one changes what the system does."""

import time
from datetime import datetime
from typing import Any

import psycopg
import pytest

from fixtures.processes import SchedulerProcesses, wait_until
from fixtures.site import Site
from scheduler_infra.database import DatabaseConfig, resolve_url


@pytest.mark.parametrize("component", ["api", "dispatcher", "worker"])
def test_enabled_false_leaves_a_component_out(component: str, scheduler_processes: SchedulerProcesses) -> None:
    """`enabled = false` in a component's table keeps it out of `up`, and only it."""
    up = scheduler_processes.start_up(env={f"SCHEDULER_{component.upper()}__ENABLED": "false"})
    started = {line.split()[0] for line in up.output.splitlines() if line.startswith("  ") and line.strip()}
    assert {"postgresql", "api", "dispatcher", "worker"} - started == {component}


@pytest.mark.parametrize(("places", "at_once"), [(1, False), (2, True)])
def test_max_concurrent_tasks_is_how_many_runs_a_worker_holds(places: int, at_once: bool, site: Site) -> None:
    """Two runs overlap on a worker with two places and follow each other on a worker with one."""
    site.start(workers=0)
    site.start_worker("worker-1", SCHEDULER_WORKER__MAX_CONCURRENT_TASKS=str(places))
    site.wait_for_workers(1)
    site.create_task("nap", parameters={"command": ["sleep", "1"]})
    first, second = (_moments(site, run_id) for run_id in [site.trigger("nap"), site.trigger("nap")])
    assert (second["started_at"] < first["completed_at"]) is at_once


@pytest.mark.parametrize(("interval", "lease", "beats"), [("0.5", "2", True), ("20", "60", False)])
def test_heartbeat_interval_is_how_often_a_lease_is_renewed(interval: str, lease: str, beats: bool, site: Site) -> None:
    """Within three seconds a worker beats several times with a short interval, and not again with a long one."""
    site.start(workers=0)
    site.start_worker(
        "worker-1",
        SCHEDULER_WORKER__HEARTBEAT_INTERVAL_SECONDS=interval,
        SCHEDULER_WORKER__LEASE_SECONDS=lease,
    )
    site.wait_for_workers(1)
    seen = set()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        (worker,) = site.processes.request("GET", "/api/v1/workers").body["items"]
        seen.add(worker["last_heartbeat_at"])
    assert (len(seen) > 2) is beats
    # The first ring, when its bell is connected, renews once more.
    assert beats or len(seen) <= 2


@pytest.mark.parametrize(("batch", "all_in_one"), [("2", False), ("1000", True)])
def test_max_concurrent_dispatches_is_how_much_one_transaction_takes(batch: str, all_in_one: bool, site: Site) -> None:
    """Slots that are due together are given their runs in one transaction, or in several when it takes fewer."""
    site.processes.environment["SCHEDULER_DISPATCHER__MAX_CONCURRENT_DISPATCHES"] = batch
    site.start()
    for number in range(6):
        site.create_task(f"tick-{number}", schedule="*/2 * * * * *")
    url = resolve_url(DatabaseConfig(), site.processes.state_dir)
    with psycopg.connect(url, autocommit=True) as connection:

        def largest() -> int:
            row = connection.execute(
                "SELECT coalesce(max(runs), 0) FROM (SELECT scheduled_at, created_at, count(*) AS runs "
                "FROM scheduler.task_runs GROUP BY scheduled_at, created_at) AS made"
            ).fetchone()
            assert row is not None
            size: int = row[0]
            return size

        def runs() -> int:
            row = connection.execute("SELECT count(*) FROM scheduler.task_runs").fetchone()
            assert row is not None
            count: int = row[0]
            return count

        wait_until(lambda: runs() >= 18, 30, "three rounds of six runs")
        assert largest() == (6 if all_in_one else 2)


def test_max_connections_bounds_what_a_component_opens(site: Site) -> None:
    """A dispatcher never holds more connections of its store than database.max_connections, and one to listen."""
    site.processes.environment["SCHEDULER_DATABASE__MAX_CONNECTIONS"] = "2"
    site.start(workers=1)
    site.create_task("tick", schedule="* * * * * *")
    url = resolve_url(DatabaseConfig(), site.processes.state_dir)
    most: dict[str, int] = {}
    with psycopg.connect(url, autocommit=True) as connection:
        end = time.monotonic() + 4
        while time.monotonic() < end:
            for name, count in connection.execute(
                "SELECT application_name, count(*) FROM pg_stat_activity WHERE application_name LIKE 'scheduler-%' "
                "GROUP BY application_name"
            ):
                most[name] = max(most.get(name, 0), count)
    assert most["scheduler-dispatcher"] <= 3
    assert most["scheduler-worker"] <= 3


def _moments(site: Site, run_id: int) -> dict[str, Any]:
    run = site.processes.wait_for_run(run_id)
    return {key: datetime.fromisoformat(run[key]) for key in ("started_at", "completed_at")}
