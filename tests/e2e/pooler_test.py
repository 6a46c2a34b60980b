"""A whole system of separate processes behind PgBouncer."""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from fixtures.database import PostgresServer
from fixtures.pgbouncer import PgBouncer, running_pgbouncer
from fixtures.processes import wait_until
from fixtures.site import Site


@pytest.fixture
def pooler(postgres_server: PostgresServer, database_url: str) -> Iterator[PgBouncer]:
    """A pooler of transactions before the tests' server, for as long as the database is there."""
    with running_pgbouncer(postgres_server.socket_dir) as started:
        yield started


@pytest.mark.timeout(180)
def test_everything_runs_through_a_pooler_and_survives_its_restart(
    pooler: PgBouncer, database_url: str, site: Site
) -> None:
    """A schedule fires, a flow runs in its order, rings are heard, and a pooler started anew costs nothing that ran."""
    processes = site.processes
    processes.environment["SCHEDULER_DATABASE__URL"] = pooler.url(urlsplit(database_url).path.removeprefix("/"))
    processes.environment["SCHEDULER_DATABASE__DIRECT_URL"] = database_url
    # So long that whatever runs soon was rung for.
    processes.environment["SCHEDULER_WORKER__POLL_INTERVAL_SECONDS"] = "600"
    processes.environment["SCHEDULER_DISPATCHER__POLL_INTERVAL_SECONDS"] = "600"
    api, dispatcher = processes.start("scheduler-api"), site.start_dispatcher()
    worker = site.start_worker("worker-1")
    for process, line in ((api, "api ready"), (dispatcher, "dispatcher ready"), (worker, "worker ready")):
        process.wait_for_output(line)

    site.create_task("tick", schedule="* * * * * *")
    site.create_task("first")
    site.create_task("second", dependencies=["first"], parameters=site.lines.parameters(then="sleep 4"))
    checks = json.loads(processes.run("doctor", "-o", "json").stdout)
    (seen,) = [check for check in checks if check["name"] == "pooler"]
    assert (seen["ok"], "goes past it" in seen["detail"]) == (True, True), seen

    running = site.trigger("second")
    processes.wait_for_run(running, "RUNNING")
    before = len(site.lines.read())
    pooler.stop()
    pooler.start()
    assert processes.wait_for_run(running)["attempt"] == 1
    wait_until(lambda: len(site.lines.read()) >= before + 3, 40, "the schedule goes on")
    processes.wait_for_run(site.trigger("first"))
    starts = site.lines.starts()
    assert set(starts.values()) == {1}, starts
    assert all(process.is_running for process in (api, dispatcher, worker))
