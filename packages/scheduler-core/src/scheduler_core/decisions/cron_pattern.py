"""Cron text as a pattern over wall-clock times, without any time zone.

Wall-clock times are whole seconds since 1970-01-01T00:00:00 on the clock on the wall. cronsim reads the fields and
says which days match; times of day are laid out once and stepped through by arithmetic.
"""

import hashlib
import itertools
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import lru_cache, partial

from cronsim import CronSim, CronSimError

from scheduler_core.decisions.nearest import hint
from scheduler_core.decisions.wall_batch import DAY_SECONDS, WallBatch, times_of_day

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
YEARS_MAX = 50
"""How far ahead a pattern is searched for a match."""

_FIELDS = (
    ("second", "0-59"),
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of month", "1-31, L or LW"),
    ("month", "1-12 or JAN-DEC"),
    ("day of week", "0-7 or SUN-SAT, 5L, MON#2"),
)
_RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
# Days of a month end at 28, so that every month has the day that is drawn.
_HASHED_RANGES = ((0, 59), (0, 59), (0, 23), (1, 28), (1, 12), (0, 6))
_HASHED = re.compile(r"H(?:\((\d+)-(\d+)\))?(?:/(\d+))?", re.IGNORECASE)
_REFERENCE = datetime(2000, 1, 1)  # noqa: DTZ001  a wall-clock time
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


class CronPattern:
    """The wall-clock times that a valid cron text names."""

    def __init__(self, text: str) -> None:
        sim = self._sim = CronSim(text, _REFERENCE)
        self._times = times_of_day(*(tuple(sorted(part)) for part in (sim.hours, sim.minutes, sim.seconds)))
        self._days: dict[tuple[int, int], tuple[int, ...]] = {}
        self.is_fixed = not any(part.startswith("*") for part in text.split()[-5:-3])
        """Whether it names times of day, not intervals: Debian cron's distinction when clocks change."""

    def batches(self, first: int, last: int) -> Iterator[WallBatch]:
        """All matching times in [first, last], in order, a day at a time; gives up 50 years after `first`."""
        day = date.fromordinal(first // DAY_SECONDS + _EPOCH_ORDINAL)
        year, month = day.year, day.month
        year_end = min(year + YEARS_MAX, 9998)
        times = self._times
        while year <= year_end:
            if (date(year, month, 1).toordinal() - _EPOCH_ORDINAL) * DAY_SECONDS > last:
                return
            if month in self._sim.months:
                for midnight in self._days_of(year, month):
                    if midnight + DAY_SECONDS <= first:
                        continue
                    if midnight > last:
                        return
                    low = bisect_left(times, first - midnight) if midnight < first else 0
                    high = bisect_right(times, last - midnight) if midnight + DAY_SECONDS > last else len(times)
                    if low < high:
                        yield WallBatch(midnight, times, low, high)
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)

    def _days_of(self, year: int, month: int) -> tuple[int, ...]:
        """The midnights of the matching days of a month."""
        days = self._days.get((year, month))
        if days is None:
            first = date(year, month, 1).toordinal()
            found = []
            for ordinal in range(first, first + 31):
                day = date.fromordinal(ordinal)
                if day.month != month:
                    break
                if self._sim.match_day(day):
                    found.append((ordinal - _EPOCH_ORDINAL) * DAY_SECONDS)
            days = tuple(found)
            if len(self._days) > 100:  # a year ahead and then some; schedules by the thousand are kept in memory
                self._days.clear()
            self._days[year, month] = days
        return days


def is_hashed(text: str) -> bool:
    """Whether a cron text leaves a value open with H, to be drawn from a task's seed."""
    return any(map(_is_hashed, _expanded(text).split()))


def _is_hashed(part: str) -> bool:
    return any(_HASHED.fullmatch(term) for term in part.split(","))


def _number(seed: int, position: int) -> int:
    """What H draws in a field: the first eight bytes of the SHA-256 of "seed:field", fields from 0 for seconds on."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{position}".encode()).digest()[:8], "big")


def _drawn(text: str, number_of: Callable[[int], int]) -> str:
    """The text with a value in place of each H: `H`, `H(1-5)`, `H/15` and `H(0-29)/10`, as Jenkins writes them.

    Without a step the value is the field's number modulo the size of the range, above its start; with a step it is the
    number modulo the step, above the start, and then every step up to the end.
    """
    parts = text.split()
    for position, part in enumerate(parts, 6 - len(parts)):
        terms = part.split(",")
        if 0 <= position < 6 and any(_HASHED.fullmatch(term) for term in terms):
            number = number_of(position)
            parts[position - 6 + len(parts)] = ",".join(_draw(term, position, number) for term in terms)
    return " ".join(parts)


def _draw(term: str, position: int, number: int) -> str:
    match = _HASHED.fullmatch(term)
    if match is None:
        return term
    low, high = _HASHED_RANGES[position]
    if match[1]:
        low, high = int(match[1]), int(match[2])
    step = int(match[3]) if match[3] else 0
    least, most = _RANGES[position]
    if not least <= low <= high <= most or (match[3] and not 0 < step <= high - low + 1):
        raise ValueError(term)
    return f"{low + number % step}-{high}/{step}" if step else str(low + number % (high - low + 1))


@lru_cache(maxsize=16384)
def parse_cron(text: str, seed: int = 0) -> CronPattern:
    """The pattern of a cron text or alias; raises ValueError for one that `cron_problem` explains."""
    # Most texts come from the store and were checked long ago: only those that fail are looked at field by field.
    try:
        return _pattern(_drawn(_expanded(text), partial(_number, seed)))
    except (CronSimError, ValueError, AssertionError) as error:
        raise ValueError(cron_problem(text) or f"'{text[:100]}' is not a cron text.") from error


@lru_cache(maxsize=4096)
def _pattern(drawn: str) -> CronPattern:
    # Tasks by the thousand with H in their text share the few patterns that it can lead to.
    return CronPattern(drawn)


def cron_problem(text: str) -> str | None:
    """What is wrong with a cron text, as sentences naming field and value; None when it is fine.

    >>> cron_problem("61 * * * *")
    "The minute field '61' is not valid (0-59, with * , - / and H)."
    >>> cron_problem("*/5 * * * *") is None
    True
    """
    if len(text) > CRON_LENGTH_MAX:
        return f"The cron text has {len(text)} characters; at most {CRON_LENGTH_MAX} are allowed."
    if text.strip().startswith("@") and text.strip().lower() not in ALIASES:
        return f"The alias '{text.strip()}' is not known.{hint(text.strip(), ALIASES)}"
    parts = _expanded(text).split()
    if option := next((part for part in parts if "=" in part), None):
        return (
            f"'{option[:100]}' does not belong into the cron text. Options stand before the rule, each once, and only "
            "where a schedule is a text; else use the field: timezone, on_gap, on_overlap, valid_from, valid_until or "
            "jitter."
        )
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
        CronSim(_drawn(" ".join(fields), partial(_number, 0)), _REFERENCE)
    except (CronSimError, ValueError, AssertionError):
        return False
    return True


def _field_problem(name: str, values: str, part: str) -> str:
    sentence = f"The {name} field '{part[:100]}' is not valid ({values}, with * , - / and H)."
    if "?" in part:
        return f"{sentence} Write * instead of ?."
    if part.upper().endswith("W") and name == "day of month":
        return f"{sentence} The nearest weekday (W) is not supported except as LW, the last weekday of the month."
    return sentence


def _never_problem(text: str, parts: list[str]) -> str | None:
    day, month = parts[-3], parts[-2]
    if all(_is_possible(variant) for variant in _variants(_expanded(text))):
        return None
    return f"No date matches: day of month '{day}' does not exist in month '{month}'."


def _variants(text: str) -> Iterator[str]:
    """The dates of every text that H can lead to."""
    dates = text.split()[-3:]
    days, months = (
        range(size if is_hashed_part else 1)
        for size, is_hashed_part in zip((31, 12), map(_is_hashed, dates[:-1]), strict=True)
    )
    for day, month in itertools.product(days, months):
        yield _drawn(" ".join(("0", "0", "0", *dates)), defaultdict(int, {3: day, 4: month}).__getitem__)


def _is_possible(text: str) -> bool:
    try:
        return next(CronPattern(text).batches(946_684_800, 1 << 62), None) is not None  # from the year 2000 on
    except (CronSimError, ValueError):
        return False
