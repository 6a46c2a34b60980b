"""RFC 5545 recurrence rules as patterns over wall-clock times.

python-dateutil expands months, years and weeks, each by itself: left alone it walks on to the year 9999 after a date
that never comes. Steps within a day, which it would walk one by one from the rule's beginning, are arithmetic here.
"""

import itertools
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from dateutil import rrule as dateutil_rrule

from scheduler_core.decisions.wall_batch import DAY_SECONDS, WallBatch, single, times_of_day

RECURRENCE_LENGTH_MAX = 1000
COUNT_MAX = 10_000

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  a wall-clock time
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
_HOUR = 3600
_LAST_YEAR_SECONDS = 221_845_392_000  # the end of the year 8999
_POSITIONS_AMONG_MAX = 100
_STEP_SECONDS = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NUMBERS = {
    "BYSECOND": (0, 59),
    "BYMINUTE": (0, 59),
    "BYHOUR": (0, 23),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYMONTH": (1, 12),
    "BYSETPOS": (-366, 366),
}
_WEEKDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_DATE_FILTERS = ("bymonth", "bymonthday", "byyearday", "byweekday")
_YEARS_MAX = 50
_BEYOND_THE_CALENDAR = 12 * 9999
"""An interval, in years or months, after which dateutil's calendar is over: it then expands one period and stops."""


class RecurrenceProblem(ValueError):  # noqa: N818  a sentence about a text, not a failure
    """What is wrong with a rule's text."""


class RecurrencePattern:
    """The wall-clock times of a rule; `begins_at` counts when the text has no DTSTART of its own."""

    def __init__(self, text: str, begins_at: datetime | None = None) -> None:
        own_start, parts = _read(text)
        self._start = own_start or begins_at or _EPOCH
        self._frequency = parts["FREQ"]
        self._interval = _whole("INTERVAL", parts.get("INTERVAL", "1"), 1, 100_000)
        self.until = _seconds(_wall("UNTIL", parts["UNTIL"])) if "UNTIL" in parts else None
        """The last second at which a time may lie; None without UNTIL."""
        self._options = _options(parts)
        self.is_fixed = self._frequency not in _STEP_SECONDS
        """Whether it names times of day, not intervals."""
        _check(parts, has_start=own_start is not None or begins_at is not None)
        if self.is_fixed:
            self._write_out_defaults()
            self._times = self._times_of_day()
        else:
            self._check_steps()
        self._counted: tuple[int, ...] | None = None
        if "COUNT" in parts:
            self._counted = self._first_times(_whole("COUNT", parts["COUNT"], 1, COUNT_MAX))

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
                dtstart=datetime(month // 12, month % 12 + 1, 1),  # noqa: DTZ001
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
        unit = _STEP_SECONDS[self._frequency]
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
        unit = _STEP_SECONDS[self._frequency]
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
                dtstart=datetime(year, 1, 1),  # noqa: DTZ001
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
    beginning = max(pattern.begins_at, _seconds(datetime(2000, 1, 1)))  # noqa: DTZ001
    if next(pattern.batches(beginning, 1 << 62), None) is None and pattern.until is None:
        return f"No date matches within {_YEARS_MAX} years: '{text[:100]}' never comes."
    return None


def _read(text: str) -> tuple[datetime | None, dict[str, str]]:
    start: datetime | None = None
    rule: str | None = None
    for line in text.replace("\\n", "\n").split():
        name, colon, value = line.partition(":")
        upper = name.upper()
        if upper.startswith("DTSTART"):
            if ";" in upper:
                raise RecurrenceProblem(f"'{line[:100]}' names a zone: put it into the field timezone.")
            start = _wall("DTSTART", value)
        elif upper in ("EXDATE", "RDATE", "EXRULE") or upper.partition(";")[0] in ("EXDATE", "RDATE"):
            raise RecurrenceProblem(f"{upper.partition(';')[0]} is not supported. Use pauses, or any of several rules.")
        elif colon and upper != "RRULE":
            raise RecurrenceProblem(
                f"'{name[:50]}' is not known here. Write DTSTART: and RRULE: lines, or the rule alone."
            )
        elif rule is not None:
            raise RecurrenceProblem("There is more than one rule. Use any of several schedules.")
        else:
            rule = value if colon else line
    if not rule:
        raise RecurrenceProblem("The rule is empty. Write one such as FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9.")
    return start, _parts(rule)


def _parts(rule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rule.upper().rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise RecurrenceProblem(f"'{part[:50]}' is no part of a rule: parts are NAME=VALUE, with ; between.")
        if name in parts:
            raise RecurrenceProblem(f"{name} is given twice.")
        if name not in (*_NUMBERS, "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"):
            raise RecurrenceProblem(f"'{name[:50]}' is no part of a rule (RFC 5545, 3.3.10).")
        parts[name] = value
    if parts.get("FREQ") not in _FREQUENCIES:
        raise RecurrenceProblem(f"FREQ is one of {', '.join(_FREQUENCIES)}, not '{parts.get('FREQ', '')[:50]}'.")
    return parts


def _options(parts: Mapping[str, str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, (low, high) in _NUMBERS.items():
        if name in parts:
            options[name.lower()] = _numbers(name, parts[name], low, high)
    if "BYDAY" in parts:
        options["byweekday"] = tuple(_weekday(term) for term in parts["BYDAY"].split(","))
    if "WKST" in parts:
        if parts["WKST"] not in _DAYS:
            raise RecurrenceProblem(f"WKST is one of {', '.join(_DAYS)}, not '{parts['WKST'][:20]}'.")
        options["wkst"] = _DAYS.index(parts["WKST"])
    return options


def _check(parts: Mapping[str, str], *, has_start: bool) -> None:
    frequency = parts["FREQ"]
    if "COUNT" in parts and "UNTIL" in parts:
        raise RecurrenceProblem("COUNT and UNTIL exclude each other. Remove one of them.")
    if "COUNT" in parts and not has_start:
        raise RecurrenceProblem("COUNT needs a beginning: give DTSTART before the rule, or valid_from.")
    if "BYSETPOS" in parts and frequency in _STEP_SECONDS:
        raise RecurrenceProblem(f"BYSETPOS does not go with FREQ={frequency}. Name the times with BYHOUR and BYMINUTE.")
    forbidden = {"BYYEARDAY": ("WEEKLY", "DAILY", "MONTHLY"), "BYMONTHDAY": ("WEEKLY",)}
    for name, frequencies in forbidden.items():
        if name in parts and frequency in frequencies:
            raise RecurrenceProblem(f"{name} does not go with FREQ={frequency} (RFC 5545, 3.3.10).")
    if "BYWEEKNO" in parts and frequency != "YEARLY":
        raise RecurrenceProblem(f"BYWEEKNO goes with FREQ=YEARLY only, not with {frequency}.")
    if frequency not in ("YEARLY", "MONTHLY") and any(
        match is not None and match[1] for match in map(_WEEKDAY.fullmatch, parts.get("BYDAY", "").split(","))
    ):
        raise RecurrenceProblem(f"A number before a weekday goes with FREQ=MONTHLY or YEARLY, not with {frequency}.")


def _whole(name: str, text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text[:12]) <= high:
        raise RecurrenceProblem(f"{name} is a whole number from {low} to {high}, not '{text[:20]}'.")
    return int(text)


def _numbers(name: str, text: str, low: int, high: int) -> tuple[int, ...]:
    numbers = []
    for term in text.split(","):
        if not re.fullmatch(r"[+-]?\d{1,3}", term) or not low <= int(term) <= high or (low < 0 and int(term) == 0):
            raise RecurrenceProblem(f"{name} is a list of numbers from {low} to {high}, not '{text[:50]}'.")
        numbers.append(int(term))
    return tuple(numbers)


def _weekday(term: str) -> Any:
    match = _WEEKDAY.fullmatch(term)
    if match is None or (match[1] and not 1 <= abs(int(match[1])) <= 53):
        raise RecurrenceProblem(
            f"BYDAY is a list of {', '.join(_DAYS)}, with a number before as in 2MO, not '{term[:20]}'."
        )
    day = dateutil_rrule.weekday(_DAYS.index(match[2]))
    return day(int(match[1])) if match[1] else day


def _wall(name: str, text: str) -> datetime:
    upper = text.upper()
    if upper.endswith("Z"):
        remedy = "use valid_until for an instant" if name == "UNTIL" else "the field timezone names the zone"
        raise RecurrenceProblem(f"{name} is local time in the schedule's zone, without Z, not '{text[:30]}'; {remedy}.")
    for form in ("%Y%m%dT%H%M%S", "%Y%m%d"):
        try:
            found = datetime.strptime(upper, form)  # noqa: DTZ007  a wall-clock time
        except ValueError:
            continue
        if not 1970 <= found.year <= 9000:
            raise RecurrenceProblem(f"{name}: the year {found.year} is out of reach. Use 1970 to 9000.")
        # A day alone as an end includes that day.
        return found + timedelta(days=1, seconds=-1) if form == "%Y%m%d" and name == "UNTIL" else found
    raise RecurrenceProblem(f"{name} is a time such as 20270131T090000, not '{text[:30]}'.")


def _seconds(wall: datetime) -> int:
    return (wall - _EPOCH) // timedelta(seconds=1)
