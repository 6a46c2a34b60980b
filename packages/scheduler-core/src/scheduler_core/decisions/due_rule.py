"""One rule of a schedule, without validity and pauses, as a source of instants."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from scheduler_core.decisions.cron_pattern import is_hashed, parse_cron
from scheduler_core.decisions.recurrence_pattern import parse_recurrence
from scheduler_core.decisions.time_zone import zone_table
from scheduler_core.decisions.wall_batch import DAY_SECONDS, WallBatch, single
from scheduler_core.decisions.zone_rule import WallPattern, ZoneRule
from scheduler_core.models import OnGap, OnOverlap, Schedule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WALL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  the clock on the wall
_SECOND = timedelta(seconds=1)
_FAR = 2 * DAY_SECONDS
"""No clock is farther from UTC than this, and no gap longer."""


LOOK_BACK = (
    timedelta(seconds=10),
    timedelta(minutes=10),
    timedelta(hours=1),
    *(timedelta(days=days) for days in (1, 8, 64, 512, 366 * 50)),
)
"""How far back what comes last is searched, one distance after another: what is near costs little."""
_PIECE = 40 * 366 * DAY_SECONDS


class DueRule(ABC):
    """Strictly increasing instants in UTC."""

    @abstractmethod
    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """All in (after, until], in order."""

    @abstractmethod
    def last_between(self, after: datetime, until: datetime) -> datetime | None:
        """The last in (after, until]."""

    @abstractmethod
    def count(self, after: datetime, until: datetime) -> int:
        """How many lie in (after, until]."""

    def latest_between(self, after: datetime, until: datetime) -> datetime | None:
        """The same, searched from the end: for a long stretch whose last instants are near it."""
        for distance in LOOK_BACK:
            begin = max(after, until - distance)
            found = self.last_between(begin, until)
            if found is not None or begin == after:
                return found
        return None

    def first_between(self, after: datetime, until: datetime) -> datetime | None:
        """The first in (after, until]."""
        return next(self.between(after, until), None)


def compile_rule(schedule: Schedule, seed: int = 0, begins_at: datetime | None = None) -> DueRule:
    """The rule of a schedule other than `any` and `after_end`; raises ValueError or LookupError for a faulty one.

    `begins_at` is where `every` and a recurrence without a beginning of its own begin to count.
    """
    if schedule.at is not None:
        return _Instants(_instants_of(schedule.at, schedule.timezone, schedule.on_gap, schedule.on_overlap))
    if schedule.every is not None:
        return _BatchRule(_Steps(schedule.every, begins_at, schedule.timezone))
    zone = zone_table(schedule.timezone)
    pattern: WallPattern
    if schedule.cron is not None:
        pattern = parse_cron(schedule.cron, seed if is_hashed(schedule.cron) else 0)
    elif schedule.rrule is not None:
        pattern = parse_recurrence(schedule.rrule, None if begins_at is None else _wall(begins_at, schedule.timezone))
    else:
        raise ValueError("a schedule has one rule")
    return _BatchRule(ZoneRule(pattern, zone, schedule.on_gap, schedule.on_overlap))


@lru_cache(maxsize=4096)
def instant_in(time: datetime, timezone: str) -> datetime:
    """The instant of a time that is in `timezone` unless it has an offset; the end of the gap, the first of two.

    Raises LookupError for an unknown zone.
    """
    (instant,) = _instants_of(time, timezone, OnGap.RUN_AFTER, OnOverlap.FIRST)
    return instant


def _instants_of(
    time: datetime, timezone: str, on_gap: OnGap | None, on_overlap: OnOverlap | None
) -> tuple[datetime, ...]:
    """When clocks show a time: once, twice or, in a gap that is skipped, never."""
    if time.tzinfo is not None:
        return (time.astimezone(UTC),)
    wall = (time - _WALL_EPOCH) // _SECOND
    rule = ZoneRule(_OneWall(wall), zone_table(timezone), on_gap, on_overlap)
    fraction = timedelta(microseconds=time.microsecond)
    return tuple(
        _EPOCH + timedelta(seconds=second) + fraction
        for batch in rule.batches(wall - _FAR, wall + _FAR)
        for second in batch.seconds()
    )


def _wall(time: datetime, timezone: str) -> datetime:
    """The wall-clock time in `timezone` of a time that may have an offset."""
    if time.tzinfo is None:
        return time.replace(microsecond=0)
    instant = (time - _EPOCH) // _SECOND
    return _WALL_EPOCH + timedelta(seconds=instant + zone_table(timezone).offset_at(instant))


class _OneWall:
    """A single wall-clock time."""

    is_fixed = True

    def __init__(self, wall: int) -> None:
        self._wall = wall

    def batches(self, first: int, last: int) -> Iterator[WallBatch]:
        if first <= self._wall <= last:
            yield single(self._wall)


class _Steps:
    """Every so many seconds of elapsed time, counted from a beginning or from 1970; clocks do not matter."""

    def __init__(self, step: int, begins_at: datetime | None, timezone: str) -> None:
        if step <= 0:
            raise ValueError("every is more than 0 seconds")
        self._step = step
        start = _EPOCH if begins_at is None else instant_in(begins_at, timezone)
        self._start = -((_EPOCH - start) // _SECOND)
        self._has_start = begins_at is not None

    def batches(self, first: int, last: int) -> Iterator[WallBatch]:
        first = max(first, self._start) if self._has_start else first
        low = self._start - (self._start - first) // self._step * self._step
        if low <= last:
            count = (last - low) // self._step + 1
            yield WallBatch(low, range(0, count * self._step, self._step), 0, count)


class _Instants(DueRule):
    """One instant, or the two at which clocks show one time."""

    def __init__(self, instants: tuple[datetime, ...]) -> None:
        self._instants = instants

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        return (instant for instant in self._instants if after < instant <= until)

    def last_between(self, after: datetime, until: datetime) -> datetime | None:
        return max(self.between(after, until), default=None)

    def count(self, after: datetime, until: datetime) -> int:
        return sum(1 for _ in self.between(after, until))


class _BatchRule(DueRule):
    """Instants on whole seconds, in batches."""

    def __init__(self, source: "ZoneRule | _Steps") -> None:
        self._source = source

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        for batch in self._batches(after, until):
            for second in batch.seconds():
                yield _EPOCH + timedelta(seconds=second)

    def last_between(self, after: datetime, until: datetime) -> datetime | None:
        batches = deque(self._batches(after, until), maxlen=1)
        return _EPOCH + timedelta(seconds=batches[0].last) if batches else None

    def count(self, after: datetime, until: datetime) -> int:
        return sum(batch.size for batch in self._batches(after, until))

    def _batches(self, after: datetime, until: datetime) -> Iterator[WallBatch]:
        # In pieces, because patterns give up some decades after where they begin.
        first, last = _floor(after) + 1, _floor(until)
        for begin in range(first, last + 1, _PIECE):
            yield from self._source.batches(begin, min(last, begin + _PIECE - 1))


def _floor(instant: datetime) -> int:
    return (instant - _EPOCH) // _SECOND
