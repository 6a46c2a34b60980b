"""Cron in time zones, against an oracle that looks at every minute of the days around each clock change."""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_core.decisions.cron_pattern import parse_cron
from scheduler_core.decisions.cron_rule import CronRule
from scheduler_core.decisions.time_zone import first_change, instant_of

MINUTE = timedelta(minutes=1)
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # moves by half an hour
    "America/Santiago",  # changes at midnight: 00:00 does not exist in spring, 23:00 comes twice in autumn
    "America/Havana",
    "Africa/Casablanca",  # a month of another offset
    "Antarctica/Troll",  # moves by two hours
    "Europe/Dublin",
    "Asia/Kathmandu",
    "UTC",
)


class Case(NamedTuple):
    """A cron text and, independently of any parser, the values that it means."""

    cron: str
    minutes: frozenset[int]
    hours: frozenset[int]
    is_fixed: bool


def every(step: int, end: int) -> frozenset[int]:
    """0, step, 2 x step … below end."""
    return frozenset(range(0, end, step))


CASES = (
    Case("* * * * *", every(1, 60), every(1, 24), is_fixed=False),
    Case("*/30 * * * *", every(30, 60), every(1, 24), is_fixed=False),
    Case("15 * * * *", frozenset({15}), every(1, 24), is_fixed=False),
    Case("*/20 2 * * *", every(20, 60), frozenset({2}), is_fixed=False),
    Case("*/20 0,1,23 * * *", every(20, 60), frozenset({0, 1, 23}), is_fixed=False),
    Case("0 */2 * * *", frozenset({0}), every(2, 24), is_fixed=False),
    Case("30 2 * * *", frozenset({30}), frozenset({2}), is_fixed=True),
    Case("0 2 * * *", frozenset({0}), frozenset({2}), is_fixed=True),
    Case("30 1 * * *", frozenset({30}), frozenset({1}), is_fixed=True),
    Case("0,15,30,45 1,2,3 * * *", frozenset({0, 15, 30, 45}), frozenset({1, 2, 3}), is_fixed=True),
    Case("0,30 0,23 * * *", frozenset({0, 30}), frozenset({0, 23}), is_fixed=True),
    Case("0-59 1 * * *", every(1, 60), frozenset({1}), is_fixed=True),
    Case("0 0 * * *", frozenset({0}), frozenset({0}), is_fixed=True),
)


def changes_of(zone: ZoneInfo, year: int) -> list[datetime]:
    """The zone's clock changes of a year, or its first of June when it has none."""
    found, moment, end = [], datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    while (change := first_change(zone, moment, end)) is not None:
        found.append(change)
        moment = change
    return found or [datetime(year, 6, 1, tzinfo=UTC)]


def expected(case: Case, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Debian cron's answer: wildcard jobs follow the wall clock, others run once for each time of day."""

    def matches(wall: datetime) -> bool:
        return wall.minute in case.minutes and wall.hour in case.hours

    minutes = [start + MINUTE * n for n in range(int((end - start) / MINUTE) + 1)]
    due: list[datetime] = []
    highest = (start - MINUTE).astimezone(zone).replace(tzinfo=None)
    for instant in minutes:
        wall = instant.astimezone(zone).replace(tzinfo=None)
        if not case.is_fixed:
            if matches(wall):
                due.append(instant)
            continue
        # Every wall-clock minute is passed once: those of a gap all at its end, those of a repetition the first time.
        passed = [highest + MINUTE * n for n in range(1, int((wall - highest) / MINUTE) + 1)]
        if any(matches(minute) for minute in passed):
            due.append(instant)
        highest = max(highest, wall)
    return due


@pytest.mark.parametrize("zone_name", ZONES)
def test_next_after_agrees_with_every_minute_around_clock_changes(zone_name: str) -> None:
    """No instant is skipped, doubled or moved on the days around a clock change."""
    zone = ZoneInfo(zone_name)
    for change in changes_of(zone, 2026):
        start, end = change - timedelta(hours=26), change + timedelta(hours=30)
        for case in CASES:
            rule = CronRule(parse_cron(case.cron), zone)
            found, instant = [], rule.next_after(start - timedelta(seconds=1))
            while instant is not None and instant <= end:
                found.append(instant)
                instant = rule.next_after(instant)
            wanted = expected(case, zone, start, end)
            assert found == wanted, (case.cron, change)
            assert rule.count_between(start - timedelta(seconds=1), end) == len(wanted), (case.cron, change)


@pytest.mark.parametrize("zone_name", ZONES)
def test_next_after_starts_right_from_any_instant(zone_name: str) -> None:
    """Where one begins to ask, in a gap's end or a repeated hour too, never changes what is due next."""
    zone = ZoneInfo(zone_name)
    for change in changes_of(zone, 2026):
        for case in CASES[3:10]:
            rule = CronRule(parse_cron(case.cron), zone)
            wanted = expected(case, zone, change - timedelta(hours=26), change + timedelta(hours=30))
            for minutes in range(-200, 200, 7):
                instant = change + MINUTE * minutes
                assert rule.next_after(instant) == next(due for due in wanted if due > instant), (case.cron, instant)


@pytest.mark.parametrize("cron", ["30 2 * * *", "0 30 2 * * *"])
@pytest.mark.parametrize("zone_name", ZONES)
def test_next_after_runs_a_wall_clock_job_once_a_day(cron: str, zone_name: str) -> None:
    """A job at a time of day runs exactly once on each of a year's days, with five fields and with six."""
    zone = ZoneInfo(zone_name)
    rule = CronRule(parse_cron(cron), zone)
    end = datetime(2027, 1, 1, tzinfo=zone).astimezone(UTC)
    days, instant = [], rule.next_after(datetime(2026, 1, 1, tzinfo=zone).astimezone(UTC))
    while instant is not None and instant < end:
        days.append(instant.astimezone(zone).date())
        instant = rule.next_after(instant)
    assert days == [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]


def test_next_after_ends_where_the_calendar_ends() -> None:
    """The last instants of year 9999 neither raise nor loop."""
    rule = CronRule(parse_cron("0 0 1 1 *"), ZoneInfo("Europe/Berlin"))
    assert rule.next_after(datetime(9999, 12, 31, 12, tzinfo=UTC)) is None


def test_instant_of_gives_the_end_of_a_gap() -> None:
    """A wall-clock time that does not exist means the moment at which the gap ends."""
    zone = ZoneInfo("Australia/Lord_Howe")
    gap_end = instant_of(datetime(2026, 10, 4, 2, 10), zone)  # noqa: DTZ001  a wall-clock time
    assert gap_end == datetime(2026, 10, 3, 15, 30, tzinfo=UTC)


def a_field(high: int) -> st.SearchStrategy[str]:
    """Cron fields over 0..high: stars, steps, numbers, lists and ranges."""
    number = st.integers(0, high)
    return st.one_of(
        st.just("*"),
        st.integers(1, high).map(lambda step: f"*/{step}"),
        number.map(str),
        st.lists(number, min_size=1, max_size=4).map(lambda values: ",".join(map(str, values))),
        st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}"),
    )


CRONS = st.builds(
    " ".join,
    st.one_of(
        st.tuples(a_field(59), a_field(23), st.just("*"), st.just("*"), st.just("*")),
        st.tuples(a_field(59), a_field(59), a_field(23), st.just("*"), st.just("*"), st.just("*")),
        st.tuples(a_field(59), a_field(23), st.sampled_from(["1,15,28", "L", "*/2"]), st.just("*"), st.just("1-5")),
    ),
)
INSTANTS = st.integers(1_704_067_200, 1_861_833_600).map(lambda seconds: datetime.fromtimestamp(seconds + 0.25, UTC))


@settings(max_examples=150, deadline=None)
@given(cron=CRONS, zone_name=st.sampled_from(ZONES), start=INSTANTS)
def test_next_after_is_strictly_increasing(cron: str, zone_name: str, start: datetime) -> None:
    """Each due instant is in UTC, on a whole second, and strictly later than the one before."""
    rule = CronRule(parse_cron(cron), ZoneInfo(zone_name))
    previous = start
    for _ in range(40):
        instant = rule.next_after(previous)
        assert instant is not None
        assert instant > previous
        assert instant.tzinfo is UTC
        assert instant.microsecond == 0
        previous = instant


@settings(max_examples=150, deadline=None)
@given(cron=CRONS, zone_name=st.sampled_from(ZONES), start=INSTANTS, steps=st.integers(0, 200))
def test_count_between_counts_what_next_after_gives(cron: str, zone_name: str, start: datetime, steps: int) -> None:
    """Counting by days and walking from instant to instant give the same number."""
    rule = CronRule(parse_cron(cron), ZoneInfo(zone_name))
    instant: datetime | None = start
    for _ in range(steps):
        assert instant is not None
        instant = rule.next_after(instant)
    assert instant is not None
    assert rule.count_between(start, instant) == steps
