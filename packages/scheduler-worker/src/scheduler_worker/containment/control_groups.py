"""Leaves of the cgroup v2 tree, one for each run, where this host lets the worker make them."""

import os
import time

_FILES = ("cgroup.procs", "cgroup.events", "cgroup.kill", "cgroup.freeze")
_IDLE_MAX = 64
_PAUSE_SECONDS = 0.005


class Leaf:
    """One group without groups below it."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def procs(self) -> str:
        """The file that processes join by."""
        return f"{self.path}/cgroup.procs"

    def add(self, pid: int) -> None:
        """Move a process here; one that has ended already is none."""
        try:
            _write(self.procs, str(pid))
        except ProcessLookupError:
            return

    def is_populated(self) -> bool:
        """Whether any process lives here."""
        return b"populated 1" in _read(f"{self.path}/cgroup.events")

    def kill(self) -> None:
        """Kill all at once, also what is frozen or about to fork."""
        _write(f"{self.path}/cgroup.kill", "1")

    def freeze(self, *, is_frozen: bool) -> None:
        """Have all stand still, or go on."""
        _write(f"{self.path}/cgroup.freeze", "1" if is_frozen else "0")


class ControlGroups:
    """The leaves of one supervisor, which is itself moved into one of them."""

    def __init__(self, base: str, token: str) -> None:
        self.path = f"{base}/scheduler-{token}"
        self._own = Leaf(f"{self.path}/supervisor")
        self._base = base
        self._made = 0
        self._idle: list[Leaf] = []
        os.mkdir(self.path)
        try:
            os.mkdir(self._own.path)
            _check_files(self._own.path)
            self._own.add(os.getpid())
        except OSError:
            remove_groups(self.path)
            raise

    @classmethod
    def find(cls, token: str) -> "ControlGroups | None":
        """Groups below this process's own, or None where it may not make any."""
        try:
            return cls(_own_group(), token)
        except OSError:
            return None

    def take(self) -> Leaf:
        """An empty leaf; raises OSError."""
        while self._idle:
            leaf = self._idle.pop()
            if os.path.exists(leaf.procs):
                return leaf
        self._made += 1
        leaf = Leaf(f"{self.path}/run-{self._made}")
        os.mkdir(leaf.path)
        return leaf

    def give_back(self, leaf: Leaf) -> None:
        """The leaf is empty and not frozen."""
        if len(self._idle) < _IDLE_MAX:
            self._idle.append(leaf)
        else:
            # The job may have made groups below it.
            remove_groups(leaf.path)

    def strangers(self) -> list[int]:
        """Processes that live where only the supervisor should: forked before their parent was moved to its leaf."""
        own = os.getpid()
        try:
            return [pid for pid in map(int, _read(self._own.procs).split()) if pid != own]
        except OSError:
            # Somebody has moved this process and removed its group.
            return []

    def remove(self) -> None:
        """Leave and remove all groups."""
        try:
            Leaf(self._base).add(os.getpid())
            remove_groups(self.path)
        except OSError:
            return


def usable_group(token: str) -> str:
    """The group of this process, below which it may make others; raises OSError with the reason where it may not."""
    base = _own_group()
    tried = f"{base}/scheduler-{token}-tried"
    os.mkdir(tried)
    try:
        _check_files(tried)
        # Processes are to be moved out of it.
        with open(f"{base}/cgroup.procs", "wb", buffering=0):
            return base
    finally:
        os.rmdir(tried)


def path_of(token: str) -> str:
    """Where a worker with this token that was started like this one has its groups; empty where there can be none."""
    try:
        return f"{_own_group()}/scheduler-{token}"
    except OSError:
        return ""


def end_groups(path: str, patience_seconds: float = 2.0) -> int:
    """Kill whatever lives in a tree of groups and remove it; how many that were. A tree that is not there is empty."""
    count = 0
    for folder, _, _ in os.walk(path):
        leaf = Leaf(folder)
        try:
            count += len(_read(leaf.procs).split())
            leaf.kill()
        except OSError:
            continue
    deadline = time.monotonic() + patience_seconds
    # A group can be removed when those that were killed in it are gone.
    while not remove_groups(path) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    return count


def remove_groups(path: str) -> bool:
    """Remove a tree of groups; what is not empty stays, which is False."""
    for folder, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            continue
    return not os.path.exists(path)


def _check_files(path: str) -> None:
    if missing := [name for name in _FILES if not os.path.exists(f"{path}/{name}")]:
        raise OSError(f"this kernel has no {missing[0]}")


def _own_group() -> str:
    mounts = [line.split()[1] for line in _read("/proc/mounts").decode().splitlines() if line.split()[2] == "cgroup2"]
    for line in _read("/proc/self/cgroup").decode().splitlines():
        number, _, path = line.split(":", 2)
        if number == "0" and mounts:
            return mounts[0] + path.rstrip("/")
    raise OSError("there is no cgroup v2 tree")


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def _write(path: str, text: str) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(text.encode())
