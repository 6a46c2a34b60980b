"""Who belongs to which run, read from /proc, for hosts without groups and for what was born before it was in one."""

import contextlib
import os
import signal
from collections.abc import Iterable

from scheduler_worker.containment.run_number import carried

_HUNT_TURNS_MIN = 3
_HUNT_TURNS_MAX = 20

Snapshot = dict[int, tuple[int, int]]
"""The parent and the session of every living process, by its id."""


def look_around() -> Snapshot:
    """All living processes; zombies are none."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb", buffering=0) as file:
                    # The name in parentheses may hold anything.
                    fields = file.readall().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] not in (b"Z", b"X"):
                found[int(name)] = (int(fields[1]), int(fields[3]))
    return found


def members(snapshot: Snapshot, leader: int, mark: bytes, number: int) -> set[int]:
    """Whoever below this process is in the leader's session, or carries mark or number, and all their children."""
    children = _children(snapshot)
    roots = {
        pid
        for pid in _descendants(children, [os.getpid()])
        if snapshot[pid][1] == leader or is_marked(pid, mark, number)
    }
    return roots | _descendants(children, roots)


def hunt(numbers: set[int]) -> set[int]:
    """Kill whoever carries one of these numbers at sight; which of them were seen.

    For what has always started another one and ended itself before it can be killed by a list of who lives.
    """
    found, known = set[int](), set[int]()
    for turn in range(_HUNT_TURNS_MAX):
        new = {int(name) for name in os.listdir("/proc") if name.isdigit()} - known
        known |= new
        seen = set()
        for pid in new:
            if (number := carried(pid)) in numbers:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                seen.add(number)
        found |= seen
        if not seen and turn + 1 >= _HUNT_TURNS_MIN:
            break
    return found


def own_children() -> list[int]:
    """Whoever has this process as its parent, zombies too; empty where this kernel does not tell."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb", buffering=0) as file:
            return [int(pid) for pid in file.readall().split()]
    except OSError:
        return []


def below(snapshot: Snapshot) -> set[int]:
    """Whoever descends from this process."""
    return _descendants(_children(snapshot), [os.getpid()])


def is_marked(pid: int, mark: bytes, number: int) -> bool:
    """Whether a process carries the number of a run, or its mark in the environment."""
    return carried(pid) == number or (bool(mark) and mark in environment_of(pid))


def _children(snapshot: Snapshot) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in snapshot.items():
        children.setdefault(parent, []).append(pid)
    return children


def _descendants(children: dict[int, list[int]], roots: Iterable[int]) -> set[int]:
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            if pid not in found:
                found.add(pid)
                waiting.append(pid)
    return found


def environment_of(pid: int) -> bytes:
    """What a process was started with; empty when nobody may know."""
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            return file.readall()
    except OSError:
        return b""
