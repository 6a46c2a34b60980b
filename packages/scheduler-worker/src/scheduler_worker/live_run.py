"""One run that this session holds, from its claim to its report."""

import asyncio
import logging
from enum import Enum

from scheduler_core.interfaces import RunNotice, RunOutput, TaskExecutor
from scheduler_core.models import ClaimedRun, RunInputs, RunKey
from scheduler_worker.run_timer import RunTimer

logger = logging.getLogger("scheduler.worker")


class StopReason(Enum):
    """Why a run is stopped from outside of its executor."""

    CANCEL = "its cancel was requested"
    TIMEOUT = "it ran into its time-out"
    TOTAL_TIMEOUT = "all its attempts together ran into their time-out"
    HAND_BACK = "the worker stops"
    LOST = "the session is lost"


class LiveRun:
    """A claimed run and the asyncio task that carries it out; belongs to the loop of its session.

    `claim` is the number of the session's claim that brought it, or of one before. `executor`, `output` and `timer` are
    there while its job is executing. `waited_seconds` have passed from its claim to the moment in which it was begun.
    `is_paused`: its job stands still.
    """

    __slots__ = (
        "claim", "claimed", "executor", "held_since", "inputs", "is_executing", "is_paused", "is_unknown", "output",
        "stop_reason", "stopped_at", "task", "timer", "waited_seconds",
    )  # fmt: skip

    def __init__(self, claimed: ClaimedRun, held_since: float, claim: int = 0) -> None:
        self.claimed = claimed
        self.claim = claim
        self.held_since = held_since
        self.waited_seconds = 0.0
        self.inputs: RunInputs | None = None
        self.task: asyncio.Task[None] | None = None
        self.executor: TaskExecutor | None = None
        self.output: RunOutput | None = None
        self.timer: RunTimer | None = None
        self.stop_reason: StopReason | None = None
        self.stopped_at = 0.0
        self.is_executing = True
        self.is_paused = False
        self.is_unknown = False

    @property
    def key(self) -> RunKey:
        """Its fence."""
        return RunKey(self.claimed.id, self.claimed.attempt)

    def stop(self, reason: StopReason, now: float) -> None:
        """Cancel what is executing, once: the first reason stays, except that a lost session overrules all."""
        if self.stop_reason is not None and reason is not StopReason.LOST:
            # A second cancellation would break into the grace that the first one gives the job.
            return
        self.stop_reason = reason
        if not self.stopped_at:
            self.stopped_at = now
        if self.task is not None:
            self.task.cancel()

    def tell(self, notice: RunNotice) -> bool:
        """Tell its job something; False where it cannot be told, or does not execute at the moment."""
        # Executors of others may have been written before there was anything to be told.
        notify = getattr(self.executor, "notify", None)
        if notify is None or self.timer is None:
            return False
        try:
            return bool(notify(self.key, notice))
        except Exception:  # an executor of somebody else may do anything
            logger.exception("job not told", extra={"run_id": self.claimed.id, "notice": notice.value})
            return False
