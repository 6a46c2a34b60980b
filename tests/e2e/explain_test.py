"""Explanations of a real system: the shipped situations, and what is said while the broker is away."""

import subprocess
import sys
from typing import Any

import pytest

from fixtures.broker import RabbitMQServer
from fixtures.documentation import ROOT
from fixtures.processes import SchedulerProcesses, wait_until
from fixtures.site import Site

SITUATIONS = ROOT / "examples" / "explain" / "situations.py"


def blockers_of(processes: SchedulerProcesses, run_id: int) -> dict[str, bool]:
    """The codes of what is in a run's way, and whether each of them blocks."""
    told: dict[str, Any] = processes.run_json("explain", "run", str(run_id))
    return {blocker["code"]: blocker["blocks"] for blocker in told["blockers"]}


@pytest.mark.timeout(600)
def test_explain_names_exactly_what_blocks_in_every_shipped_situation(scheduler_processes: SchedulerProcesses) -> None:
    """At least fifteen situations, three of them with several blockers, are explained by exactly the expected codes."""
    done = subprocess.run(
        [sys.executable, str(SITUATIONS)],
        env=scheduler_processes.environment,
        cwd=scheduler_processes.work_dir,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    told = [line for line in done.stdout.splitlines() if line.startswith("ok ")]
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(told) >= 15
    assert len([line for line in told if "," in line.rpartition(":")[2]]) >= 3
    scheduler_processes.is_ledger_verified = True


def test_explain_works_while_the_broker_is_away(site: Site, rabbitmq_server: RabbitMQServer, amqp_url: str) -> None:
    """A broker that is stopped only delays: it is told beside what blocks, and runs go on without it."""
    site.start(message_queue_url=amqp_url)
    site.create_task("gpu", queue="gpu")
    site.create_task("plain")
    waiting = site.trigger("gpu")
    assert blockers_of(site.processes, waiting) == {"NO_WORKER": True}
    rabbitmq_server.stop()
    try:
        wait_until(
            lambda: blockers_of(site.processes, waiting) == {"NO_WORKER": True, "BROKER_UNREACHABLE": False},
            30,
            "the broker is told to be away",
        )
        done = site.processes.wait_for_run(site.trigger("plain"))
        assert blockers_of(site.processes, done["id"]) == {}
    finally:
        rabbitmq_server.start()
    wait_until(lambda: blockers_of(site.processes, waiting) == {"NO_WORKER": True}, 60, "the broker is back")
