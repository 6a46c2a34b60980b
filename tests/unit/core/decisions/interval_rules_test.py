"""Which slots of another schedule a run waits for, against a search through all of them."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.dst_sweep import changes_of
from fixtures.schedule_oracle import oracle_slots
from scheduler_core.decisions.interval_rules import (
    awaited_slots,
    dependency_problems,
    expected_slots,
    interval_words,
    is_met,
    never_holds,
)
from scheduler_core.decisions.schedule_rules import data_interval, next_after
from scheduler_core.models import Dependency, PauseWindow, Schedule, SchedulePeriod
from scheduler_core.models.interval_wait import AwaitedSlots, SlotOutcome, WaitingSlot

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu")
CHANGES = [
    datetime.fromtimestamp(change.second, UTC)
    for zone in ZONES
    for change in changes_of(zone)
    if datetime(2025, 1, 1, tzinfo=UTC).timestamp() < change.second < datetime(2027, 1, 1, tzinfo=UTC).timestamp()
]
RULES = st.sampled_from(
    [
        {"cron": "0 * * * *"},
        {"cron": "*/20 * * * *"},
        {"cron": "30 2 * * *"},
        {"cron": "0 0 * * *"},
        {"cron": "0 6,18 * * 1-5"},
        {"cron": "15 */6 * * *"},
        {"every": 5400},
        {"every": 86_400},
        {"rrule": "DTSTART:20240101T000000 RRULE:FREQ=DAILY;BYHOUR=2,14;BYMINUTE=30"},
        {"rrule": "DTSTART:20240101T000000 RRULE:FREQ=HOURLY;INTERVAL=3"},
    ]
)
SCHEDULES = st.builds(lambda rule, zone: Schedule(**rule, timezone=zone), RULES, st.sampled_from(ZONES))
INTERVALS = st.sampled_from(["same", "contained", "covering", "previous:1", "previous:5", "latest", "within:7h"])


def by_definition(interval: str, wait: WaitingSlot, upstream: Schedule, recorded_from: datetime) -> list[datetime]:
    """What is waited for, by looking at every slot around and at the data interval that each has."""
    assert wait.interval_from is not None
    assert wait.interval_to is not None
    begin, end = wait.interval_from, wait.interval_to
    around = oracle_slots(upstream, begin - 9 * DAY, end + 9 * DAY)
    covered = {slot: before for before, slot in pairwise(around)}
    known = [slot for slot in covered if slot > recorded_from]
    word, _, number = interval.partition(":")
    return {
        "same": lambda: [slot for slot in known if (covered[slot], slot) == (begin, end)],
        "contained": lambda: [slot for slot in known if begin < slot <= end],
        "covering": lambda: [slot for slot in known if covered[slot] <= begin and end <= slot],
        "previous": lambda: [slot for slot in known if slot <= begin][-int(number) :],
        "latest": lambda: [slot for slot in known if slot <= wait.scheduled_at][-1:],
        "within": lambda: [slot for slot in known if wait.scheduled_at - 7 * HOUR < slot <= wait.scheduled_at],
    }[word]()


def waiting(schedule: Schedule, after: datetime) -> WaitingSlot:
    """The first slot of a schedule after an instant."""
    slot = next_after(schedule, after)
    assert slot is not None
    return WaitingSlot(slot, *(data_interval(schedule, slot) or (None, None)))


@settings(max_examples=80, deadline=None)
@given(
    downstream=SCHEDULES,
    upstream=SCHEDULES,
    interval=INTERVALS,
    change=st.sampled_from(CHANGES),
    offset=st.integers(-3 * 1440, 3 * 1440),
    recorded=st.sampled_from([None, -30, 0, 30]),
)
def test_core_unit_intervals_are_what_a_search_finds(
    downstream: Schedule, upstream: Schedule, interval: str, change: datetime, offset: int, recorded: int | None
) -> None:
    """Over all zones, around the changes of their clocks, wherever the record begins."""
    wait = waiting(downstream, change + timedelta(minutes=offset))
    recorded_from = BEGINNING if recorded is None else wait.scheduled_at + recorded * HOUR
    found = expected_slots(Dependency("upstream", interval), wait, upstream, 0, recorded_from)
    wanted = by_definition(interval, wait, upstream, recorded_from)
    assert list(found.slots) == wanted
    is_single = interval in ("same", "covering", "latest")
    assert (found.reason is not None) == (is_single and not wanted)


def test_core_unit_intervals_leave_out_what_a_pause_window_takes() -> None:
    """The schedule itself says that such slots get no run: the newest before are taken in their place."""
    pause = PauseWindow(starts_at=MIDNIGHT, until=MIDNIGHT + 300 * DAY)
    hourly = Schedule(cron="0 * * * *", pauses=(pause,))
    wait = WaitingSlot(MIDNIGHT + 200 * DAY, MIDNIGHT - 2 * HOUR, MIDNIGHT + 200 * DAY)

    def found(interval: str) -> tuple[datetime, ...]:
        return expected_slots(Dependency("hourly", interval), wait, hourly, 0, BEGINNING).slots

    assert found("contained") == (MIDNIGHT - HOUR,)
    assert found("latest") == (MIDNIGHT - HOUR,)
    assert found("previous:2") == (MIDNIGHT - 3 * HOUR, MIDNIGHT - 2 * HOUR)
    assert found("covering") == ()


def test_core_unit_intervals_follow_a_changed_schedule() -> None:
    """Slots before a change are those of the former schedule."""
    noon = MIDNIGHT + DAY / 2
    former = SchedulePeriod(
        task_id=1, counts_from=BEGINNING, counts_until=noon, schedule=Schedule(cron="0 * * * *"), seed=0
    )
    present = SchedulePeriod(
        task_id=1, counts_from=noon, counts_until=None, schedule=Schedule(cron="30 */6 * * *"), seed=0
    )
    wait = WaitingSlot(MIDNIGHT + DAY, MIDNIGHT, MIDNIGHT + DAY)

    def found(interval: str, *periods: SchedulePeriod) -> AwaitedSlots:
        return awaited_slots(Dependency("upstream", interval), wait, periods)

    hours = tuple(MIDNIGHT + hour * HOUR for hour in range(1, 13))
    assert found("contained", former, present).slots == (*hours, MIDNIGHT + 12.5 * HOUR, MIDNIGHT + 18.5 * HOUR)
    assert found("within:2d", former).slots[-1] == noon
    assert found("latest", former, present).slots == (MIDNIGHT + 18.5 * HOUR,)
    ended = SchedulePeriod(
        task_id=1, counts_from=BEGINNING, counts_until=MIDNIGHT - DAY, schedule=Schedule(cron="0 * * * *"), seed=0
    )
    assert "no schedule" in (found("contained", ended).reason or "")
    assert "no schedule" in (found("contained").reason or "")


def test_core_unit_intervals_without_slots_are_met_or_impossible() -> None:
    """Nothing to wait for is met at once where any number will do, and can never be met where one slot is asked for."""
    wait = WaitingSlot(MIDNIGHT, MIDNIGHT - HOUR, MIDNIGHT)
    weekly = Schedule(cron="0 12 * * 3")

    def found(interval: str) -> AwaitedSlots:
        return expected_slots(Dependency("weekly", interval), wait, weekly, 0, MIDNIGHT - HOUR)

    for interval in ("contained", "within:1h", "previous:3"):
        assert found(interval) == AwaitedSlots()
    for interval in ("same", "covering", "latest"):
        reason = found(interval).reason
        assert (reason is None) == (interval == "covering"), "the week around is yet to come"


def test_core_unit_intervals_of_a_fixed_delay_cannot_be_waited_for() -> None:
    """Only its runs tell when it is due."""
    wait = WaitingSlot(MIDNIGHT, MIDNIGHT - DAY, MIDNIGHT)
    found = expected_slots(Dependency("poll", "contained"), wait, Schedule(after_end=60), 0, BEGINNING)
    assert "after_end" in (found.reason or "")


def test_core_unit_intervals_have_a_greatest_number_of_slots() -> None:
    """More than ten thousand slots are refused, not waited for."""
    wait = WaitingSlot(MIDNIGHT, MIDNIGHT - 8 * DAY, MIDNIGHT)
    minutely = Schedule(every=60)
    assert len(expected_slots(Dependency("m", "previous:10000"), wait, minutely, 0, BEGINNING).slots) == 10_000
    assert "too many" in (expected_slots(Dependency("m", "contained"), wait, minutely, 0, BEGINNING).reason or "")


@pytest.mark.parametrize(
    ("condition", "outcomes", "expected"),
    [
        ("success", {SlotOutcome.SUCCESS: 3}, True),
        ("success", {SlotOutcome.SUCCESS: 2, SlotOutcome.FAILURE: 1}, False),
        ("success", {SlotOutcome.SUCCESS: 2, SlotOutcome.NO_RUN: 1}, False),
        ("failure", {SlotOutcome.FAILURE: 1}, True),
        ("failure", {SlotOutcome.SUCCESS: 2, SlotOutcome.SKIPPED: 1}, False),
        ("finished", {SlotOutcome.SKIPPED: 1, SlotOutcome.NO_RUN: 1, SlotOutcome.FAILURE: 1}, True),
        ("finished", {SlotOutcome.SUCCESS: 2}, False),
        ("at_least:2", {SlotOutcome.SUCCESS: 2}, True),
        ("at_least:2", {SlotOutcome.SUCCESS: 1, SlotOutcome.FAILURE: 2}, False),
        ("at_least:5", {SlotOutcome.SUCCESS: 3}, True),
    ],
)
def test_core_unit_intervals_conditions(condition: str, outcomes: dict[SlotOutcome, int], expected: bool) -> None:
    """Of three slots; at_least never asks for more than there are."""
    assert is_met(condition, 3, outcomes) is expected
    assert is_met(condition, 0, {})


@pytest.mark.parametrize(
    ("dependency", "fields", "told"),
    [
        (Dependency("u", "contained", "at_least:20", deadline=10_800), [], ""),
        (Dependency("u", "within:6h", "finished"), [], ""),
        (Dependency("u", "containd"), ["interval"], "Did you mean contained?"),
        (Dependency("u", "previos:3"), ["interval"], "Did you mean previous:K?"),
        (Dependency("u", "previous"), ["interval"], "previous:1"),
        (Dependency("u", "previous:0"), ["interval"], "from 1 to 10000"),
        (Dependency("u", "within:6x"), ["interval"], "'6x' is no length of time"),
        (Dependency("u", "within:0s"), ["interval"], "from 1s to 366d"),
        (Dependency("u", "same", "sucess"), ["condition"], "Did you mean success?"),
        (Dependency("u", "same", "at_least"), ["condition"], "at_least:1"),
        (Dependency("u", "same", "at_least:2"), ["condition"], "gives at most 1 slot"),
        (Dependency("u", "previous:3", "at_least:4"), ["condition"], "gives at most 3 slots"),
        (Dependency("u", "latest", "zzz", deadline=0), ["condition", "deadline"], "at_least:N"),
    ],
)
def test_core_unit_intervals_problems_of_a_definition(dependency: Dependency, fields: list[str], told: str) -> None:
    """Each problem with its field, all at once, with what is possible instead."""
    problems = dependency_problems(dependency)
    assert [problem.field for problem in problems] == fields
    assert told in " ".join(problem.message for problem in problems)


DAILY, HOURLY = Schedule(cron="0 0 * * *", timezone="Europe/Berlin"), Schedule(cron="0 * * * *")


@pytest.mark.parametrize(
    ("interval", "downstream", "upstream", "told"),
    [
        ("contained", DAILY, HOURLY, None),
        ("covering", HOURLY, DAILY, None),
        ("same", DAILY, DAILY, None),
        ("latest", HOURLY, DAILY, None),
        ("previous:2", DAILY, HOURLY, None),
        ("same", DAILY, HOURLY, "never gives a slot"),
        ("contained", HOURLY, DAILY, "never gives a slot"),
        ("contained", Schedule(cron="30 0 * * *"), HOURLY, None),
        ("contained", Schedule(cron="0 1 * * *"), Schedule(cron="0 0 * * 1-5"), None),
        ("covering", DAILY, HOURLY, "never gives a slot"),
        ("contained", Schedule(cron="0 0 1 * *"), Schedule(every=60), "too many"),
        ("contained", Schedule(at=datetime(2030, 1, 1, tzinfo=UTC)), HOURLY, "no data intervals"),
        ("within:6h", Schedule(at=datetime(2030, 1, 1, tzinfo=UTC)), HOURLY, None),
        ("contained", DAILY, Schedule(after_end=60), "only its runs can tell"),
        ("contained", Schedule(after_end=60), HOURLY, "after_end"),
    ],
)
def test_core_unit_intervals_that_never_hold(
    interval: str, downstream: Schedule, upstream: Schedule, told: str | None
) -> None:
    """A dependency whose slots never come is told of, as a sentence, when it is defined."""
    sentence = never_holds(Dependency("u", interval), downstream, 0, upstream, 0, MIDNIGHT)
    assert (sentence is None) if told is None else told in (sentence or "")


def test_core_unit_intervals_in_words() -> None:
    """As they stand in messages."""
    words = {text: interval_words(Dependency("u", text)) for text in ("same", "previous:1", "previous:3", "within:90m")}
    assert words == {
        "same": "the slot of 'u' with the same interval",
        "previous:1": "the slot of 'u' before the interval",
        "previous:3": "the 3 slots of 'u' before the interval",
        "within:90m": "all slots of 'u' in the 1h30m up to the slot",
    }
