"""An unknown zone is refused with the one that was probably meant."""

import pytest

from scheduler_core.decisions.schedule_check import check_schedule
from scheduler_core.models import Schedule


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("Berlin", "Did you mean Europe/Berlin?"),
        ("europe/berlin", "Did you mean Europe/Berlin?"),
        ("new york", "Did you mean America/New_York?"),
        ("Mars/Olympus_Mons", "There is no time zone 'Mars/Olympus_Mons'"),
        ("Europe", "There is no time zone 'Europe'"),
        ("../../etc/passwd", "There is no time zone"),
        ("localtime", "There is no time zone"),
        ("", "There is no time zone ''"),
        ("x" * 5000, "Use an IANA name"),
        ("a\0b", "There is no time zone"),
    ],
)
def test_check_schedule_offers_the_nearest_zone(zone: str, told: str) -> None:
    """An unknown zone is refused with the name that was probably meant, whatever the text is."""
    problems = check_schedule(Schedule(cron="0 0 * * *", timezone=zone), field="x")
    assert [problem.field for problem in problems] == ["x.timezone"]
    assert told in problems[0].message


def test_check_schedule_tells_all_problems_at_once() -> None:
    """A bad cron text does not hide a bad zone."""
    problems = check_schedule(Schedule(cron="61 * * * *", timezone="Berlin"))
    assert [problem.field for problem in problems] == ["schedule.cron", "schedule.timezone"]
