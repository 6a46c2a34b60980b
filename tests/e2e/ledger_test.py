"""The account of every due instant: complete by itself, and a finding for everything that is done to it by hand."""

import json
from typing import LiteralString

import psycopg

from fixtures.processes import wait_until
from fixtures.site import Site


def execute(site: Site, statement: LiteralString) -> None:
    """Go behind the scheduler's back."""
    connection = json.loads((site.processes.state_dir / "postgresql" / "connection.json").read_text())
    with psycopg.connect(connection["url"], autocommit=True) as database:
        assert database.execute(statement).rowcount == 1


def test_ledger_tells_what_became_of_every_slot(site: Site) -> None:
    """Schedules that run, overlap, pause, change and go leave a clean ledger; a lost entry is a hole, exit code 1."""
    site.start()
    site.create_task("tick", schedule="* * * * * *")
    site.create_task("slow", schedule="* * * * * *", parameters=site.lines.parameters("sleep 1.5"), overlap="skip")
    site.create_task("delay", schedule="after_end 1s")
    site.create_task("changed", schedule="* * * * * *")
    site.create_task("deleted", schedule="* * * * * *")
    site.create_task("held", schedule="* * * * * *")

    def outcomes(name: str) -> list[str]:
        entries = site.processes.run_json("ledger", "show", name, "--all")["items"]
        return [entry["reason"] or entry["run_status"] for entry in entries]

    wait_until(lambda: len(outcomes("delay")) >= 3 and len(outcomes("held")) >= 3, 30, "three slots each")
    for name in ("held", "delay"):
        site.processes.request("POST", f"/api/v1/tasks/{name}/pause")
    assert site.processes.run("task", "update", "changed", "--schedule", "*/2 * * * * *").returncode == 0
    assert site.processes.request("DELETE", "/api/v1/tasks/deleted").status == 200
    wait_until(lambda: "OVERLAP" in outcomes("slow"), 30, "a slot that met its predecessor")
    before = len(outcomes("delay"))
    for name in ("held", "delay"):
        site.processes.request("POST", f"/api/v1/tasks/{name}/resume")
    wait_until(lambda: "PAUSED" in outcomes("held"), 30, "the paused stretch is recorded")
    wait_until(lambda: len(outcomes("delay")) > before + 1, 30, "the fixed delay goes on")

    report = site.processes.run_json("ledger", "verify")
    assert report["totals"]["clean"], report
    assert {"OVERLAP", "PAUSED"} <= report["totals"]["reasons"].keys()
    assert {item["task_name"] for item in report["items"]} == {"tick", "slow", "delay", "changed", "deleted", "held"}

    execute(
        site,
        "WITH gone AS (SELECT slots.* FROM scheduler.slots JOIN scheduler.tasks ON tasks.id = task_id "
        "WHERE name = 'tick' ORDER BY scheduled_at OFFSET 1 LIMIT 1), kept AS (INSERT INTO scheduler.slots "
        "SELECT task_id + 1000000, scheduled_at, shard_index, last_scheduled_at, count, run_id, reason, zone_data "
        "FROM gone) "
        "DELETE FROM scheduler.slots USING gone "
        "WHERE slots.task_id = gone.task_id AND slots.scheduled_at = gone.scheduled_at",
    )
    done = site.processes.run("ledger", "verify")
    assert done.returncode == 1, done
    (line,) = [line.split("\t") for line in done.stdout.splitlines() if "HOLE" in line]
    assert line[0].startswith("tick (id ")
    assert line[4:6] == ["1", "0"]
    assert "trigger the task by hand" in done.stderr
    # Put back, so that what the fixture verifies is what the scheduler itself has done.
    execute(site, "UPDATE scheduler.slots SET task_id = task_id - 1000000 WHERE task_id > 1000000")
    assert site.processes.run("ledger", "verify").returncode == 0
