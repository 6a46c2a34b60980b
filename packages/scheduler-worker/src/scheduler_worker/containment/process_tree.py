"""Who belongs to which run, read from /proc, for hosts without groups and for what was born before it was in one."""

import os
from collections.abc import Iterable

Snapshot = dict[int, tuple[int, int]]
"""The parent and the session of every living process, by its id."""


def look_around() -> Snapshot:
    """All living processes; zombies are none."""
    found = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib would double this program's memory
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb", buffering=0) as file:  # noqa: PTH123
                    # The name in parentheses may hold anything.
                    fields = file.readall().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] not in (b"Z", b"X"):
                found[int(name)] = (int(fields[1]), int(fields[3]))
    return found


def members(snapshot: Snapshot, leader: int, mark: bytes) -> set[int]:
    """The leader, whoever is in its session, whoever below this process carries the mark, and all their children."""
    own = os.getpid()
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in snapshot.items():
        children.setdefault(parent, []).append(pid)
    below = _descendants(children, [own])
    roots = {
        pid for pid in below if pid == leader or snapshot[pid][1] == leader or (mark and mark in environment_of(pid))
    }
    return roots | _descendants(children, roots)


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
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123
            return file.readall()
    except OSError:
        return b""
