"""Who this process is on its host, beyond the reuse of process ids."""

import os
import socket
from pathlib import Path

import msgspec


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A process: host name, boot, process id, and start in clock ticks since that boot (0 where nobody tells).

    `boot_id` also names the space in which process ids mean the same: containers of one host differ in it.
    """

    hostname: str
    boot_id: str
    pid: int
    started_at: int

    @classmethod
    def own(cls) -> "ProcessIdentity":
        """The identity of this process."""
        pid = os.getpid()
        return cls(socket.gethostname(), boot_id_here(), pid, start_ticks(pid) or 0)


def start_ticks(pid: int) -> int | None:
    """When the process with this id began, in clock ticks since boot; None when there is none.

    A process that has ended and was not waited for is none. 0 when it lives and /proc does not tell, be it that there
    is no /proc, or that it is mounted with hidepid and the process is another user's.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except ProcessLookupError:
        return None
    except FileNotFoundError:
        return _signalled(pid)
    # The name in parentheses may hold anything, spaces and parentheses included.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def is_dead(hostname: str, boot_id: str, pid: int, started_at: int) -> bool:
    """Whether a process is known to have ended; False for one on a host, or in a container, that is not this one."""
    if not boot_id or (hostname, boot_id) != (socket.gethostname(), boot_id_here()):
        return False
    return start_ticks(pid) not in (started_at, 0)


def guard_mark(pid: int, started_at: int) -> str:
    """The argument by which the guard of a process is known: it ends what that has started when that is dead."""
    return f"guard-of-{pid}-{started_at}"


def is_guarded(pid: int, started_at: int) -> bool:
    """Whether a guard of this process lives on this host; False where /proc does not show it."""
    wanted = f"\0{guard_mark(pid, started_at)}\0".encode()
    try:
        paths = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    except OSError:
        return False
    return any(wanted in _arguments(path) for path in paths)


def _arguments(path: Path) -> bytes:
    """Each with a zero byte before and after it, but for the first one; none of a process that has ended."""
    try:
        return (path / "cmdline").read_bytes()
    except OSError:
        return b""


def _signalled(pid: int) -> int | None:
    if pid <= 0:
        # Names a group of processes.
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0
    return 0


def boot_id_here() -> str:
    """The boot and the space of process ids that this process lives in; empty where nobody tells."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
