"""The examples of examples/flows that a page cannot show in a minute: a day of hours, and its report."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from fixtures.ledger import assert_ledger_is_clean
from fixtures.processes import SchedulerProcesses, wait_until
from scheduler_infra.database import DatabaseConfig, resolve_url

FLOWS = Path(__file__).parents[2] / "examples" / "flows"
BERLIN = ZoneInfo("Europe/Berlin")

_SET_BACK = b"""
UPDATE scheduler.schedules
SET recorded_from = %(start)s, last_slot_at = NULL, next_due_at = %(start)s + interval '1 hour'
WHERE task_id = (SELECT id FROM scheduler.tasks WHERE name = 'measure');
UPDATE scheduler.schedules SET recorded_from = %(before)s, last_slot_at = %(before)s, next_due_at = %(slot)s
WHERE task_id = (SELECT id FROM scheduler.tasks WHERE name = 'daily-report');
UPDATE scheduler.schedule_periods AS period SET counts_from = schedules.recorded_from
FROM scheduler.schedules WHERE schedules.task_id = period.task_id;
"""


@pytest.fixture
def yesterday() -> tuple[datetime, datetime]:
    """The report's slot of the last night that is over, and the one before it."""
    now = datetime.now(BERLIN)
    slot = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if slot > now:
        slot -= timedelta(days=1)
    return slot.astimezone(UTC), (slot - timedelta(days=1)).astimezone(UTC)


@pytest.mark.timeout(300)
def test_flow_example_report_waits_for_every_hour_of_its_day(
    scheduler_processes: SchedulerProcesses, yesterday: tuple[datetime, datetime]
) -> None:
    """The hours are caught up with, one fails and is run again, and the report starts once, with all of them."""
    slot, before = yesterday
    system = scheduler_processes
    system.start_up("--only", "postgresql,api")
    applied = system.run("task", "apply", str(FLOWS / "daily_report.toml"))
    assert applied.returncode == 0, applied.stderr
    # One hour cannot be written: a folder stands where its file is to be.
    hours = [before + timedelta(hours=number + 1) for number in range(round((slot - before) / timedelta(hours=1)))]
    broken = hours[6] - timedelta(hours=1)
    stumbling = system.work_dir / ".state/flows/readings" / f"{broken:%Y-%m-%dT%H%M%SZ}.json"
    (stumbling / "in-the-way").mkdir(parents=True)
    system.run("task", "update", "measure", "--max-retries", "0")
    _set_back(system, slot, before)
    environment = {"PYTHONPATH": str(FLOWS)}
    system.start("scheduler-dispatcher", env=environment)
    system.start("scheduler-worker", env=environment)

    def waiting() -> dict[str, Any] | None:
        runs = system.run_json("run", "list", "--task", "daily-report")["items"]
        failed = system.run_json("run", "list", "--task", "measure", "--status", "FAILED")["items"]
        due = system.run_json("run", "list", "--task", "measure", "--status", "COMPLETED", "--all")["items"]
        return failed[0] if runs and failed and len(due) >= len(hours) - 1 else None

    failed = wait_until(waiting, 120, "all hours but one are there") or {}
    assert datetime.fromisoformat(failed["interval_from"]) == broken
    (report,) = system.run_json("run", "list", "--task", "daily-report")["items"]
    explained = system.run_json("explain", "run", str(report["id"]))
    assert [blocker["code"] for blocker in explained["blockers"]] == ["INTERVAL"], explained
    assert f"{hours[6]:%Y-%m-%d %H:%M}" in explained["blockers"][0]["message"].replace("T", " "), explained

    (stumbling / "in-the-way").rmdir()
    stumbling.rmdir()
    assert system.run("run", "retry", str(failed["id"])).returncode == 0

    def ended() -> list[dict[str, Any]]:
        runs = system.run_json("run", "list", "--task", "daily-report")["items"]
        return [run for run in runs if run["status"] == "COMPLETED"]

    (report,) = wait_until(ended, 60, "the report is there", describe=lambda: json.dumps(explained))
    assert (report["attempt"], report["result"]["hours"]) == (1, len(hours))
    assert_ledger_is_clean(system)


def _set_back(system: SchedulerProcesses, slot: datetime, before: datetime) -> None:
    """As if both tasks had been there since the report before, and nothing had dispatched since."""
    url = resolve_url(DatabaseConfig(), system.state_dir)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in _SET_BACK.split(b";\n"):
            if statement.strip():
                connection.execute(statement, {"start": before, "before": before, "slot": slot})
