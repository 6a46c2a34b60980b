"""A cron pattern in a time zone: wall-clock times become instants, with Debian cron's answer to clock changes.

A pattern that names times of day happens once for each: a time that the spring change leaves out is due when the
gap ends, one that the autumn change repeats is due the first time. A pattern with a star in its minutes or hours
follows the clock on the wall as it goes.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler_core.decisions.cron_pattern import CronPattern
from scheduler_core.decisions.time_zone import first_change, instant_of

_SECOND = timedelta(seconds=1)


class CronRule:
    """The strictly increasing UTC instants of a cron pattern in a zone."""

    def __init__(self, pattern: CronPattern, zone: ZoneInfo) -> None:
        self._pattern = pattern
        self._zone = zone

    def next_after(self, instant: datetime) -> datetime | None:
        """The first due instant strictly later than `instant`, in UTC; None when none comes within 50 years."""
        try:
            return self._next_fixed(instant) if self._pattern.is_fixed else self._next_interval(instant)
        except OverflowError:  # the end of the calendar
            return None

    def count_between(self, after: datetime, until: datetime) -> int:
        """How many due instants lie in (after, until]; its work grows with the days between, not with the count."""
        return self._count_fixed(after, until) if self._pattern.is_fixed else self._count_interval(after, until)

    def _next_fixed(self, instant: datetime) -> datetime | None:
        wall: datetime | None = self._wall_reached(instant)
        while wall is not None and (wall := self._pattern.next_wall(wall)) is not None:
            due = instant_of(wall, self._zone)
            if due > instant:
                return due
        return None

    def _next_interval(self, instant: datetime) -> datetime | None:
        start, offset = instant, self._offset(instant)
        while (wall := self._pattern.next_wall(_naive(start + offset))) is not None:
            due = wall.replace(tzinfo=UTC) - offset
            change = first_change(self._zone, start, due)
            if change is None:
                return due
            # Nothing matches before the change: go on from there with the offset that counts from then on.
            start, offset = change - _SECOND, self._offset(change)
            if self._pattern.next_wall(_naive(start + offset)) == _naive(change + offset):
                return change
            start = change
        return None

    def _count_fixed(self, after: datetime, until: datetime) -> int:
        count = self._pattern.count_walls(self._wall_reached(after), self._wall_reached(until))
        for change in self._changes(after, until):
            wall = self._wall(change)
            gap = self._offset(change) - self._offset(change - _SECOND)
            inside = self._pattern.count_walls(wall - gap - _SECOND, wall - _SECOND)
            if inside:
                # All times inside the gap are due at its end, together with what is due there anyway.
                count += 1 - inside - self._pattern.count_walls(wall - _SECOND, wall)
        return count

    def _count_interval(self, after: datetime, until: datetime) -> int:
        count, start, inclusive = 0, after, False
        for end in (*self._changes(after, until), None):
            offset = self._offset(start)
            first = _naive(start + offset) - (_SECOND if inclusive else timedelta())
            last = _naive((until if end is None else end - _SECOND) + offset)
            count += self._pattern.count_walls(first, last)
            if end is not None:
                start, inclusive = end, True
        return count

    def _changes(self, after: datetime, until: datetime) -> Iterator[datetime]:
        change: datetime | None = after
        while change is not None and (change := first_change(self._zone, change, until)) is not None:
            yield change

    def _wall_reached(self, instant: datetime) -> datetime:
        """The latest wall-clock time seen up to `instant`: during a repeated hour that is the end of its first pass."""
        local = instant.astimezone(self._zone)
        if not local.fold:
            return local.replace(tzinfo=None)
        repeated = self._offset_of(local.replace(fold=0)) - self._offset_of(local)
        change = first_change(self._zone, instant - repeated, instant)
        return _naive(change - _SECOND + self._offset(change - _SECOND)) if change else local.replace(tzinfo=None)

    def _wall(self, instant: datetime) -> datetime:
        return instant.astimezone(self._zone).replace(tzinfo=None, fold=0)

    def _offset(self, instant: datetime) -> timedelta:
        return self._offset_of(instant.astimezone(self._zone))

    @staticmethod
    def _offset_of(local: datetime) -> timedelta:
        return local.utcoffset() or timedelta()


def _naive(instant: datetime) -> datetime:
    return instant.replace(tzinfo=None, fold=0)
