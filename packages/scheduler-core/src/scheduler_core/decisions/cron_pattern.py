"""Cron text as a pattern over wall-clock times, without any time zone."""

import calendar
import copy
from bisect import bisect_right
from datetime import date, datetime, timedelta
from functools import lru_cache

from cronsim import CronSim, CronSimError

from scheduler_core.decisions.nearest import hint

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
CRON_LENGTH_MAX = 1000

_FIELDS = (
    ("second", "0-59"),
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of month", "1-31, L or LW"),
    ("month", "1-12 or JAN-DEC"),
    ("day of week", "0-7 or SUN-SAT, 5L, MON#2"),
)
_REFERENCE = datetime(2000, 1, 1)  # noqa: DTZ001  a wall-clock time
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


class CronPattern:
    """The wall-clock times that a valid cron text names."""

    def __init__(self, text: str) -> None:
        self._sim = CronSim(text, _REFERENCE)
        self._seconds = sorted(self._sim.seconds)
        self._minutes = sorted(self._sim.minutes)
        self._hours = sorted(self._sim.hours)
        self._per_day = len(self._seconds) * len(self._minutes) * len(self._hours)
        self.is_fixed = not self._sim.parts[1].startswith("*") and not self._sim.parts[2].startswith("*")
        """Whether it names times of day, not intervals: Debian cron's distinction when clocks change."""

    def next_wall(self, wall: datetime) -> datetime | None:
        """The first matching wall-clock time strictly later; None when none comes within 50 years."""
        sim = copy.copy(self._sim)
        sim.dt = wall.replace(microsecond=0)
        try:
            return next(sim)
        except (StopIteration, OverflowError, ValueError):  # the last two at the end of the calendar
            return None

    def count_walls(self, after: datetime, until: datetime) -> int:
        """How many wall-clock times match in (after, until], counted by days and not one by one."""
        if until <= after:
            return 0
        if after.date() == until.date():
            return self._count_within(until) - self._count_within(after)
        total = self._count_of(after.date()) - self._count_within(after) + self._count_within(until)
        day = after.date() + _DAY
        while day < until.date():
            if day.month not in self._sim.months:
                day += timedelta(days=calendar.monthrange(day.year, day.month)[1] - day.day + 1)
                continue
            total += self._count_of(day)
            day += _DAY
        return total

    def _count_of(self, day: date) -> int:
        return self._per_day if day.month in self._sim.months and self._sim.match_day(day) else 0

    def _count_within(self, wall: datetime) -> int:
        """Matches from midnight to `wall`, both included."""
        if not self._count_of(wall.date()):
            return 0
        hours, minutes, seconds = self._hours, self._minutes, self._seconds
        passed = bisect_right(hours, wall.hour - 1) * len(minutes) * len(seconds)
        if wall.hour in hours:
            passed += bisect_right(minutes, wall.minute - 1) * len(seconds)
            if wall.minute in minutes:
                passed += bisect_right(seconds, wall.second)
        return passed


@lru_cache(maxsize=16384)
def parse_cron(text: str) -> CronPattern:
    """The pattern of a cron text or alias; raises ValueError for one that `cron_problem` explains."""
    # Most texts come from the store and were checked long ago: only those that fail are looked at field by field.
    try:
        return CronPattern(_expanded(text))
    except (CronSimError, ValueError, AssertionError) as error:
        raise ValueError(cron_problem(text) or f"'{text[:100]}' is not a cron text.") from error


def cron_problem(text: str) -> str | None:
    """What is wrong with a cron text, as sentences naming field and value; None when it is fine.

    >>> cron_problem("61 * * * *")
    "The minute field '61' is not valid (0-59, with * , - and /)."
    >>> cron_problem("*/5 * * * *") is None
    True
    """
    if len(text) > CRON_LENGTH_MAX:
        return f"The cron text has {len(text)} characters; at most {CRON_LENGTH_MAX} are allowed."
    if text.strip().startswith("@") and text.strip().lower() not in ALIASES:
        return f"The alias '{text.strip()}' is not known.{hint(text.strip(), ALIASES)}"
    parts = _expanded(text).split()
    if parts and "=" in parts[0]:
        return f"'{parts[0]}' does not belong into the cron text: put the zone into the field timezone."
    if len(parts) not in (5, 6):
        return _count_problem(text, len(parts))
    fields = _FIELDS[-len(parts) :]
    bad = [
        _field_problem(name, values, part)
        for position, ((name, values), part) in enumerate(zip(fields, parts, strict=True), 6 - len(parts))
        if not _field_is_valid(position, part)
    ]
    return " ".join(bad) or _never_problem(text, parts)


def _expanded(text: str) -> str:
    stripped = text.strip()
    return ALIASES.get(stripped.lower(), stripped)


def _count_problem(text: str, count: int) -> str:
    if count == 0:
        return "The cron text is empty. Write five fields, such as '*/5 * * * *'."
    if count == 7:
        return (
            f"'{text.strip()}' has 7 fields; years are not supported. Write five fields (minute hour day-of-month "
            "month day-of-week) or six with seconds first; for one instant use at."
        )
    return (
        f"'{text.strip()[:100]}' has {count} field{'s' if count > 1 else ''}. Write five (minute hour day-of-month "
        "month day-of-week) or six with seconds first."
    )


def _field_is_valid(position: int, part: str) -> bool:
    fields = ["*"] * 6
    fields[position] = part
    try:
        CronSim(" ".join(fields), _REFERENCE)
    except (CronSimError, ValueError, AssertionError):
        return False
    return True


def _field_problem(name: str, values: str, part: str) -> str:
    sentence = f"The {name} field '{part[:100]}' is not valid ({values}, with * , - and /)."
    if "?" in part:
        return f"{sentence} Write * instead of ?."
    if part.upper().endswith("W") and name == "day of month":
        return f"{sentence} The nearest weekday (W) is not supported except as LW, the last weekday of the month."
    return sentence


def _never_problem(text: str, parts: list[str]) -> str | None:
    day, month = parts[-3], parts[-2]
    try:
        possible = CronPattern(_expanded(text)).next_wall(_REFERENCE) is not None
    except (CronSimError, ValueError):
        possible = False
    if possible:
        return None
    return f"No date matches: day of month '{day}' does not exist in month '{month}'."
