"""What holds for every schedule, zone and pair of rules, and from wherever one begins to ask."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from benchmarks.dst_sweep import changes_of
from fixtures.schedule_oracle import oracle_slots
from scheduler_core.decisions.schedule_rules import (
    count_between,
    data_interval,
    jitter_of,
    next_after,
    next_run_after,
    previous_before,
    slots_between,
)
from scheduler_core.models import OnGap, OnOverlap, PauseWindow, Schedule

SECOND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)
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
CHANGES = [
    (zone, datetime.fromtimestamp(change.second, UTC))
    for zone in ZONES
    for change in changes_of(zone)[:5] or [changes_of("Europe/Berlin")[0]]
]


def a_field(low: int, high: int) -> st.SearchStrategy[str]:
    """Cron fields over low..high: stars, steps, numbers, lists, ranges and H."""
    number = st.integers(low, high)
    return st.one_of(
        st.just("*"),
        st.integers(1, high).map(lambda step: f"*/{step}"),
        number.map(str),
        st.lists(number, min_size=1, max_size=4).map(lambda values: ",".join(map(str, values))),
        st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}"),
        st.tuples(number, st.integers(1, high)).map(lambda term: f"{term[0]}/{term[1]}"),
        st.just("H"),
        st.integers(1, high).map(lambda step: f"H/{step}"),
    )


MINUTES, HOURS = a_field(0, 59), st.one_of(a_field(0, 23), st.sampled_from(["0-3", "1,2", "2", "23,0"]))
DAYS = st.sampled_from(["*", "*", "*", "1,15,28", "L", "LW", "*/2", "H"])
WEEKDAYS = st.sampled_from(["*", "*", "*", "1-5", "SUN", "7L", "SUN#1", "MON#2,FRI", "*/3"])
FIVE_FIELDS = st.builds(" ".join, st.tuples(MINUTES, HOURS, DAYS, st.just("*"), WEEKDAYS))
SIX_FIELDS = st.builds(" ".join, st.tuples(a_field(0, 59), MINUTES, HOURS, DAYS, st.just("*"), st.just("*")))
RRULES = st.sampled_from(
    [
        "FREQ=DAILY;BYHOUR=2;BYMINUTE=30",
        "FREQ=HOURLY",
        "FREQ=HOURLY;INTERVAL=5;BYDAY=SU,MO",
        "FREQ=MINUTELY;INTERVAL=25",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,WE;BYHOUR=1,2",
        "FREQ=MONTHLY;BYDAY=-1SU;BYHOUR=2;BYMINUTE=30",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=0",
        "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU;BYHOUR=2;BYMINUTE=0,59",
    ]
)
RULES = {"on_gap": st.sampled_from([None, *OnGap]), "on_overlap": st.sampled_from([None, *OnOverlap])}
CRON_SCHEDULES = st.builds(Schedule, cron=FIVE_FIELDS, timezone=st.sampled_from(ZONES), **RULES)
MEMBERS = st.one_of(
    CRON_SCHEDULES,
    st.builds(Schedule, cron=SIX_FIELDS, timezone=st.sampled_from(ZONES), **RULES),
    st.builds(Schedule, rrule=RRULES, timezone=st.sampled_from(ZONES), **RULES),
    st.builds(Schedule, every=st.integers(60, 100_000), timezone=st.sampled_from(ZONES)),
)
UNIONS = st.builds(Schedule, any=st.lists(MEMBERS, min_size=1, max_size=3).map(tuple))
SCHEDULES = st.one_of(MEMBERS, UNIONS)
SEEDS = st.integers(0, 2**31 - 1)
INSTANTS = st.one_of(
    st.integers(1_704_067_200, 1_861_833_600).map(lambda seconds: datetime.fromtimestamp(seconds + 0.25, UTC)),
    st.builds(
        lambda change, minutes, ticks: change[1] + timedelta(minutes=minutes, microseconds=ticks),
        st.sampled_from(CHANGES),
        st.integers(-180, 180),
        st.integers(-1, 1),
    ),
)


def window(change: datetime) -> st.SearchStrategy[tuple[datetime, datetime]]:
    """A stretch about a change, its ends often on whole minutes and sometimes just beside."""
    end = st.builds(
        lambda minutes, ticks: change + timedelta(minutes=minutes, microseconds=ticks),
        st.one_of(st.integers(-200, 200), st.integers(-2000, 2000)),
        st.integers(-1, 1),
    )
    return st.tuples(end, end).map(lambda ends: (min(ends), max(ends)))


@settings(max_examples=300, deadline=None)
@given(data=st.data(), change=st.sampled_from(CHANGES), cron=FIVE_FIELDS, seed=SEEDS)
def test_slots_are_those_of_the_oracle(data: Any, change: tuple[str, datetime], cron: str, seed: int) -> None:
    """Between any two instants about a change of clocks there is no slot that the oracle lacks, and none less."""
    zone, moment = change
    schedule = Schedule(cron=cron, timezone=zone, **{name: data.draw(rule) for name, rule in RULES.items()})
    after, until = data.draw(window(moment))
    expected = oracle_slots(schedule, after, until, seed)
    assert list(slots_between(schedule, after, until, seed)) == expected
    assert count_between(schedule, after, until, seed) == len(expected)
    if expected:
        assert next_after(schedule, after, seed) == expected[0]
        assert previous_before(schedule, until + TICK, seed) == expected[-1]


@settings(max_examples=80, deadline=None)
@given(
    data=st.data(),
    change=st.sampled_from(CHANGES),
    every=st.integers(1, 9000),
    cron=FIVE_FIELDS,
    start=st.sampled_from(["20231001T000000", "20240229T023000"]),
    rrule=RRULES,
)
def test_slots_of_other_rules_are_those_of_the_oracle(
    data: Any, change: tuple[str, datetime], every: int, cron: str, start: str, rrule: str
) -> None:
    """The same holds for fixed rates, recurrences, and any of several, within a validity in local time."""
    zone, moment = change
    members = (
        Schedule(every=every, timezone=zone),
        Schedule(cron=cron, timezone=data.draw(st.sampled_from(ZONES))),
        Schedule(rrule=f"DTSTART:{start} RRULE:{rrule}", timezone=zone),
    )
    member = data.draw(st.sampled_from([*members, Schedule(any=members[1:], timezone=zone)]))
    minutes = st.integers(-150, 0).map(lambda number: moment.replace(tzinfo=None) + timedelta(minutes=number))
    low = data.draw(st.one_of(st.none(), minutes))
    high = data.draw(st.one_of(st.none(), minutes.map(lambda wall: wall + timedelta(hours=5))))
    schedule = replace(member, valid_from=low, valid_until=high)
    after, until = moment - timedelta(hours=3), moment + timedelta(hours=3)
    assert list(slots_between(schedule, after, until)) == oracle_slots(schedule, after, until)


@settings(max_examples=300, deadline=None)
@given(schedule=SCHEDULES, start=INSTANTS, seed=SEEDS)
def test_next_after_goes_forward(schedule: Schedule, start: datetime, seed: int) -> None:
    """Every slot is in UTC, on a whole second, and strictly later than the one before."""
    walked = walk(schedule, start, 30, seed)
    assert all(slot.tzinfo is UTC and slot.microsecond == 0 for slot in walked)
    assert all(one < other for one, other in pairwise([start, *walked]))


@settings(max_examples=300, deadline=None)
@given(schedule=SCHEDULES, start=INSTANTS, seed=SEEDS)
def test_next_after_undoes_previous_before(schedule: Schedule, start: datetime, seed: int) -> None:
    """From a slot, one back and one forward is the slot again, and the other way round."""
    for slot, following in pairwise(walk(schedule, start, 6, seed)):
        assert previous_before(schedule, following, seed) == slot
        before = previous_before(schedule, slot, seed)
        assert before is None or (before < slot and next_after(schedule, before, seed) == slot)


@settings(max_examples=200, deadline=None)
@given(schedule=SCHEDULES, start=INSTANTS, seed=SEEDS, steps=st.integers(0, 60))
def test_all_ways_through_a_stretch_agree(schedule: Schedule, start: datetime, seed: int, steps: int) -> None:
    """Taking slots one by one, all of a stretch, and counting them give the same."""
    walked = walk(schedule, start, steps, seed)
    until = walked[-1] if walked else start
    assert list(slots_between(schedule, start, until, seed)) == walked
    assert count_between(schedule, start, until, seed) == len(walked)


@settings(max_examples=200, deadline=None)
@given(schedule=SCHEDULES, start=INSTANTS, seed=SEEDS, cut=st.timedeltas(timedelta(), timedelta(days=3)))
def test_a_stretch_is_its_two_parts(schedule: Schedule, start: datetime, seed: int, cut: timedelta) -> None:
    """Wherever a stretch is cut, no slot is lost or doubled."""
    middle, end = start + cut, start + timedelta(days=3)
    assume(count_between(schedule, start, end, seed) < 20_000)
    whole = list(slots_between(schedule, start, end, seed))
    assert [*slots_between(schedule, start, middle, seed), *slots_between(schedule, middle, end, seed)] == whole


@settings(max_examples=200, deadline=None)
@given(schedule=UNIONS, start=INSTANTS, seed=SEEDS)
def test_any_is_the_union_of_its_members(schedule: Schedule, start: datetime, seed: int) -> None:
    """What any of several schedules names is due once, and nothing else is."""
    end = start + timedelta(days=2)
    assume(count_between(schedule, start, end, seed) < 20_000)
    members = {slot for member in schedule.any or () for slot in slots_between(member, start, end, seed)}
    assert list(slots_between(schedule, start, end, seed)) == sorted(members)


@settings(max_examples=200, deadline=None)
@given(schedule=CRON_SCHEDULES, start=INSTANTS, seed=SEEDS, lengths=st.tuples(*[st.integers(0, 5000)] * 2))
@example(Schedule(cron="0 * * * *"), datetime(2026, 1, 1, tzinfo=UTC), 0, (60, 60))
def test_validity_leaves_the_slots_within(
    schedule: Schedule, start: datetime, seed: int, lengths: tuple[int, int]
) -> None:
    """A validity takes away the slots before and after it, and keeps those on its two ends."""
    low, high = start + timedelta(minutes=lengths[0]), start + timedelta(minutes=sum(lengths))
    begin, end = start - TICK, start + timedelta(minutes=12_000)
    valid = replace(schedule, valid_from=low, valid_until=high)
    within = [slot for slot in slots_between(schedule, begin, end, seed) if low <= slot <= high]
    assert list(slots_between(valid, begin, end, seed)) == within
    assert count_between(valid, begin, end, seed) == len(within)
    assert next_after(valid, begin, seed) == (within[0] if within else None)
    assert previous_before(valid, end, seed) == (within[-1] if within else None)


@settings(max_examples=200, deadline=None)
@given(schedule=SCHEDULES, slot=INSTANTS, seed=SEEDS, jitter=st.integers(0, 86_400))
def test_jitter_is_bounded_and_the_same_every_time(schedule: Schedule, slot: datetime, seed: int, jitter: int) -> None:
    """A slot's delay lies from nothing to the jitter, and does not change."""
    delay = jitter_of(replace(schedule, jitter=jitter), slot, seed)
    assert timedelta() <= delay <= timedelta(seconds=jitter)
    assert jitter_of(replace(schedule, jitter=jitter), slot, seed) == delay


def test_jitter_spreads() -> None:
    """Over many slots, and over many tasks at one slot, the delays fill the range."""
    schedule, start = Schedule(cron="* * * * *", jitter=10), datetime(2026, 1, 1, tzinfo=UTC)
    for delays in (
        [jitter_of(schedule, start + timedelta(minutes=minute), 7) for minute in range(1000)],
        [jitter_of(schedule, start, seed) for seed in range(1000)],
    ):
        tenths = [sum(1 for delay in delays if delay // SECOND == second) for second in range(10)]
        assert min(tenths) > 50
        assert sum(tenths) in (999, 1000)


@settings(max_examples=200, deadline=None)
@given(schedule=SCHEDULES, start=INSTANTS, seed=SEEDS, is_bounded=st.booleans())
def test_data_intervals_tile_time(schedule: Schedule, start: datetime, seed: int, is_bounded: bool) -> None:
    """Each slot's interval ends with the slot and begins where that of the slot before ended: no hole, no overlap."""
    if is_bounded:
        schedule = replace(schedule, valid_from=start)
    intervals = [(slot, data_interval(schedule, slot, seed)) for slot in walk(schedule, start - TICK, 8, seed)]
    for (_, one), (slot, other) in pairwise(intervals):
        assert one is not None
        assert other is not None
        assert other == (one[1], slot)
    if is_bounded and intervals and (first := intervals[0][1]) is not None and intervals[0][0] > start:
        assert first == (start, intervals[0][0])


@settings(max_examples=200, deadline=None)
@given(schedule=CRON_SCHEDULES, start=INSTANTS, seed=SEEDS, minutes=st.integers(1, 3000))
def test_next_run_after_passes_a_pause(schedule: Schedule, start: datetime, seed: int, minutes: int) -> None:
    """The first slot that may run is the first one outside the pause; its end is outside already."""
    end = start + timedelta(minutes=minutes)
    paused = replace(schedule, pauses=(PauseWindow(starts_at=start, until=end),))
    assert next_run_after(paused, start - TICK, seed) == next_after(schedule, end - TICK, seed)


@pytest.mark.parametrize("cron", ["30 2 * * *", "0 30 2 * * *"])
@pytest.mark.parametrize("zone_name", ZONES)
def test_a_time_of_day_is_due_once_a_day(cron: str, zone_name: str) -> None:
    """A schedule at a time of day has exactly one slot on each of a year's days, with five fields and with six."""
    zone = ZoneInfo(zone_name)
    start, end = (datetime(year, 1, 1, tzinfo=zone).astimezone(UTC) for year in (2026, 2027))
    slots = slots_between(Schedule(cron=cron, timezone=zone_name), start, end)
    days = [slot.astimezone(zone).date() for slot in slots]
    assert days == [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]


def test_slots_end_where_the_calendar_ends() -> None:
    """The last instants of year 9999 neither raise nor loop."""
    berlin = Schedule(cron="0 0 1 1 *", timezone="Europe/Berlin")
    assert next_after(berlin, datetime(9999, 12, 31, 12, tzinfo=UTC)) is None
    assert next_after(Schedule(every=60), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)) is None


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin"])
def test_a_year_of_seconds_is_counted_at_once(timezone: str) -> None:
    """Counting goes by days: 31 million slots are counted exactly, in far less time than walking would take."""
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert (
        count_between(Schedule(cron="* * * * * *", timezone=timezone), start, start + timedelta(days=365)) == 31_536_000
    )
    assert count_between(Schedule(every=1), start, start + timedelta(days=365)) == 31_536_000


def walk(schedule: Schedule, start: datetime, steps: int, seed: int) -> list[datetime]:
    """The first slots after `start`, by asking for one after the other."""
    found: list[datetime] = []
    instant: datetime | None = start
    while len(found) < steps and instant is not None and (instant := next_after(schedule, instant, seed)) is not None:
        found.append(instant)
    return found
