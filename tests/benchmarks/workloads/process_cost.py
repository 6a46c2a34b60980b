"""What processes cost, as the kernel counts it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple


class Memory(NamedTuple):
    """Resident MiB, and MiB of which a share counts for each of those who share them."""

    resident: float
    proportional: float


def tree(pid: int) -> list[int]:
    """A process and all that it has started, directly or not; none when it is gone."""
    found = [pid]
    for each in found:
        for thread in _threads(each):
            try:
                found += map(int, (thread / "children").read_text().split())
            except OSError:
                continue
    return found


def _threads(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # it has ended since
        return []


def cpu_seconds(pids: Iterable[int]) -> dict[int, float]:
    """How long each of the processes has been on a core, by the kernel's own clock and not by ticks."""
    return {pid: _cpu_seconds(pid) for pid in pids}


def cpu_since(before: Mapping[int, float], pids: Iterable[int]) -> float:
    """How long processes have been on a core since then; those that are new, from their start."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in cpu_seconds(pids).items())


def _cpu_seconds(pid: int) -> float:
    total = 0
    for thread in _threads(pid):
        try:
            total += int((thread / "schedstat").read_text().split()[0])
        except OSError:
            continue
    return total / 1e9


def memory(pids: Iterable[int]) -> Memory:
    """Of all of them together."""
    resident, proportional = 0, 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended since, as server processes of the database do
            continue
        sizes = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
        resident += sizes["Rss:"]
        proportional += sizes["Pss:"]
    return Memory(resident / 1024, proportional / 1024)
