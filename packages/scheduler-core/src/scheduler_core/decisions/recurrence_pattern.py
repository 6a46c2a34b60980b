"""RFC 5545 recurrence rules as patterns over wall-clock times.

python-dateutil expands months, years and weeks, each by itself: left alone it walks on to the year 9999 after a date
that never comes. Steps within a day, which it would walk one by one from the rule's beginning, are arithmetic here.
"""

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from dateutil import rrule as dateutil_rrule

from scheduler_core.decisions.recurrence_text import STEP_SECONDS, RecurrenceProblem, read_recurrence
from scheduler_core.decisions.wall_batch import DAY_SECONDS, WallBatch, single, times_of_day

RECURRENCE_LENGTH_MAX = 1000

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  a wall-clock time
_HOUR = 3600
_LAST_YEAR_SECONDS = 221_845_392_000  # the end of the year 8999
_POSITIONS_AMONG_MAX = 100
_DATE_FILTERS = ("bymonth", "bymonthday", "byyearday", "byweekday")
_YEARS_MAX = 50
_BEYOND_THE_CALENDAR = 12 * 9999
"""An interval, in years or months, after which dateutil's calendar is over: it then expands one period and stops."""


class RecurrencePattern:
    """The wall-clock times of a rule; `begins_at` counts when the text has no DTSTART of its own."""

    def __init__(self, text: str, begins_at: datetime | None = None) -> None:
        read = read_recurrence(text, has_beginning=begins_at is not None)
        self._start = read.begins_at or begins_at or _EPOCH
        self._frequency = read.frequency
        self._interval = read.interval
        self.until = None if read.until is None else _seconds(read.until)
        """The last second at which a time may lie; None without UNTIL."""
        self._options = read.options
        self.is_fixed = self._frequency not in STEP_SECONDS
        """Whether it names times of day, not intervals."""
        if self.is_fixed:
            self._write_out_defaults()
            self._times = self._times_of_day()
        else:
            self._check_steps()
        self._counted = None if read.count is None else self._first_times(read.count)

    @property
    def begins_at(self) -> int:
        """The first second at which a time may lie."""
        return _seconds(self._start)

    def batches(self, first: int, last: int) -> Iterator[WallBatch]:
        """All times in [first, last], in order; gives up about 50 years after `first`."""
        first = max(first, self.begins_at)
        last = min(last, first + _YEARS_MAX * 366 * DAY_SECONDS)
        if self.until is not None:
            last = min(last, self.until)
        if first > last:
            return
        if self._counted is not None:
            yield from (single(wall) for wall in self._counted if first <= wall <= last)
        else:
            yield from self._uncounted(first, last)

    def _uncounted(self, first: int, last: int) -> Iterator[WallBatch]:
        if not self.is_fixed:
            yield from self._stepped(first, last)
            return
        if "bysetpos" in self._options and len(self._times) > 1 and self._frequency != "DAILY":
            # Positions among dates and times together: dateutil's own walk knows how.
            yield from (single(wall) for wall in self._walked(first, last, self._options))
            return
        for midnight in self._dates(first - first % DAY_SECONDS, last):
            low, high = bisect_left(self._times, first - midnight), bisect_right(self._times, last - midnight)
            if low < high:
                yield WallBatch(midnight, self._times, low, high)

    def _first_times(self, count: int) -> tuple[int, ...]:
        found: list[int] = []
        for begin in range(self.begins_at, _LAST_YEAR_SECONDS, _YEARS_MAX * 366 * DAY_SECONDS):
            for batch in self._uncounted(begin, begin + _YEARS_MAX * 366 * DAY_SECONDS - 1):
                found.extend(itertools.islice(batch.seconds(), count - len(found)))
                if len(found) == count:
                    return tuple(found)
        raise RecurrenceProblem(f"COUNT={count} is not reached before the year 9000. Lower it, or leave it out.")

    def _dates(self, first: int, last: int) -> Iterator[int]:
        """For YEARLY to DAILY: the midnights of the days in [first, last] that the rule names."""
        if self._frequency == "DAILY":
            start = self.begins_at // DAY_SECONDS
            for midnight in self._days(first, last):
                if (midnight // DAY_SECONDS - start) % self._interval == 0:
                    yield midnight
        else:
            yield from self._walked(first, last, {**self._options, "byhour": 0, "byminute": 0, "bysecond": 0})

    def _walked(self, first: int, last: int, options: Mapping[str, Any]) -> Iterator[int]:
        """What dateutil gives in [first, last], period by period."""
        low, high = _EPOCH + timedelta(seconds=first), _EPOCH + timedelta(seconds=last)
        rules = self._weeks(low, high, options) if self._frequency == "WEEKLY" else self._months(low, high, options)
        for rule in rules:
            for found in rule:
                wall = _seconds(found)
                if wall > last:
                    return
                if wall >= first:
                    yield wall

    def _months(self, low: datetime, high: datetime, options: Mapping[str, Any]) -> Iterator[dateutil_rrule.rrule]:
        """The rule for one month or year after another, in its phase: an impossible date never sends it on a walk."""
        start = self._start
        size = 12 if self._frequency == "YEARLY" else 1
        begin = start.year * 12 + (start.month - 1 if size == 1 else 0)
        step = size * self._interval
        month = begin + max(0, (low.year * 12 + low.month - 1 - begin) // step) * step
        while month <= high.year * 12 + high.month - 1:
            yield dateutil_rrule.rrule(
                getattr(dateutil_rrule, self._frequency),
                dtstart=datetime(month // 12, month % 12 + 1, 1),  # noqa: DTZ001  a wall-clock time
                interval=_BEYOND_THE_CALENDAR,
                **options,
            )
            month += step

    def _weeks(self, low: datetime, high: datetime, options: Mapping[str, Any]) -> Iterator[dateutil_rrule.rrule]:
        """One walk that begins a whole number of intervals after the rule's own beginning."""
        size = timedelta(weeks=self._interval)
        start = datetime.combine(self._start, datetime.min.time())
        steps = max(0, (low - start) // size - 1)
        yield dateutil_rrule.rrule(
            dateutil_rrule.WEEKLY, dtstart=start + steps * size, interval=self._interval, until=high, **options
        )

    def _times_of_day(self) -> Sequence[int]:
        options = self._options
        times = times_of_day(*(tuple(sorted(set(options[name]))) for name in ("byhour", "byminute", "bysecond")))
        positions = options.get("bysetpos")
        if positions is None or len(times) == 1:
            return times
        if len(times) > _POSITIONS_AMONG_MAX:
            raise RecurrenceProblem(
                f"BYSETPOS chooses among at most {_POSITIONS_AMONG_MAX} times a day, here there are {len(times)}. "
                "Name fewer with BYHOUR, BYMINUTE and BYSECOND."
            )
        if self._frequency != "DAILY":
            return times
        indexes = {position - 1 if position > 0 else len(times) + position for position in positions}
        return tuple(times[index] for index in sorted(indexes) if 0 <= index < len(times))

    def _stepped(self, first: int, last: int) -> Iterator[WallBatch]:
        """For HOURLY and finer: every so many hours, minutes or seconds that no filter takes away, hour by hour."""
        unit = STEP_SECONDS[self._frequency]
        step = unit * self._interval
        start = self.begins_at // unit * unit
        within = self._times_within(unit)
        is_filtered = any(name in self._options for name in ("byhour", "byminute", "bysecond"))
        piece = _HOUR if is_filtered or unit > 1 else DAY_SECONDS
        for midnight in self._days(first, last):
            for begin in range(midnight, midnight + DAY_SECONDS, piece):
                low, high = max(first, begin), min(last, begin + piece - 1)
                moment = start + -((start - low // unit * unit) // step) * step
                times: Sequence[int] = range(moment, high + 1, step)
                if is_filtered or unit > 1:
                    times = [
                        each + second
                        for each in times
                        if self._is_wanted(each % DAY_SECONDS, unit)
                        for second in within
                        if low <= each + second <= high
                    ]
                if times:
                    yield WallBatch(0, times, 0, len(times))

    def _times_within(self, unit: int) -> tuple[int, ...]:
        """The seconds within an hour or a minute: named by the parts that are finer than it, else the beginning's."""
        minutes = self._options.get("byminute", (self._start.minute,)) if unit > 60 else (0,)
        seconds = self._options.get("bysecond", (self._start.second,)) if unit > 1 else (0,)
        return tuple(sorted({60 * minute + second for minute in minutes for second in seconds}))

    def _is_wanted(self, moment: int, unit: int) -> bool:
        """Whether the parts that are as coarse as the unit, or coarser, let a moment through."""
        options = self._options
        return (
            ("byhour" not in options or moment // 3600 in options["byhour"])
            and (unit > 60 or "byminute" not in options or moment // 60 % 60 in options["byminute"])
            and (unit > 1 or "bysecond" not in options or moment % 60 in options["bysecond"])
        )

    def _check_steps(self) -> None:
        """Refuse steps that can never meet the hours, minutes or seconds that are asked for.

        Over the days they meet every time of day that is a multiple of their greatest common divisor with a day away
        from where they begin, and no other.
        """
        unit = STEP_SECONDS[self._frequency]
        apart = math.gcd(unit * self._interval, DAY_SECONDS)
        begin = self.begins_at // unit * unit % apart
        if not any(self._is_wanted(moment, unit) for moment in range(begin, DAY_SECONDS, apart)):
            raise RecurrenceProblem(
                f"Steps of INTERVAL={self._interval} from the rule's beginning never come to the BYHOUR, BYMINUTE and "
                "BYSECOND that are asked for: it never comes. Change one of them, or DTSTART."
            )

    def _days(self, first: int, last: int) -> Iterator[int]:
        """The midnights of the days that touch [first, last] and that the date filters let through."""
        filters = {name: self._options[name] for name in _DATE_FILTERS if name in self._options}
        begin = first - first % DAY_SECONDS
        if not filters:
            yield from range(begin, last + 1, DAY_SECONDS)
            return
        if set(filters) == {"bymonth"}:
            filters["bymonthday"] = range(1, 32)
        low, high = _EPOCH + timedelta(seconds=begin), _EPOCH + timedelta(seconds=last)
        for year in range(low.year, high.year + 1):
            # dateutil filters a year as a whole; the interval ends its walk there.
            rule = dateutil_rrule.rrule(
                dateutil_rrule.YEARLY,
                dtstart=datetime(year, 1, 1),  # noqa: DTZ001  a wall-clock time
                interval=_BEYOND_THE_CALENDAR,
                byhour=0,
                byminute=0,
                bysecond=0,
                **filters,
            )
            yield from (wall for wall in map(_seconds, rule) if begin <= wall <= last)

    def _write_out_defaults(self) -> None:
        """Take from the beginning what the rule leaves open, as RFC 5545 says, before the beginning is moved."""
        options, start = self._options, self._start
        for name, value in (("byhour", start.hour), ("byminute", start.minute), ("bysecond", start.second)):
            options.setdefault(name, (value,))
        if any(name in options for name in ("byweekno", "byyearday", "bymonthday", "byweekday")):
            return
        if self._frequency == "YEARLY":
            options.setdefault("bymonth", (start.month,))
            options["bymonthday"] = (start.day,)
        elif self._frequency == "MONTHLY":
            options["bymonthday"] = (start.day,)
        elif self._frequency == "WEEKLY":
            options["byweekday"] = (dateutil_rrule.weekday(start.weekday()),)


@lru_cache(maxsize=4096)
def parse_recurrence(text: str, begins_at: datetime | None = None) -> RecurrencePattern:
    """The pattern of a rule's text; raises RecurrenceProblem with a sentence."""
    return RecurrencePattern(text, begins_at)


def recurrence_problem(text: str, begins_at: datetime | None = None) -> str | None:
    """What is wrong with a rule, as a sentence naming part and value; None when it is fine.

    >>> recurrence_problem("FREQ=DAILY;BYHOUR=25")
    "BYHOUR is a list of numbers from 0 to 23, not '25'."
    """
    if len(text) > RECURRENCE_LENGTH_MAX:
        return f"The rule has {len(text)} characters; at most {RECURRENCE_LENGTH_MAX} are allowed."
    try:
        pattern = parse_recurrence(text, begins_at)
    except RecurrenceProblem as problem:
        return str(problem)
    beginning = max(pattern.begins_at, _seconds(datetime(2000, 1, 1)))  # noqa: DTZ001  a wall-clock time
    if next(pattern.batches(beginning, 1 << 62), None) is None and pattern.until is None:
        return f"No date matches within {_YEARS_MAX} years: '{text[:100]}' never comes."
    return None


def _seconds(wall: datetime) -> int:
    return (wall - _EPOCH) // timedelta(seconds=1)
