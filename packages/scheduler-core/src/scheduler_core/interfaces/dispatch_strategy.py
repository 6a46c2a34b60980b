"""How a run finds its worker."""

from collections.abc import Sequence
from typing import Protocol

from scheduler_core.models import Lane, WorkerSession


class DispatchStrategy(Protocol):
    """A pure choice over a snapshot of live sessions."""

    name: str

    def choose(self, lane: Lane, sessions: Sequence[WorkerSession]) -> int | None:
        """The id of the session that shall take the run; None leaves it to whoever claims first."""
