"""The tables of docs/schedules.md are what the schedules give."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from scheduler_core.decisions.schedule_check import check_schedule
from scheduler_core.decisions.schedule_rules import slots_between
from scheduler_core.decisions.schedule_text import read_schedule_text
from scheduler_core.decisions.time_zone import find_zone
from scheduler_core.models import Schedule

PAGE = Path(__file__).parents[3] / "docs" / "schedules.md"
_TABLE = re.compile(r"<!-- slots: (\S+) (\S+) (\S+) -->\s+\|.*\n\|[-| ]+\n((?:\|.*\n)+)")
_ROW = re.compile(r"\| `(.*?)` \| (.*?) ?\|$", re.MULTILINE)


class Row(NamedTuple):
    """A schedule, where one looks, and what the page says."""

    zone: str
    first: datetime
    last: datetime
    text: str
    told: str


def rows() -> list[Row]:
    """All rows of the tables of slots."""
    return [
        Row(zone, datetime.fromisoformat(first), datetime.fromisoformat(last), text.replace("\\|", "|"), told)
        for zone, first, last, table in _TABLE.findall(PAGE.read_text())
        for text, told in _ROW.findall(table)
    ]


def test_schedules_page_has_both_nights() -> None:
    """The tables are found, so that the rows below are all of them."""
    assert len(_TABLE.findall(PAGE.read_text())) == 2
    assert len(rows()) == 25


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.first:%m-%d} {row.text}")
def test_schedules_page_tells_what_is_due(row: Row) -> None:
    """Each row is what the schedule gives between the two local times, in local time."""
    schedule = read_schedule_text(row.text, row.zone)
    zone = find_zone(row.zone)
    first, last = row.first.replace(tzinfo=zone), row.last.replace(tzinfo=zone)
    slots = [slot.astimezone(zone) for slot in slots_between(schedule, first - timedelta(microseconds=1), last)]
    assert " ".join(f"{slot:%H:%M}{slot.isoformat()[-6:]}" for slot in slots) == row.told


@pytest.mark.parametrize("text", re.findall(r"^\| [\w ]+ \| `(.*?)` \| `\{", PAGE.read_text(), re.MULTILINE))
def test_schedules_page_shows_rules_that_are_accepted(text: str) -> None:
    """Every rule of the first table can be written as it stands there."""
    schedule = read_schedule_text(text.replace("\\|", "|"))
    assert isinstance(schedule, Schedule)
    assert check_schedule(schedule) == []
