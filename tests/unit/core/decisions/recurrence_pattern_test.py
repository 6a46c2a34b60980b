"""Recurrence rules give what python-dateutil gives when it walks from the rule's beginning, wherever one looks."""

from datetime import datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.recurrence_pattern import parse_recurrence

START = datetime(2020, 1, 31, 9, 17, 3)
EPOCH = datetime(1970, 1, 1)
RULES = [
    "FREQ=YEARLY",
    "FREQ=YEARLY;INTERVAL=3;BYMONTH=2,6;BYMONTHDAY=29,30",
    "FREQ=YEARLY;BYWEEKNO=1,20,53;BYDAY=MO",
    "FREQ=YEARLY;BYYEARDAY=1,100,-1;BYHOUR=6,18",
    "FREQ=YEARLY;BYDAY=2MO,-1FR",
    "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;BYHOUR=2;BYMINUTE=30;BYSECOND=0",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;INTERVAL=5;BYDAY=1MO,3TH",
    "FREQ=MONTHLY;BYMONTHDAY=-1,15",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=MONTHLY;BYDAY=MO,FR;BYHOUR=6,18;BYSETPOS=2,-1",
    "FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=6,18;BYMINUTE=0,30;BYSETPOS=3",
    "FREQ=YEARLY;BYMONTH=5;BYHOUR=0,12;BYMINUTE=0,1,2",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=MO",
    "FREQ=WEEKLY;INTERVAL=3;BYDAY=TU;BYMONTH=1,2,11",
    "FREQ=DAILY;INTERVAL=10",
    "FREQ=DAILY;BYMONTH=1,7;BYHOUR=9,10;BYMINUTE=0,30;BYSECOND=0",
    "FREQ=DAILY;BYDAY=SA,SU;BYHOUR=3,12;BYMINUTE=0;BYSECOND=0;BYSETPOS=-1",
    "FREQ=DAILY;BYMONTHDAY=31",
    "FREQ=HOURLY;INTERVAL=7",
    "FREQ=HOURLY;INTERVAL=5;BYDAY=MO,FR;BYHOUR=1,2,3,4,5,6,7,8,9,10",
    "FREQ=HOURLY;BYMINUTE=5,20;BYMONTHDAY=1,2",
    "FREQ=HOURLY;INTERVAL=3;BYMINUTE=0,30;BYSECOND=0;BYDAY=TU",
    "FREQ=MINUTELY;INTERVAL=70;BYSECOND=10,40;BYDAY=WE",
    "FREQ=MINUTELY;INTERVAL=90;BYMONTH=3",
    "FREQ=MINUTELY;INTERVAL=45;BYHOUR=9,10",
    "FREQ=SECONDLY;INTERVAL=7201;BYMINUTE=0,1,2,3,4,5",
    "FREQ=WEEKLY;BYDAY=MO;UNTIL=20200601T120000",
    "FREQ=DAILY;COUNT=40;INTERVAL=2",
    "FREQ=HOURLY;INTERVAL=11;COUNT=200",
]


def walls(text: str, first: datetime, last: datetime) -> list[datetime]:
    """The pattern's times in [first, last]."""
    pattern = parse_recurrence(f"DTSTART:{START:%Y%m%dT%H%M%S} RRULE:{text}")
    low, high = ((time - EPOCH) // timedelta(seconds=1) for time in (first, last))
    return [EPOCH + timedelta(seconds=wall) for batch in pattern.batches(low, high) for wall in batch.seconds()]


@pytest.mark.parametrize("text", RULES)
def test_recurrence_pattern_agrees_with_a_walk_from_the_beginning(text: str) -> None:
    """Windows near the beginning, before it and years after it hold exactly what the walk passes there."""
    rule = rrulestr(f"RRULE:{text}", dtstart=START)
    for first, days in ((START - timedelta(days=9), 100), (datetime(2024, 2, 10, 4, 4, 4), 400), (START, 0)):
        last = first + timedelta(days=days)
        assert walls(text, first, last) == rule.between(first, last, inc=True)


@given(st.sampled_from(RULES[:28]), st.integers(0, 5 * 366 * 86_400), st.integers(0, 40 * 86_400))
def test_recurrence_pattern_agrees_wherever_the_window_begins(text: str, offset: int, length: int) -> None:
    """No window loses or invents a time at its edges."""
    rule = rrulestr(f"RRULE:{text}", dtstart=START, cache=True)
    first = START + timedelta(seconds=offset)
    last = first + timedelta(seconds=length)
    assert walls(text, first, last) == rule.between(first, last, inc=True)


def test_recurrence_pattern_without_a_beginning_counts_from_1970() -> None:
    """A rule alone means midnight and the phase of the first of January 1970."""
    pattern = parse_recurrence("FREQ=DAILY;INTERVAL=2")
    day = 86_400
    assert [batch.first // day for batch in pattern.batches(1000 * day, 1005 * day)] == [1000, 1002, 1004]


@pytest.mark.parametrize("count", [1, 60, 3000])
def test_recurrence_pattern_counts_however_far_it_goes(count: int) -> None:
    """COUNT is kept beyond the decades that a search looks ahead."""
    pattern = parse_recurrence(f"DTSTART:19700101T090000 RRULE:FREQ=YEARLY;COUNT={count}")
    last = datetime(1969 + count, 1, 1, 9)
    assert pattern._counted is not None
    assert (len(pattern._counted), EPOCH + timedelta(seconds=pattern._counted[-1])) == (count, last)
