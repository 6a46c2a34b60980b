"""What a program forks before it is in its group is taken in."""

import os
import subprocess

from scheduler_worker.containment.control_groups import ControlGroups, Leaf
from scheduler_worker.containment.marked_processes import MARK
from scheduler_worker.containment.run_number import handed_on, number_of
from scheduler_worker.containment.supervised_run import SupervisedRun


class RecordedLeaf(Leaf):
    """A leaf that only remembers who was added."""

    __slots__ = ("added",)

    def __init__(self) -> None:
        super().__init__("/nowhere")
        self.added: list[int] = []

    def add(self, pid: int) -> None:
        """Remember it."""
        self.added.append(pid)


class Strangers(ControlGroups):
    """Groups whose supervisor shares its own with these processes, until they are in the leaf."""

    def __init__(self, pids: list[int], leaf: RecordedLeaf) -> None:
        self._pids = pids
        self._leaf = leaf

    def strangers(self) -> list[int]:
        """Those that are not in the leaf yet."""
        return [pid for pid in self._pids if pid not in self._leaf.added]


def test_adopt_takes_in_the_session_and_the_marked() -> None:
    """A child of the session and one that has left it belong to the run; others, and the dead, do not.

    One that has left it is known by its environment, or by its number where it has cleared that.
    """
    mark = f"{MARK}=token-7-2."
    environment = {**os.environ, MARK: "token-7-2."}
    leader = subprocess.Popen(["sleep", "60"], start_new_session=True)
    marked = subprocess.Popen(["sleep", "60"], start_new_session=True, env=environment)
    with handed_on(number_of("token", 1)):
        cleared = subprocess.Popen(["env", "-i", "sleep", "60"], start_new_session=True)
    with handed_on(number_of("token", 2)):
        other = subprocess.Popen(["sleep", "60"], start_new_session=True)
    ended = subprocess.Popen(["true"])
    ended.wait()
    try:
        leaf = RecordedLeaf()
        run = SupervisedRun(1, leader.pid, mark.encode(), number_of("token", 1), leaf)

        run.adopt(Strangers([leader.pid, marked.pid, cleared.pid, other.pid, ended.pid], leaf))

        assert sorted(leaf.added) == sorted([leader.pid, marked.pid, cleared.pid])
    finally:
        for process in (leader, marked, cleared, other):
            process.kill()
            process.wait()
