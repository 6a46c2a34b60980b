"""When a schedule is due: checks, the next instant, and what to do with instants that have passed.

Instants go in and come out in UTC with their zone.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from scheduler_core.decisions.cron_pattern import cron_problem, parse_cron
from scheduler_core.decisions.cron_rule import CronRule
from scheduler_core.decisions.time_zone import find_zone, instant_of, unknown_zone_message
from scheduler_core.errors import InvalidInputError, Problem
from scheduler_core.models import Schedule

_SECOND = timedelta(seconds=1)


class DueSlots(NamedTuple):
    """What is due: the latest slot, to be run, and the stretch of earlier ones that were missed.

    `latest` is None when nothing is due yet; `missed_first` and `missed_last` are None when nothing was missed;
    `next_due_at` is None when no slot comes any more.
    """

    latest: datetime | None
    missed_first: datetime | None
    missed_last: datetime | None
    missed_count: int
    next_due_at: datetime | None


def check_schedule(schedule: Schedule, field: str = "schedule") -> list[Problem]:
    """Everything that is wrong with a schedule; empty when it is fine.

    >>> check_schedule(Schedule(cron="0 3 * * *", timezone="Europe/Berlin"))
    []
    >>> check_schedule(Schedule(cron="0 3 31 2 *"))[0].message
    "No date matches: day of month '31' does not exist in month '2'."
    """
    problems = []
    if schedule.cron is not None and schedule.at is not None:
        problems.append(Problem(field, "A schedule has either cron or at, not both. Remove one of them."))
    if schedule.cron is None and schedule.at is None:
        problems.append(Problem(field, "A schedule needs cron (such as '*/5 * * * *') or at (one instant)."))
    if schedule.cron is not None and (problem := cron_problem(schedule.cron)):
        problems.append(Problem(f"{field}.cron", problem))
    if find_zone(schedule.timezone) is None:
        problems.append(Problem(f"{field}.timezone", unknown_zone_message(schedule.timezone)))
    return problems


def next_after(schedule: Schedule, instant: datetime) -> datetime | None:
    """The first due instant strictly later than `instant`; None when none comes (within 50 years).

    An `at` without an offset counts in the schedule's time zone. Raises InvalidInputError for a schedule that
    `check_schedule` refuses.

    >>> next_after(Schedule(cron="0 3 * * *", timezone="Europe/Berlin"), datetime(2026, 6, 1, tzinfo=UTC)).isoformat()
    '2026-06-01T01:00:00+00:00'
    """
    if instant.tzinfo is None:
        raise ValueError("next_after needs an instant with a time zone")
    if schedule.at is not None and schedule.cron is None:
        at = _at(schedule)
        return at if at > instant else None
    return _rule(schedule.cron, schedule.timezone).next_after(instant.astimezone(UTC))


def due_slots(schedule: Schedule, next_due_at: datetime, now: datetime) -> DueSlots:
    """Divide the slots from `next_due_at` to `now`, both included: the latest is run, the others were missed.

    The count is exact; its work grows with the days that have passed, not with the slots. Raises
    InvalidInputError for a schedule that `check_schedule` refuses.
    """
    if next_due_at > now:
        return DueSlots(None, None, None, 0, next_due_at)
    following = next_after(schedule, next_due_at)
    if following is None or following > now:
        return DueSlots(next_due_at, None, None, 0, following)
    latest = _last_until(schedule, following, now)
    missed_last = _last_until(schedule, next_due_at, latest - _SECOND)
    rule = _rule(schedule.cron, schedule.timezone)
    missed_count = rule.count_between(next_due_at, latest)  # all but the first, and all but the last: the same number
    return DueSlots(latest, next_due_at, missed_last, missed_count, next_after(schedule, latest))


def _last_until(schedule: Schedule, slot: datetime, until: datetime) -> datetime:
    """The last slot not later than `until`, given one of them; halves the stretch instead of walking it."""
    low, high = slot, until
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
        found = next_after(schedule, middle)
        if found is None or found > until:
            high = middle
        else:
            low = found
    following = next_after(schedule, low)
    return following if following is not None and following <= until else low


def _at(schedule: Schedule) -> datetime:
    assert schedule.at is not None  # noqa: S101  asked by the caller
    if schedule.at.tzinfo is not None:
        return schedule.at.astimezone(UTC)
    zone = find_zone(schedule.timezone)
    if zone is None:
        raise InvalidInputError.of("schedule.timezone", unknown_zone_message(schedule.timezone))
    return instant_of(schedule.at, zone)


@lru_cache(maxsize=16384)
def _rule(cron: str | None, timezone: str) -> CronRule:
    zone = find_zone(timezone)
    if cron is not None and zone is not None:
        with suppress(ValueError):
            return CronRule(parse_cron(cron), zone)
    raise InvalidInputError(check_schedule(Schedule(cron=cron, timezone=timezone)))
