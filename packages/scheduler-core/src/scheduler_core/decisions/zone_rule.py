"""A pattern of wall-clock times in a time zone: the instants at which the clocks there show them."""

from collections.abc import Iterator
from typing import Protocol

from scheduler_core.decisions.time_zone import Stretch, ZoneTable
from scheduler_core.decisions.wall_batch import WallBatch, single
from scheduler_core.models import OnGap, OnOverlap


class WallPattern(Protocol):
    """A rule over wall-clock times, in seconds since 1970 on the clock on the wall."""

    is_fixed: bool
    """Whether it names times of day, not intervals."""

    def batches(self, first: int, last: int) -> Iterator[WallBatch]:
        """All matching times in [first, last], in order; may give up some decades after `first`."""


class ZoneRule:
    """The strictly increasing instants, in seconds since 1970, of a pattern in a zone.

    A time that the clocks skip is due when the gap ends (RUN_AFTER) or not at all (SKIP); one that they show twice
    is due the FIRST time, the SECOND, or BOTH. Times that fall on the same instant are due once. None leaves it to the
    pattern, by Debian cron's distinction: times of day happen once, intervals follow the clock as it goes.
    """

    def __init__(
        self, pattern: WallPattern, zone: ZoneTable, on_gap: OnGap | None = None, on_overlap: OnOverlap | None = None
    ) -> None:
        self._pattern = pattern
        self._zone = zone
        self.on_gap = on_gap or (OnGap.RUN_AFTER if pattern.is_fixed else OnGap.SKIP)
        self.on_overlap = on_overlap or (OnOverlap.FIRST if pattern.is_fixed else OnOverlap.BOTH)

    def batches(self, first: int, last: int) -> Iterator[WallBatch]:
        """All due instants in [first, last], in order."""
        for stretch in self._zone.stretches(first, last):
            low, high = max(first, stretch.start), min(last, stretch.end - 1)
            if low == stretch.start and self._is_due_after_gap(stretch):
                yield single(low)
            if self.on_overlap is OnOverlap.FIRST:
                low = max(low, stretch.start + stretch.offset_before - stretch.offset)
            elif self.on_overlap is OnOverlap.SECOND:
                high = min(high, stretch.end - 1 - max(0, stretch.offset - stretch.offset_after))
            if low <= high:
                for batch in self._pattern.batches(low + stretch.offset, high + stretch.offset):
                    yield batch.shifted(-stretch.offset)

    def _is_due_after_gap(self, stretch: Stretch) -> bool:
        """Whether a skipped time is made up for at the start of this stretch, where nothing is due by itself."""
        first, end = stretch.start + stretch.offset_before, stretch.start + stretch.offset
        if self.on_gap is OnGap.SKIP or first >= end:
            return False
        skipped = next(self._pattern.batches(first, end - 1), None)
        return skipped is not None and next(self._pattern.batches(end, end), None) is None
