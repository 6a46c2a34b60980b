"""One program under the supervisor, with everything that it has started."""

import contextlib
import os
import signal

from scheduler_worker.containment.control_groups import ControlGroups, Leaf
from scheduler_worker.containment.process_tree import Snapshot, is_marked, look_around, members

_FREEZE_ROUNDS_MAX = 20


class SupervisedRun:
    """A leader and its tree. It is over when the leader's exit code is known and nothing of the tree is left."""

    __slots__ = ("code", "ending_since", "is_frozen", "is_killed", "key", "leaf", "mark", "number", "pid", "reason")

    def __init__(self, key: int, pid: int, mark: bytes, number: int, leaf: Leaf | None) -> None:
        self.key = key
        self.pid = pid
        self.mark = mark
        self.number = number
        self.leaf = leaf
        self.code: int | None = None
        self.is_killed = False
        self.is_frozen = False
        self.reason = ""
        self.ending_since = 0.0

    def kill(self, reason: str = "") -> None:
        """Kill the whole tree; `is_empty` tells when it is gone."""
        if not self.is_killed:
            self.is_killed = True
            self.reason = reason
        if self.leaf is not None:
            with contextlib.suppress(OSError):
                self.leaf.kill()
        self._signal_session(signal.SIGKILL)

    def ask_to_end(self) -> None:
        """SIGTERM to the group of the leader, which goes on to hear it where it stands still."""
        self.freeze(is_frozen=False)
        self._signal_session(signal.SIGTERM)
        self._signal_session(signal.SIGCONT)

    def tell_leader(self, number: int) -> None:
        """Send a signal to the leader alone."""
        if self.code is None:
            with contextlib.suppress(OSError):
                os.kill(self.pid, number)

    def freeze(self, *, is_frozen: bool) -> None:
        """Have the whole tree stand still, or go on."""
        if is_frozen == self.is_frozen or self.code is not None:
            return
        self.is_frozen = is_frozen
        if self.leaf is not None:
            with contextlib.suppress(OSError):
                self.leaf.freeze(is_frozen=is_frozen)
                return
        number, known = signal.SIGSTOP if is_frozen else signal.SIGCONT, set[int]()
        for _ in range(_FREEZE_ROUNDS_MAX):
            # Again until none is new: one may have forked before it was stopped.
            new = members(look_around(), self.pid, self.mark, self.number) - known
            if not new:
                break
            _signal(new, number)
            known |= new

    def leader_has_ended(self) -> None:
        """Before its zombie is taken away: as long as that is there, the id of its group is nobody else's."""
        self._signal_session(signal.SIGKILL)

    def is_empty(self, snapshot: Snapshot, strangers: list[int]) -> bool:
        """Whether nothing of the tree lives; kills what does. Without a leaf the snapshot tells."""
        if self.leaf is None:
            left = members(snapshot, self.pid, self.mark, self.number)
        else:
            left = {pid for pid in strangers if self._is_of_run(pid)}
            with contextlib.suppress(OSError):
                if self.leaf.is_populated():
                    self.leaf.kill()
                    return False
        _signal(left, signal.SIGKILL)
        return not left

    def adopt(self, groups: ControlGroups) -> None:
        """Take in what the leader has forked before it was moved to its leaf."""
        while self.leaf is not None and (strangers := groups.strangers()):
            ours = [pid for pid in strangers if self._is_of_run(pid)]
            for pid in ours:
                self.leaf.add(pid)
            if not ours:
                break

    def _is_of_run(self, pid: int) -> bool:
        try:
            return os.getsid(pid) == self.pid or is_marked(pid, self.mark, self.number)
        except ProcessLookupError:
            return False

    def _signal_session(self, number: int) -> None:
        if self.code is None:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, number)


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)
