"""What repositories answer where a model of its own would say nothing more."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from scheduler_core.models import CreatedRun, RunLogEntry, Schedule, TaskRunStatus, TaskStatus


class Settlement(NamedTuple):
    """What the end of runs led to: `released` runs are claimable now.

    `is_later` says that something is due later of which no dispatcher knows yet: ring them.
    """

    released: list[CreatedRun]
    is_later: bool = False


class LateRuns(NamedTuple):
    """How many runs were given up because they had not been begun in time, and what that led to."""

    given_up: int
    settlement: Settlement


class SingleAnswer(NamedTuple):
    """Runs, or None where none was made; `is_rung` says that nobody has to be rung for them any more."""

    runs: list[CreatedRun | None]
    is_rung: bool


class HoldingSession(NamedTuple):
    """Where a run stands, and the session that holds it, or did."""

    status: TaskRunStatus
    session_id: int | None
    cancel_requested: bool


class StandingSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule that is locked for a change, and where it stands at `now`, the database's clock under that lock.

    Every slot up to and including `recorded_until` is in the ledger. `next_due_at` None means that its task is paused,
    that it is exhausted, or that it waits for the end of `awaits_run_id`.
    """

    task_id: int
    task_status: TaskStatus
    schedule: Schedule
    seed: int
    recorded_until: datetime
    next_due_at: datetime | None
    awaits_run_id: int | None
    now: datetime


class FoundLines(NamedTuple):
    """Lines that were found, and after which (attempt, sequence) to look on; None when there was nothing to look at."""

    entries: list[RunLogEntry]
    last: tuple[int, int] | None
