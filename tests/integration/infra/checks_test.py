"""What the doctor finds in a real database."""

from pathlib import Path

import psycopg

from fixtures.factories import build_definition
from scheduler_core.config import Settings
from scheduler_core.interfaces import Store
from scheduler_core.models import Schedule
from scheduler_core.runtime import CheckResult
from scheduler_infra.checks import schedules
from scheduler_infra.database import DatabaseConfig


async def check(database_url: str, state_dir: Path) -> CheckResult:
    """The result of the check of schedules."""
    settings = Settings.of(DatabaseConfig(url=database_url), state_dir=state_dir)
    (result,) = [result async for result in schedules(settings)]
    return result


async def test_infra_integration_doctor_names_schedules_that_have_become_odd(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """A schedule that today's code or time zone data would refuse is told with its task; the others are counted."""
    fine = build_definition(schedule=Schedule(cron="0 3 * * *"))
    odd = build_definition(schedule=Schedule(cron="0 3 * * *", timezone="Europe/Berlin"))
    async with store.autocommit() as work:
        await work.tasks.create([fine, odd], [None, None])
    assert (await check(database_url, tmp_path)).ok
    with psycopg.connect(database_url) as connection:
        connection.execute(
            'UPDATE scheduler.schedule_periods SET schedule = schedule || \'{"timezone": "Europe/Atlantis"}\' '
            "WHERE schedule ->> 'timezone' = 'Europe/Berlin'"
        )
    result = await check(database_url, tmp_path)
    assert not result.ok
    assert "2 stored" in result.detail
    assert f"default/{odd.name}: There is no time zone 'Europe/Atlantis'." in result.detail
    assert fine.name not in result.detail


async def test_infra_integration_doctor_leaves_an_unreachable_database_to_its_own_check(tmp_path: Path) -> None:
    """Where there is no database there is nothing to say about schedules."""
    settings = Settings.of(DatabaseConfig(url="postgresql://nobody@127.0.0.1:1/none"), state_dir=tmp_path)
    assert [result async for result in schedules(settings)] == []
