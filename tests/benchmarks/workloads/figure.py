"""What a workload is given, and what it gives."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """One measured number; `facts` are what else its line says."""

    metric: str
    value: float
    unit: str
    facts: dict[str, Any] = {}  # noqa: RUF012  never changed


class Size(NamedTuple):
    """How much is measured; `QUICK` is for trying a workload out and gives no figures to tell others."""

    runs: int = 20_000
    places: int = 500
    seconds: float = 10.0
    idle_seconds: float = 20.0
    due: tuple[int, ...] = (1_000, 10_000)
    flows: int = 20
    starts: int = 5
    requests: int = 500
    tasks: int = 100_000
    finished: tuple[int, ...] = (0, 1_000_000, 10_000_000)
    turns: int = 5
    growth_due: int = 5_000
    workers: tuple[int, ...] = (1, 10, 100)
    crowd_places: int = 100


QUICK = Size(
    runs=2_000,
    seconds=2.0,
    idle_seconds=2.0,
    due=(100,),
    flows=2,
    starts=1,
    requests=100,
    tasks=2_000,
    finished=(0, 20_000),
    turns=1,
    growth_due=100,
    workers=(1, 3),
)

Measure = Callable[[Size], Iterator[Figure]]


class Workload(NamedTuple):
    """A workload by the function that measures it; it is given up after so many seconds."""

    measure: Measure
    seconds_max: float
    sentence: str


def percentile(values: list[float], share: float) -> float:
    """The least value that at least this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(round(len(ordered) * share, 6)) - 1)]
