"""Named time zones from the tzdata wheel, and the stretches in which their offset from UTC stays the same."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

from scheduler_core.decisions.nearest import nearest

_DAY = 86_400
# No zone moves its clocks there and back within a week; Morocco's Ramadan month is the shortest known pair.
_PROBE = 7 * _DAY
_EXTENSION = 2 * 366 * _DAY
# An overlap or gap is never longer than this, so what lies farther away does not matter to an instant.
_MARGIN = 2 * _DAY
_FOR_EVER = 1 << 62
# Dates and weekdays repeat every 400 years, and so do the rules by which zones go on: no need to know all of them.
_CYCLE = 146_097 * _DAY
_REPEATS_FROM = 13_569_465_600  # the year 2400
_UTC_NAMES = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def zone_data_version() -> str:
    """The version of the time zone database that all instants are computed by."""
    try:
        return version("tzdata")
    except PackageNotFoundError:
        return "unknown"


@cache
def zone_names() -> frozenset[str]:
    """The names of all zones of the database."""
    return frozenset((files("tzdata") / "zones").read_text().split())


@cache
def _cities() -> dict[str, str]:
    return {zone.rpartition("/")[2].lower(): zone for zone in sorted(zone_names(), reverse=True)}


def find_zone(name: str) -> ZoneInfo | None:
    """The zone of this IANA name, spelt exactly, or None. The host's own zone files are never read.

    >>> find_zone("Europe/Berlin")
    zoneinfo.ZoneInfo(key='Europe/Berlin')
    >>> find_zone("Berlin") is None
    True
    """
    return _loaded(name) if name in zone_names() else None


@cache
def _loaded(name: str) -> ZoneInfo:
    with (files("tzdata") / "zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@lru_cache(maxsize=1024)
def unknown_zone_message(name: str) -> str:
    """Say that there is no such zone and which one was probably meant.

    >>> unknown_zone_message("Berlin")
    "There is no time zone 'Berlin'. Did you mean Europe/Berlin?"
    """
    wanted = name.strip().replace(" ", "_").lower()
    match = _cities().get(wanted) or nearest(name, zone_names())
    remedy = f"Did you mean {match}?" if match else "Use an IANA name such as Europe/Berlin or UTC."
    return f"There is no time zone '{name[:100]}'. {remedy}"


class Stretch(NamedTuple):
    """Seconds since 1970 from `start` to before `end`, with one `offset` from UTC, and the offsets around it."""

    start: int
    end: int
    offset: int
    offset_before: int
    offset_after: int


class ZoneTable:
    """A zone as stretches of one offset, found by asking the zone and remembered; instants are seconds since 1970."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._covered_from = self._covered_until = 0
        if zone.key in _UTC_NAMES:
            self._covered_from, self._covered_until = -_FOR_EVER, _FOR_EVER
        self._starts: list[int] = []
        self._offsets: list[int] = [self._ask(0)]
        """`_offsets[i]` counts from `_starts[i - 1]` to before `_starts[i]`."""

    def offset_at(self, instant: int) -> int:
        """Seconds east of UTC."""
        instant -= _cycles_before(instant)
        self._cover(instant - _MARGIN, instant + _MARGIN)
        return self._offsets[bisect_right(self._starts, instant)]

    def stretches(self, first: int, last: int) -> Iterator[Stretch]:
        """The stretches that touch [first, last], in order; the outermost end somewhere outside of it."""
        if shift := _cycles_before(first):
            for stretch in self.stretches(first - shift, last - shift):
                yield Stretch(stretch.start + shift, stretch.end + shift, *stretch[2:])
            return
        self._cover(first - _MARGIN, first)
        position = first
        while position <= last:
            index = bisect_right(self._starts, position)
            while index == len(self._starts) and self._covered_until <= last + _MARGIN:
                self._extend_forward()
                index = bisect_right(self._starts, position)
            yield self._stretch(index)
            position = self._starts[index] if index < len(self._starts) else last + 1

    def _stretch(self, index: int) -> Stretch:
        starts, offsets = self._starts, self._offsets
        return Stretch(
            starts[index - 1] if index else self._covered_from,
            starts[index] if index < len(starts) else self._covered_until,
            offsets[index],
            offsets[max(index - 1, 0)],
            offsets[min(index + 1, len(starts))],
        )

    def _cover(self, first: int, last: int) -> None:
        while self._covered_until <= last:
            self._extend_forward()
        while self._covered_from > first:
            self._extend_backward()

    def _extend_forward(self) -> None:
        low, offset = self._covered_until, self._offsets[-1]
        end = low + _EXTENSION
        while low < end:
            high = min(low + _PROBE, end)
            after = self._ask(high)
            if after != offset:
                self._starts.append(self._bisect(low, high, offset))
                self._offsets.append(after)
                offset = after
            low = high
        self._covered_until = end

    def _extend_backward(self) -> None:
        high, offset = self._covered_from, self._offsets[0]
        end = high - _EXTENSION
        starts, offsets = [], []
        while high > end:
            low = max(high - _PROBE, end)
            before = self._ask(low)
            if before != offset:
                starts.append(self._bisect(low, high, before))
                offsets.append(before)
                offset = before
            high = low
        self._starts[:0] = reversed(starts)
        self._offsets[:0] = reversed(offsets)
        self._covered_from = end

    def _bisect(self, low: int, high: int, offset: int) -> int:
        """The first instant in (low, high] at which the offset is no longer `offset`."""
        while high - low > 1:
            middle = (low + high) // 2
            if self._ask(middle) == offset:
                low = middle
            else:
                high = middle
        return high

    def _ask(self, instant: int) -> int:
        local = (_EPOCH + timedelta(seconds=instant)).astimezone(self._zone)
        return int((local.utcoffset() or timedelta()).total_seconds())


def _cycles_before(instant: int) -> int:
    """Whole cycles to be taken away, so that what is left lies before where everything repeats."""
    return -(-(instant - _REPEATS_FROM) // _CYCLE) * _CYCLE if instant > _REPEATS_FROM else 0


class UnknownZone(LookupError, ValueError):  # noqa: N818  says what is missing
    """There is no such zone, or none any more."""


@lru_cache(maxsize=1024)
def zone_table(name: str) -> ZoneTable:
    """The table of a zone that exists; raises UnknownZone for others."""
    zone = find_zone(name)
    if zone is None:
        raise UnknownZone(unknown_zone_message(name))
    return ZoneTable(zone)
