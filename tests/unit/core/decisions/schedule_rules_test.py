"""Examples of what schedules mean; the laws that hold for all of them stand in schedule_law_test."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_core.decisions.pause_windows import is_paused
from scheduler_core.decisions.schedule_rules import (
    data_interval,
    next_after,
    next_run_after,
    previous_before,
    schedule_seed,
    schedule_start,
    slots_between,
)
from scheduler_core.errors import InvalidInputError
from scheduler_core.models import OnOverlap, PauseWindow, Schedule

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


def test_next_after_raises_for_a_schedule_that_is_refused() -> None:
    """A schedule that cannot be computed raises the error that the check explains."""
    with pytest.raises(InvalidInputError, match="Europe/Berlin"):
        next_after(Schedule(cron="@daily", timezone="Berlin"), NOON)
    with pytest.raises(ValueError, match="time zone"):
        next_after(Schedule(cron="@daily"), datetime(2026, 1, 1))


def test_next_after_gives_a_first_slot_to_a_task_that_never_ran() -> None:
    """A task that has never run is due at its first matching instant, computed from now alone."""
    assert next_after(Schedule(cron="* * * * *"), NOON) == NOON + timedelta(minutes=1)


def test_next_after_of_one_instant() -> None:
    """`at` is due once; without an offset it counts in the schedule's time zone."""
    assert next_after(Schedule(at=NOON), NOON - SECOND) == NOON
    assert next_after(Schedule(at=NOON), NOON) is None
    naive = Schedule(at=datetime(2026, 7, 1, 9), timezone="Europe/Berlin")
    assert next_after(naive, NOON) == datetime(2026, 7, 1, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "on_overlap", "expected"),
    [
        (datetime(2026, 3, 29, 2, 30), None, datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        (datetime(2026, 10, 25, 2, 30), None, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 2, 30), OnOverlap.SECOND, datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_next_after_of_an_instant_in_a_change_night(
    at: datetime, on_overlap: OnOverlap | None, expected: datetime
) -> None:
    """A local instant that does not exist is due after the gap, one that comes twice the first time unless asked."""
    assert next_after(Schedule(at=at, timezone="Europe/Berlin", on_overlap=on_overlap), NOON) == expected


@pytest.mark.parametrize("year", [2040, 2100, 8000])
def test_next_after_finds_what_is_named_however_far(year: int) -> None:
    """An instant, or a validity, that begins beyond the horizon of the search is due all the same."""
    far = datetime(year, 1, 1, tzinfo=UTC)
    assert next_after(Schedule(at=far), NOON) == far
    assert next_after(Schedule(cron="@daily", valid_from=far), NOON) == far


def test_next_after_of_a_fixed_rate() -> None:
    """`every` counts from 1970, or from valid_from, which is its first slot."""
    assert next_after(Schedule(every=3600), NOON) == NOON + HOUR
    shifted = Schedule(every=3600, valid_from=NOON + timedelta(minutes=7))
    assert list(slots_between(shifted, NOON, NOON + 2 * HOUR)) == [
        NOON + n * HOUR + timedelta(minutes=7) for n in (0, 1)
    ]


def test_next_after_of_a_fixed_delay() -> None:
    """`after_end` is due so long after the end of the last run, on a whole second; nothing else can tell its slots."""
    schedule = Schedule(after_end=600)
    assert next_after(schedule, NOON + timedelta(microseconds=1)) == NOON + timedelta(seconds=601)
    assert next_after(Schedule(after_end=600, valid_from=NOON + DAY), NOON) == NOON + DAY
    assert next_after(Schedule(after_end=600, valid_until=NOON + HOUR), NOON + HOUR) is None
    with pytest.raises(ValueError, match="after_end"):
        next(slots_between(schedule, NOON, NOON + DAY))


@pytest.mark.parametrize(
    ("schedule", "slot", "begins"),
    [
        (Schedule(cron="0 12 * * *"), NOON, NOON - DAY),
        (Schedule(cron="0 12 * * *", valid_from=NOON - 3 * HOUR), NOON, NOON - 3 * HOUR),
        (Schedule(cron="0 12 * * *", valid_from=NOON), NOON, NOON - DAY),  # one period before
        (Schedule(cron="0 12 * * *", valid_from=NOON), NOON + DAY, NOON),
        (Schedule(every=3600, valid_from=NOON), NOON, NOON - HOUR),
        (Schedule(after_end=600), NOON, NOON - timedelta(seconds=600)),
    ],
)
def test_data_interval_begins_at_the_slot_before(schedule: Schedule, slot: datetime, begins: datetime) -> None:
    """The first slot's interval begins with the validity, or one period before when that begins with the slot."""
    assert data_interval(schedule, slot) == (begins, slot)


def test_data_interval_of_one_instant_is_none() -> None:
    """A one-shot covers nothing."""
    assert data_interval(Schedule(at=NOON), NOON) is None


def test_is_paused_from_the_beginning_of_a_window_to_before_its_end() -> None:
    """A repeated window opens in the schedule's zone and lasts over midnight; slots in it stay slots."""
    night = Schedule(
        cron="0 * * * *", timezone="Europe/Berlin", pauses=(PauseWindow(cron="0 22 * * *", lasts=8 * 3600),)
    )
    evening = datetime(2026, 3, 1, 21, tzinfo=UTC)  # 22:00 in Berlin
    paused = [is_paused(night, evening + offset) for offset in (-SECOND, timedelta(), 8 * HOUR - SECOND, 8 * HOUR)]
    assert paused == [False, True, True, False]
    assert next_after(night, evening) == evening + HOUR
    assert next_run_after(night, evening - SECOND) == evening + 8 * HOUR


def test_previous_before_ends_where_a_schedule_begins() -> None:
    """Before the first slot of a validity there is none."""
    schedule = Schedule(cron="0 12 * * *", valid_from=NOON)
    assert previous_before(schedule, NOON + SECOND) == NOON
    assert previous_before(schedule, NOON) is None


def test_schedule_start_grants_a_minute_to_an_instant_just_passed() -> None:
    """A request for "now" that arrives late still gets its run; an instant long gone does not, nor a cron slot."""
    assert next_after(Schedule(at=NOON), schedule_start(Schedule(at=NOON), NOON + timedelta(seconds=59))) == NOON
    assert next_after(Schedule(at=NOON), schedule_start(Schedule(at=NOON), NOON + timedelta(seconds=61))) is None
    assert schedule_start(Schedule(cron="* * * * *"), NOON) == NOON


def test_schedule_seed_differs_by_name_and_namespace() -> None:
    """Seeds are stable numbers of 31 bits; stored tasks and previews depend on them."""
    assert schedule_seed("default", "backup") == 388_409_002
    assert len({schedule_seed(space, name) for space in "abc" for name in "abc"}) == 9
