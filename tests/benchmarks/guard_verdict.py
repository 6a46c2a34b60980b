"""How two versions stand to each other by what they have measured in turns, and when one of them is worse."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.results import RATE, Result

WORSE_MAX = 1.3
"""So many times the cost is what is borne."""

CPU = "ms of CPU"
"""The unit of what machines that have much else to do hardly change."""


class Pair(NamedTuple):
    """One figure of both sides, measured right after each other."""

    here: Result
    before: Result

    @property
    def ratio(self) -> float:
        """How many times the cost of before it is here."""
        return _cost(self.here) / _cost(self.before)


class Verdict(NamedTuple):
    """How one figure of this checkout stands to the one of the commit before, by the median: above 1 it is worse."""

    workload: str
    metric: str
    here: float
    before: float
    ratio: float
    is_worse: bool

    def __str__(self) -> str:
        figures = f"{self.before:,.4g} before, {self.here:,.4g} now"
        told = "WORSE" if self.is_worse else "ok" if self.ratio <= WORSE_MAX else "ok: not confirmed"
        return f"{self.workload} {self.metric}: {self.ratio:.2f} times the cost ({figures}) {told}"


class Broken(NamedTuple):
    """A workload of which this checkout gives no figures, twice, while the commit before gives them."""

    workload: str
    error: str
    is_worse: bool = True

    def __str__(self) -> str:
        return f"{self.workload}: gives no figures, as before it did: {self.error} BROKEN"


def is_suspect(pairs: Sequence[Pair]) -> bool:
    """Whether the pairs of a figure look as if it were worse, so that it is to be measured in a second round."""
    return bool(pairs) and statistics.median(pair.ratio for pair in pairs) > WORSE_MAX


def verdict(first: Sequence[Pair], second: Sequence[Pair]) -> Verdict:
    """What the pairs of a figure in a first round say, and those of a second one, which is empty without a suspicion.

    The second round has to confirm the first one. Times on the clock are at the mercy of all else on the machine: such
    a figure is worse when each measurement here was worse than each before.
    """
    pairs = [*first, *second]
    is_worse = is_suspect(first) and is_suspect(second)
    if is_worse and pairs[0].here.unit != CPU:
        least = min(_cost(pair.here) for pair in pairs)
        is_worse = least > WORSE_MAX * max(_cost(pair.before) for pair in pairs)
    return Verdict(
        workload=pairs[0].here.workload,
        metric=pairs[0].here.metric,
        here=statistics.median(_value(pair.here) for pair in pairs),
        before=statistics.median(_value(pair.before) for pair in pairs),
        ratio=statistics.median(pair.ratio for pair in pairs),
        is_worse=is_worse,
    )


def _cost(result: Result) -> float:
    return 1.0 / _value(result) if result.unit == RATE else _value(result)


def _value(result: Result) -> float:
    assert result.value is not None
    return max(result.value, 1e-6)
