"""What this process may use of its machine: cores, memory, disk."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")


def own_resources(
    directory: Path, *, processes: int = 1, proc: Path = _PROC, cgroups: Path = _CGROUPS
) -> dict[str, float]:
    """`cpu` in cores, `memory` and `disk` in bytes; what the system does not tell is left out.

    Cores are those that the process may run on, memory is all of the machine's, each no more than its control groups
    allow. Disk is what is free now where `directory` is. Each of several `processes` has an equal part of all that.
    """
    groups = _groups_of_process(proc, cgroups)
    found = {
        "cpu": _least(_usable_cores(), *(_cores_allowed(group) for group in groups)),
        "memory": _least(_machine_memory(), *(_memory_allowed(group) for group in groups)),
        "disk": _told(lambda: float(shutil.disk_usage(directory).free)),
    }
    return {name: amount / processes for name, amount in found.items() if amount is not None and amount > 0}


def _usable_cores() -> float | None:
    return _told(lambda: float(len(os.sched_getaffinity(0)))) or float(os.cpu_count() or 1)


def _machine_memory() -> float | None:
    return _told(lambda: float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))


def _groups_of_process(proc: Path, cgroups: Path) -> list[Path]:
    """The directories of the control groups that bind this process, from its own up to the outermost that is seen.

    Version 2 has one tree; version 1 has one for each controller. In a container the tree may begin at its own group,
    while the path is the host's: what does not exist says nothing.
    """
    try:
        lines = (proc / "self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found: list[Path] = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for root in (cgroups, *(cgroups / name for name in (controllers, *controllers.split(",")) if name)):
            found += _upwards(root, path)
    return list(dict.fromkeys(found))


def _upwards(root: Path, path: str) -> Iterator[Path]:
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    for count in range(len(parts), -1, -1):
        yield root.joinpath(*parts[:count])


def _cores_allowed(group: Path) -> float | None:
    def told() -> float | None:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (group / "cpu.cfs_period_us").read_text(encoding="ascii")
        # "max" in version 2, -1 in version 1.
        return None if quota.startswith(("max", "-")) else int(quota) / int(period)

    return _told(told)


def _memory_allowed(group: Path) -> float | None:
    def told() -> float | None:
        name = "memory.max" if (group / "memory.max").exists() else "memory.limit_in_bytes"
        limit = (group / name).read_text(encoding="ascii").strip()
        return None if limit == "max" else float(limit)

    return _told(told)


def _told(read: Callable[[], float | None]) -> float | None:
    """None where there is no such file, or no such call on this system."""
    try:
        return read()
    except (OSError, ValueError, AttributeError, ZeroDivisionError):
        return None


def _least(*amounts: float | None) -> float | None:
    return min((amount for amount in amounts if amount is not None), default=None)
