"""Schedules: what is refused, what is due, and what was missed."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_core.decisions.schedule_rules import check_schedule, due_slots, next_after
from scheduler_core.errors import InvalidInputError
from scheduler_core.models import Schedule

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("61 * * * *", "The minute field '61'"),
        ("* 24 * * *", "The hour field '24'"),
        ("* * 32 * *", "The day of month field '32'"),
        ("* * * 13 *", "The month field '13'"),
        ("* * * * 8", "The day of week field '8'"),
        ("60 * * * * *", "The second field '60'"),
        ("*/0 * * * *", "The minute field '*/0'"),
        ("5-1 * * * *", "The minute field '5-1'"),
        ("a b * * *", "The minute field 'a'"),
        ("a b * * *", "The hour field 'b'"),
        ("* * 15W * *", "nearest weekday (W)"),
        ("* * ? * *", "Write * instead of ?"),
        ("0 0 31 2 *", "day of month '31' does not exist in month '2'"),
        ("0 0 30,31 FEB *", "day of month '30,31' does not exist in month 'FEB'"),
        ("0 0 1 1 * * 2027", "years are not supported"),
        ("* * * *", "has 4 fields"),
        ("", "is empty"),
        ("   ", "is empty"),
        ("@dayly", "Did you mean @daily?"),
        ("@reboot", "is not known"),
        ("CRON_TZ=UTC 0 3 * * *", "timezone"),
        (f"{'9' * 900} * * * *", "The minute field"),
        ("*," * 600 + "* * * * *", "at most 1000"),
        ("²L * * * *", "The minute field"),
        ("* * * * ²L", "The day of week field"),
    ],
)
def test_check_schedule_names_the_bad_cron_field(cron: str, told: str) -> None:
    """A refusal names the offending field and its value, or the remedy."""
    problems = check_schedule(Schedule(cron=cron))
    assert [problem.field for problem in problems] == ["schedule.cron"]
    assert told in problems[0].message


@pytest.mark.parametrize(
    "cron",
    ["*/5 * * * *", "0 0 9 * * MON-FRI", "0 0 L * *", "0 0 LW * *", "0 0 * * 5L", "0 0 * * MON#2", "0 0 29 2 *",
     "@daily", " @Hourly ", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", "0 0 * 2 MON#5", "0\t0 * * 7"],
)  # fmt: skip
def test_check_schedule_accepts_what_cron_knows(cron: str) -> None:
    """Five fields, six with seconds first, aliases, L, LW, 5L and MON#2 are accepted, and they come due."""
    assert check_schedule(Schedule(cron=cron)) == []
    assert next_after(Schedule(cron=cron), NOON) is not None


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


def test_check_schedule_wants_either_cron_or_at() -> None:
    """Both and neither are refused; each alone is fine."""
    assert "not both" in check_schedule(Schedule(cron="@daily", at=NOON))[0].message
    assert "needs cron" in check_schedule(Schedule())[0].message
    assert check_schedule(Schedule(at=NOON)) == []


def test_check_schedule_tells_all_problems_at_once() -> None:
    """A bad cron text does not hide a bad zone."""
    problems = check_schedule(Schedule(cron="61 * * * *", timezone="Berlin"))
    assert [problem.field for problem in problems] == ["schedule.cron", "schedule.timezone"]


def test_next_after_raises_for_a_schedule_that_is_refused() -> None:
    """A schedule that cannot be computed raises the error that the check explains."""
    with pytest.raises(InvalidInputError, match="Europe/Berlin"):
        next_after(Schedule(cron="@daily", timezone="Berlin"), NOON)
    with pytest.raises(ValueError, match="time zone"):
        next_after(Schedule(cron="@daily"), datetime(2026, 1, 1))  # noqa: DTZ001  that is the point


def test_next_after_gives_a_first_slot_to_a_task_that_never_ran() -> None:
    """D3: a task that has never run is due at its first matching instant, computed from now alone."""
    assert next_after(Schedule(cron="* * * * *"), NOON) == NOON + timedelta(minutes=1)


def test_next_after_of_one_instant() -> None:
    """`at` is due once; without an offset it counts in the schedule's time zone."""
    assert next_after(Schedule(at=NOON), NOON - timedelta(seconds=1)) == NOON
    assert next_after(Schedule(at=NOON), NOON) is None
    naive = Schedule(at=datetime(2026, 7, 1, 9), timezone="Europe/Berlin")  # noqa: DTZ001  the zone stands beside it
    assert next_after(naive, NOON) == datetime(2026, 7, 1, 7, tzinfo=UTC)


def test_next_after_takes_microseconds() -> None:
    """Plain cron costs less than 50 microseconds a step (more is allowed on a busy machine)."""
    schedule = Schedule(cron="*/5 * * * *", timezone="Europe/Berlin")
    best = min(_seconds_for_100(schedule) for _ in range(5))
    assert best / 100 < 200e-6


def _seconds_for_100(schedule: Schedule) -> float:
    began, instant = time.perf_counter(), NOON
    for _ in range(100):
        found = next_after(schedule, instant)
        assert found is not None
        instant = found
    return time.perf_counter() - began


def test_due_slots_before_the_first_is_due() -> None:
    """Nothing is due before its time."""
    slots = due_slots(Schedule(cron="@hourly"), NOON, NOON - timedelta(seconds=1))
    assert slots == (None, None, None, 0, NOON)


def test_due_slots_runs_a_slot_in_time() -> None:
    """A slot that is due is run and nothing was missed."""
    slots = due_slots(Schedule(cron="@hourly"), NOON, NOON + timedelta(minutes=59))
    assert slots == (NOON, None, None, 0, NOON + timedelta(hours=1))


def test_due_slots_runs_the_latest_and_counts_the_others() -> None:
    """After two hours of silence, 7,200 one-second slots are missed and the present one is run."""
    now = NOON + timedelta(hours=2, microseconds=500)
    slots = due_slots(Schedule(cron="* * * * * *"), NOON, now)
    second = timedelta(seconds=1)
    latest = NOON + timedelta(hours=2)
    assert slots == (latest, NOON, latest - second, 7200, latest + second)


def test_due_slots_of_a_year_of_seconds_is_quick_and_exact() -> None:
    """A year of one-second slots is counted exactly and in no time."""
    began = time.perf_counter()
    slots = due_slots(Schedule(cron="* * * * * *", timezone="Europe/Berlin"), NOON, NOON + timedelta(days=365))
    assert slots.missed_count == 365 * 86_400
    assert time.perf_counter() - began < 2


def test_due_slots_of_one_instant_ends_the_schedule() -> None:
    """A one-shot that is due runs, however late, and is never due again."""
    assert due_slots(Schedule(at=NOON), NOON, NOON + timedelta(days=9)) == (NOON, None, None, 0, None)


@settings(max_examples=200, deadline=None)
@given(
    cron=st.sampled_from(["*/7 * * * *", "*/20 30 * * * *", "30 2 * * *", "0 */3 * * *", "0 9 * * 1-5", "0 0 1 * *"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"]),
    start=st.integers(0, 365 * 86_400).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    silence=st.timedeltas(timedelta(), timedelta(days=3)),
)
def test_due_slots_agrees_with_walking(cron: str, zone: str, start: datetime, silence: timedelta) -> None:
    """The stretch of missed slots, the latest and the next one are what walking slot by slot gives."""
    schedule = Schedule(cron=cron, timezone=zone)
    first = next_after(schedule, start)
    assert first is not None
    now, walked, slot = first + silence, [], first
    while slot <= now:
        walked.append(slot)
        following = next_after(schedule, slot)
        assert following is not None
        slot = following
    *missed, latest = walked
    assert due_slots(schedule, first, now) == (
        latest,
        missed[0] if missed else None,
        missed[-1] if missed else None,
        len(missed),
        slot,
    )
