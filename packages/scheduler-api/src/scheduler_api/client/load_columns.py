"""A load over time as few numbers, for pictures and for the terminal."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

# Lengths of time, in minutes, that people think in.
_WIDTHS = (1, 5, 10, 15, 30, 60, 180, 360, 720, 1440, 7 * 1440, 28 * 1440, 364 * 1440)
_BARS = " ▁▂▃▄▅▆▇█"


class Columns(NamedTuple):
    """The greatest load of a minute in each stretch of `minutes` minutes from `start` on."""

    start: datetime
    end: datetime
    minutes: int
    peaks: list[int]

    @property
    def peak(self) -> int:
        """The greatest of all."""
        return max(self.peaks, default=0)

    def start_of(self, column: int) -> datetime:
        """When a column begins."""
        return self.start + timedelta(minutes=self.minutes * column)


def load_columns(buckets: Sequence[int], width_minutes: int, start: datetime, columns_max: int) -> Columns:
    """Join buckets to at most so many columns, each of which shows its greatest bucket."""
    fitting = -(-len(buckets) // columns_max)
    joined = next((width // width_minutes for width in _WIDTHS if width // width_minutes >= fitting), fitting)
    peaks = [max(buckets[first : first + joined]) for first in range(0, len(buckets), joined)]
    end = start + timedelta(minutes=len(buckets) * width_minutes)
    return Columns(start, end, joined * width_minutes, peaks)


def sparkline(values: Sequence[int]) -> str:
    """One character for each value; what is above zero is seen.

    >>> sparkline([0, 1, 50, 100])
    ' ▁▄█'
    """
    peak = max(values, default=0) or 1
    return "".join(_BARS[0] if value == 0 else _BARS[max(1, value * 8 // peak)] for value in values)


def show_minutes(minutes: int) -> str:
    """A length of time in its greatest whole unit.

    >>> show_minutes(1), show_minutes(180), show_minutes(1440)
    ('minute', '3 hours', 'day')
    """
    for size, unit in ((10080, "week"), (1440, "day"), (60, "hour"), (1, "minute")):
        if minutes % size == 0:
            return unit if minutes == size else f"{minutes // size} {unit}s"
    return f"{minutes} minutes"
