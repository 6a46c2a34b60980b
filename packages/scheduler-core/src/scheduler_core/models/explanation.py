"""Why a run does not run, or why it ran: how that is told."""

from datetime import datetime
from enum import StrEnum

import msgspec


class BlockerCode(StrEnum):
    """What keeps a run, a task or a slot from running. More will come: pass over those that you do not know."""

    DISPATCHER_DOWN = "DISPATCHER_DOWN"
    DELETED = "DELETED"
    PAUSED = "PAUSED"
    NOT_DUE = "NOT_DUE"
    BACKOFF = "BACKOFF"
    OVERLAP = "OVERLAP"
    UPSTREAM = "UPSTREAM"
    TRIGGER_RULE = "TRIGGER_RULE"
    INTERVAL = "INTERVAL"
    GROUP_FULL = "GROUP_FULL"
    GROUP_RUNNING = "GROUP_RUNNING"
    UNACCOUNTED = "UNACCOUNTED"
    NOT_EXPANDED = "NOT_EXPANDED"
    NOT_SORTED = "NOT_SORTED"
    """A dispatcher has to evaluate the run's keys."""
    STRATEGY_UNKNOWN = "STRATEGY_UNKNOWN"
    NO_TAGGED_WORKER = "NO_TAGGED_WORKER"
    NO_RESOURCES = "NO_RESOURCES"
    STRATEGY_UNDECIDED = "STRATEGY_UNDECIDED"
    """The run's strategy names no worker."""
    LIMIT_FULL = "LIMIT_FULL"
    RATE_LIMITED = "RATE_LIMITED"
    FAIR_TURN = "FAIR_TURN"
    BACKGROUND = "BACKGROUND"
    WINDOW_FULL = "WINDOW_FULL"
    """As many runs of its lane as may be claimable at a time are before it."""
    ASSIGNED = "ASSIGNED"
    """It is meant for one worker."""
    NO_WORKER = "NO_WORKER"
    PLACES_BUSY = "PLACES_BUSY"
    BROKER_UNREACHABLE = "BROKER_UNREACHABLE"
    NO_START = "NO_START"
    """Nothing starts the task: it has no schedule and waits for no task."""
    EXHAUSTED = "EXHAUSTED"
    """The task's schedule names no further slot."""
    AFTER_END = "AFTER_END"
    """The task's schedule counts from the end of a run that has not ended."""
    NO_SLOT = "NO_SLOT"
    """The schedule has no slot at that instant."""
    MISSED = "MISSED"
    MISFIRED = "MISFIRED"
    OUTSIDE_VALIDITY = "OUTSIDE_VALIDITY"
    NOT_RECORDED = "NOT_RECORDED"
    """The slot is due, and no dispatcher has recorded it yet."""


class BlockerView(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that stands in the way; with `blocks` false it only delays.

    `since` is from when on, null where nobody has noted it. `clears` says what ends it, `estimate` when that is
    expected, where it is known. `run_id` and `task` name the run and the task that are waited for.
    """

    code: BlockerCode
    message: str
    clears: str
    blocks: bool = True
    since: datetime | None = None
    estimate: datetime | None = None
    run_id: int | None = None
    task: str | None = None


class StoryPart(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence of how something came about; `at` is when, where that is a moment."""

    message: str
    at: datetime | None = None


class ExplainedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run, whether it is kept from running, and by what."""

    run_id: int
    status: str
    scheduled_at: datetime
    is_blocked: bool
    blockers: tuple[BlockerView, ...] = ()
    story: tuple[StoryPart, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to "why": of a run, of a task, or of a slot of its schedule, as it was at `now`.

    `status` is the run's, the task's, or what became of the slot. `is_blocked` says that some blocker blocks. `runs`
    are the newest of the task's runs that have not begun.
    """

    subject: str
    task: str
    task_id: int
    namespace: str
    status: str
    summary: str
    now: datetime
    is_blocked: bool
    run_id: int | None = None
    slot: datetime | None = None
    blockers: tuple[BlockerView, ...] = ()
    story: tuple[StoryPart, ...] = ()
    runs: tuple[ExplainedRun, ...] = ()
