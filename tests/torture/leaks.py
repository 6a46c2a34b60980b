"""What processes and the database hold, sampled over a long time."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from fixtures.processes import RunningProcess
from torture.system import TortureSystem

_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'scheduler-%%'"
_DEAD = "SELECT coalesce(sum(n_dead_tup), 0)::bigint FROM pg_stat_user_tables WHERE schemaname = 'scheduler'"
_PAGE_MIB = 4096 / 1024**2


class Leaks:
    """Samples of processes that live all the time, and of the database."""

    def __init__(self, system: TortureSystem, witnesses: Sequence[RunningProcess]) -> None:
        self._system = system
        self._witnesses = witnesses
        self.samples: dict[str, list[float]] = {}
        self._next = time.monotonic()

    def sample(self, every_seconds: float) -> None:
        """Look once, unless that was less than so long ago."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + every_seconds
        memory = descriptors = 0.0
        for witness in self._witnesses:
            folder = Path(f"/proc/{witness.pid}")
            memory += int((folder / "statm").read_text().split()[1]) * _PAGE_MIB
            descriptors += sum(1 for _ in (folder / "fd").iterdir())
        for name, value in (
            ("memory", memory),
            ("descriptors", descriptors),
            ("connections", self._system.number(_CONNECTIONS)),
            ("dead tuples", self._system.number(_DEAD)),
        ):
            self.samples.setdefault(name, []).append(float(value))


def growth(samples: Sequence[float]) -> float:
    """By how much the median of the last quarter is above that of the second one; 0 with too few samples."""
    quarter = len(samples) // 4
    if not quarter:
        return 0.0
    return statistics.median(samples[-quarter:]) - statistics.median(samples[quarter : 2 * quarter])
