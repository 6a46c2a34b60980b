"""Which process was meant: a pid alone is used again sooner or later, at once in a restarted container."""

import os
import subprocess
from pathlib import Path

import msgspec

from scheduler_core.runtime.process_identity import boot_id_here, start_ticks


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A pid with the moment its process began, as the kernel tells it.

    `started` never changes while the process lives and is different for any other process that gets the pid; it
    holds the kernel's boot as well, and does not depend on the wall clock where there is a /proc.
    """

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """The process that has this pid now; None when there is none or it has ended and was only not waited for."""
        started = _started(pid)
        return None if started is None else cls(pid, started)

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return _started(self.pid) == self.started


def command_line(pid: int) -> list[str]:
    """The words that a process was started with; empty when it is gone or does not tell."""
    try:
        line = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return _ps(pid, "command").split()
    return line.rstrip("\0").split("\0") if line else []


def _started(pid: int) -> str | None:
    if pid <= 0:
        return None
    if Path("/proc/self/stat").exists():
        ticks = start_ticks(pid)
        return None if ticks is None else f"{boot_id_here()}:{ticks}"
    state, _, started = _ps(pid, "stat=,lstart").strip().partition(" ")
    return None if not state or state.startswith("Z") else " ".join(started.split())


def _ps(pid: int, columns: str) -> str:
    try:
        done = subprocess.run(
            ["ps", "-o", f"{columns}=", "-p", str(pid)], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
