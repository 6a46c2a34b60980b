"""Many wall-clock times or instants at once: a base and offsets that whole days or years share."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, overload

DAY_SECONDS = 86_400
_LAID_OUT_MAX = 1440


class WallBatch(NamedTuple):
    """The seconds `base + times[i]` for i from `low` to before `high`, in ascending order; never empty."""

    base: int
    times: Sequence[int]
    low: int
    high: int

    @property
    def first(self) -> int:
        """The earliest of them."""
        return self.base + self.times[self.low]

    @property
    def last(self) -> int:
        """The latest of them."""
        return self.base + self.times[self.high - 1]

    @property
    def size(self) -> int:
        """How many they are."""
        return self.high - self.low

    def seconds(self) -> Iterator[int]:
        """All of them."""
        base, times = self.base, self.times
        return (base + times[index] for index in range(self.low, self.high))

    def shifted(self, seconds: int) -> "WallBatch":
        """The same, so many seconds later."""
        return WallBatch(self.base + seconds, self.times, self.low, self.high)


def single(second: int) -> WallBatch:
    """A batch of one."""
    return WallBatch(second, (0,), 0, 1)


@lru_cache(maxsize=4096)
def times_of_day(hours: tuple[int, ...], minutes: tuple[int, ...], seconds: tuple[int, ...]) -> Sequence[int]:
    """All combinations as seconds of the day, in order, for ascending parts; many are worked out when asked for."""
    count = len(hours) * len(minutes) * len(seconds)
    if count == DAY_SECONDS:
        return range(DAY_SECONDS)
    if count > _LAID_OUT_MAX:
        return _Combinations(hours, minutes, seconds)
    return tuple(3600 * hour + 60 * minute + second for hour in hours for minute in minutes for second in seconds)


class _Combinations(Sequence[int]):
    """Times of day that take no memory: schedules by the thousand may each have tens of thousands."""

    def __init__(self, hours: tuple[int, ...], minutes: tuple[int, ...], seconds: tuple[int, ...]) -> None:
        self._hours, self._minutes, self._seconds = hours, minutes, seconds

    def __len__(self) -> int:
        return len(self._hours) * len(self._minutes) * len(self._seconds)

    @overload
    def __getitem__(self, index: int) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...

    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        rest, second = divmod(index, len(self._seconds))
        hour, minute = divmod(rest, len(self._minutes))
        return 3600 * self._hours[hour] + 60 * self._minutes[minute] + self._seconds[second]
