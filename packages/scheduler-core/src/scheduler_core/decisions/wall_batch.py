"""Many wall-clock times or instants at once: a base and offsets that whole days or years share."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

DAY_SECONDS = 86_400


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
