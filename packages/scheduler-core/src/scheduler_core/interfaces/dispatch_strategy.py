"""How a run finds its worker, and whether it may start at all."""

from collections.abc import Sequence
from typing import Protocol

from scheduler_core.models import Lane, WorkerSession


class DispatchStrategy(Protocol):
    """A pure choice over a snapshot of live sessions."""

    name: str

    def choose(self, lane: Lane, sessions: Sequence[WorkerSession]) -> int | None:
        """The id of the session that shall take the run; None leaves it to whoever claims first."""


class DependencyChecker(Protocol):
    """Plans which runs a root run brings with it, and says what can never work."""

    def problems(self, task_id: int) -> Sequence[str]:
        """Why this task's dependencies can never be fulfilled, as sentences; empty when they can."""
