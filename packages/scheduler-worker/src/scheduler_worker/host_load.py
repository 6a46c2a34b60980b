"""How busy the worker's host is: what each renewal tells of it."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_KIB = 1024
_CHILDREN_MAX = 10_000


class HostLoad:
    """Looks at the host and at this process; to be asked by one thread.

    `cpu_share` is the part of all cores' time that was used since the last look, from 0 to 1, so the first look has
    none. What the system does not tell is left out.
    """

    def __init__(self, directory: Path, *, proc: Path = _PROC) -> None:
        self._directory = directory
        self._proc = proc
        self._cpu_times: tuple[int, int] | None = None

    def look(self) -> dict[str, float]:
        """Numbers by name; their units are parts of the names."""
        found: dict[str, float] = {}
        for read in (self._cpu, self._load_average, self._memory, self._disk, self._process):
            with suppress(OSError, ValueError, IndexError, KeyError):  # no such file, or written otherwise
                found.update(read())
        return found

    def _cpu(self) -> Iterator[tuple[str, float]]:
        # user, nice, system, idle, iowait, irq, softirq, steal; guest time is in user already
        times = [int(text) for text in self._read("stat").split("\n", 1)[0].split()[1:9]]
        before, self._cpu_times = self._cpu_times, (sum(times), times[3] + times[4])
        if before is not None and self._cpu_times[0] > before[0]:
            idle_share = (self._cpu_times[1] - before[1]) / (self._cpu_times[0] - before[0])
            yield "cpu_share", round(min(max(1 - idle_share, 0.0), 1.0), 4)

    def _load_average(self) -> Iterator[tuple[str, float]]:
        yield "load_average", float(self._read("loadavg").split()[0])

    def _memory(self) -> Iterator[tuple[str, float]]:
        lines = (line.partition(":") for line in self._read("meminfo").splitlines())
        kibibytes = {name: int(rest.split()[0]) for name, _, rest in lines}
        total, available = kibibytes["MemTotal"] * _KIB, kibibytes["MemAvailable"] * _KIB
        yield "memory_bytes_total", float(total)
        yield "memory_bytes_used", float(total - available)
        yield "memory_bytes_available", float(available)

    def _disk(self) -> Iterator[tuple[str, float]]:
        usage = shutil.disk_usage(self._directory)
        yield "disk_bytes_total", float(usage.total)
        yield "disk_bytes_free", float(usage.free)

    def _process(self) -> Iterator[tuple[str, float]]:
        # How many pages of this process are in memory.
        yield "own_memory_bytes", float(int(self._read("self/statm").split()[1]) * os.sysconf("SC_PAGE_SIZE"))
        yield "own_threads", float(threading.active_count())
        yield "child_processes", float(sum(1 for _ in self._below("self")))

    def _below(self, pid: str) -> Iterator[str]:
        """The processes below this one: those of jobs, and those that look after them."""
        waiting = [pid]
        seen = 0
        while waiting and seen < _CHILDREN_MAX:
            children = self._children_of(waiting.pop())
            seen += len(children)
            waiting += children
            yield from children

    def _children_of(self, pid: str) -> list[str]:
        found: list[str] = []
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            for thread in (self._proc / pid / "task").iterdir():
                with suppress(FileNotFoundError, ProcessLookupError):
                    found += (thread / "children").read_text(encoding="ascii").split()
        return found

    def _read(self, name: str) -> str:
        return (self._proc / name).read_text(encoding="utf-8")
