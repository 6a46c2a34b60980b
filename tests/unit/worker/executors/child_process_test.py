"""The pipes of a program are closed once, whenever it ends."""

import asyncio
import os
from typing import Any

import pytest

from scheduler_worker.containment import supervision
from scheduler_worker.containment.program import Program
from scheduler_worker.executors.child_process import ChildProcess, ChildTable


class EndedAtOnce:
    """A supervisor whose programs have ended when their start is heard of, which nobody waits for any more."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def next_key(self) -> int:
        """There is one."""
        return 1

    async def start(self, key: int, program: Program, descriptors: list[int], ended: Any) -> int:
        """The ends that the program had are closed, and others take their numbers."""
        for descriptor in descriptors:
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, descriptor)
            os.close(null)
        ended(0, "")
        self.taken = [os.open(os.devnull, os.O_RDONLY) for _ in descriptors]
        raise asyncio.CancelledError


async def test_a_start_that_is_cancelled_at_the_end_closes_no_file_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has the number of a closed pipe by then stays open, and the cancellation arrives as such."""
    supervisor = EndedAtOnce()
    monkeypatch.setattr(supervision, "supervisor", lambda: supervisor)

    with pytest.raises(asyncio.CancelledError):
        await ChildProcess.start(Program(command=["true"], environment={}), table=ChildTable())

    for descriptor in supervisor.taken:
        os.close(descriptor)
