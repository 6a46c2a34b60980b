"""One run that this session holds, from its claim to its report."""

import asyncio
from enum import Enum

from scheduler_core.models import ClaimedRun, RunInputs, RunKey


class StopReason(Enum):
    """Why a run is stopped from outside of its executor."""

    CANCEL = "its cancel was requested"
    DEADLINE = "it ran into its time-out"
    HAND_BACK = "the worker stops"
    LOST = "the session is lost"


class LiveRun:
    """A claimed run and the asyncio task that carries it out; belongs to the loop of its session."""

    __slots__ = ("claimed", "deadline", "held_since", "inputs", "is_executing", "stop_reason", "stopped_at", "task")

    def __init__(self, claimed: ClaimedRun, held_since: float) -> None:
        self.claimed = claimed
        self.held_since = held_since
        self.inputs: RunInputs | None = None
        self.task: asyncio.Task[None] | None = None
        self.deadline: float | None = None
        self.stop_reason: StopReason | None = None
        self.stopped_at = 0.0
        self.is_executing = True

    @property
    def key(self) -> RunKey:
        """Its fence."""
        return RunKey(self.claimed.id, self.claimed.attempt)

    def stop(self, reason: StopReason, now: float) -> None:
        """Cancel what is executing; the first reason stays, except that a lost session overrules all."""
        if self.stop_reason is None or reason is StopReason.LOST:
            self.stop_reason = reason
        if not self.stopped_at:
            self.stopped_at = now
        if self.task is not None:
            self.task.cancel()
