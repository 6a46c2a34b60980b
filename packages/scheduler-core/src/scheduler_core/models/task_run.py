"""A run: one piece of work made from a task, its statuses and the legal moves between them."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from scheduler_core.errors import IllegalTransitionError


class TaskRunStatus(StrEnum):
    """Where a run stands. The last six are final and never change again."""

    PENDING = "PENDING"
    DISPATCHED = "DISPATCHED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"
    QUARANTINED = "QUARANTINED"

    @property
    def is_final(self) -> bool:
        """Whether nothing can change a run in this status any more."""
        return not TRANSITIONS[self]

    def check_move_to(self, target: "TaskRunStatus") -> None:
        """Return if a run in this status may go to `target`; raise IllegalTransitionError if not."""
        if target not in TRANSITIONS[self]:
            raise IllegalTransitionError(self, target)


_S = TaskRunStatus

TRANSITIONS: Mapping[TaskRunStatus, frozenset[TaskRunStatus]] = MappingProxyType(
    {
        # admitted | claimed, granted before | cancelled | not to be run | a group whose runs have ended, or that
        # could not be made | too late
        _S.PENDING: frozenset(
            {_S.DISPATCHED, _S.RUNNING, _S.CANCELLED, _S.SKIPPED, _S.COMPLETED, _S.FAILED, _S.TIMEOUT}
        ),
        # claimed | admission taken back | cancelled | too much of its group has failed | too late
        _S.DISPATCHED: frozenset({_S.RUNNING, _S.PENDING, _S.CANCELLED, _S.SKIPPED, _S.TIMEOUT}),
        # back to PENDING: retry after a failure, hand-back, lost session. SKIPPED: the job asked for it.
        _S.RUNNING: frozenset(
            {_S.COMPLETED, _S.FAILED, _S.TIMEOUT, _S.CANCELLED, _S.SKIPPED, _S.PENDING, _S.QUARANTINED}
        ),
        _S.COMPLETED: frozenset(),
        _S.FAILED: frozenset(),
        _S.TIMEOUT: frozenset(),
        _S.CANCELLED: frozenset(),
        _S.SKIPPED: frozenset(),
        _S.QUARANTINED: frozenset(),
    }
)
"""The transition table: the diagram in docs/state_machine.md and the SQL files agree with it by test."""

FINAL_STATUSES = frozenset(status for status, targets in TRANSITIONS.items() if not targets)


class RunTrigger(StrEnum):
    """What made a run."""

    SCHEDULE = "SCHEDULE"
    MANUAL = "MANUAL"
    DEPENDENCY = "DEPENDENCY"
    RETRY = "RETRY"


class SkipReason(StrEnum):
    """Why a run is SKIPPED."""

    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    """Its trigger rule cannot hold any more because of a failure upstream, its own or one further up."""
    UPSTREAM_SKIPPED = "UPSTREAM_SKIPPED"
    """Its trigger rule cannot hold any more because of a run upstream that was skipped without a failure."""
    RULE_UNMET = "RULE_UNMET"
    """Its trigger rule waits for a failure, and none came."""
    WHEN_FALSE = "WHEN_FALSE"
    """Its condition `when` was false."""
    DEPENDENCY_UNMET = "DEPENDENCY_UNMET"
    """A dependency on an interval was not met by its deadline, or cannot be met."""
    GROUP_FAILED = "GROUP_FAILED"
    """Too many runs of its group had failed before it could start."""
    WORKER_GONE = "WORKER_GONE"
    """The worker that it was meant for ended before it took it."""
    JOB_ASKED = "JOB_ASKED"
    """The job itself found that there was nothing to do."""


FAILURE_SKIPS = frozenset({SkipReason.UPSTREAM_FAILED, SkipReason.GROUP_FAILED, SkipReason.WORKER_GONE})
"""The reasons that trigger rules downstream take for a failure."""


class RunProgress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a job last said of itself, as far as it did: how much is done (0 to 1), a text, and numbers by name."""

    share: float | None = None
    text: str | None = None
    metrics: dict[str, float] = {}
    reported_at: datetime | None = None


class TaskRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run as users see it. Times are UTC; `duration` is completed_at minus started_at of the last attempt.

    `interval_from` and `interval_to` are the data interval, its end excluded, of a run that belongs to a slot.
    `group_id` is the group that the run belongs to; `group_size` is how many runs it stands for itself, None for one
    that executes something. `stale_since`: a run of an interval that it had waited for was made again, `stale_run_id`.
    `assigned_worker_id` is the worker that a dispatcher has chosen for it. `start_before`: it is given up when it has
    not been started by then; `end_before`: no attempt goes on after that. A running run stands still since `paused_at`.
    """

    id: int
    task_id: int
    task_name: str
    namespace: str
    task_version: int
    flow_id: int
    status: TaskRunStatus
    trigger: RunTrigger
    task_type: str
    queue: str
    priority: int
    scheduled_at: datetime
    # Defaults, because answers that an older version has kept for Idempotency-Keys lack these fields.
    interval_from: datetime | None = None
    interval_to: datetime | None = None
    trigger_rule: str | None = None
    group_id: int | None = None
    group_size: int | None = None
    shard_index: int | None = None
    shard_total: int | None = None
    item: Any = None
    skip_reason: SkipReason | None = None
    stale_since: datetime | None = None
    stale_run_id: int | None = None
    background: bool = False
    assigned_worker_id: str | None = None
    not_before: datetime | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    attempt: int
    failures: int
    losses: int
    max_retries: int
    worker_id: str | None
    cancel_requested: bool
    waiting_on: int
    parameters: dict[str, Any] | None
    result: Any
    error: str | None
    retry_of: int | None
    start_before: datetime | None = None
    end_before: datetime | None = None
    pause_requested: bool = False
    paused_at: datetime | None = None
    progress: RunProgress | None = None


class ClaimedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a session has just taken: what a worker needs beside the (cacheable) task version.

    `parameters` are the overrides of this run as JSON text, or None; they win over the version's, key by key. `item` is
    JSON text, too: what a mapped run is for. `seconds_left` is how long all its attempts together may still take.
    `granted_left` runs were granted to the session and not taken when it was claimed; None: no run was granted to it.
    """

    id: int
    attempt: int
    task_id: int
    task_version_id: int
    flow_id: int
    failures: int
    scheduled_at: datetime
    seconds_left: float | None = None
    interval_from: datetime | None = None
    interval_to: datetime | None = None
    parameters: str | None
    trace_context: str | None
    needs_settlement: bool
    item: str | None = None
    shard_index: int | None = None
    shard_total: int | None = None
    granted_left: int | None = None


class RunKey(msgspec.Struct, frozen=True):
    """A run's fence: what is done to (id, attempt) is not done to a later attempt of the same run."""

    run_id: int
    attempt: int


class PauseReport(StrEnum):
    """What has come of the wish that a run stands still, or goes on."""

    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    REFUSED = "REFUSED"
    """It cannot stand still and goes on."""


class FinishedRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker reports of one attempt.

    `status` is COMPLETED, FAILED, TIMEOUT, CANCELLED or SKIPPED. With `retry_delay_seconds` the store puts a FAILED or
    TIMEOUT run back to PENDING, unless its failures have reached max_retries or its cancel was requested.
    `result` is JSON text. `needs_settlement` repeats what the claim said.
    """

    run_id: int
    attempt: int
    status: TaskRunStatus
    result: str | None = None
    error: str | None = None
    retry_delay_seconds: float | None = None
    needs_settlement: bool = False


class RunChange(msgspec.Struct, frozen=True):
    """A run that a statement has changed, and where it stands now.

    `needs_settlement`: others wait for its end. `is_gated`: gated runs may have got room by it.
    """

    run_id: int
    status: TaskRunStatus
    needs_settlement: bool = False
    is_gated: bool = False


class RunLogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a run's output: whole lines where possible, in the order of (attempt, sequence).

    The lines of an attempt are counted from 1 and its bytes from 0, over all streams together, in that order.
    `first_line` is the number of the first line that begins in the piece, and `line_offsets` says for each that does
    how many milliseconds after `logged_at` it came. What stands before them belongs to a line of a piece before. All
    are None for output that an older version has stored. Of an entry that a search has found, `lines` has the numbers
    of the lines in `content`, which need not follow each other.
    """

    run_id: int
    attempt: int
    sequence: int
    stream: str
    logged_at: datetime
    content: str
    line_offsets: list[int] | None = None
    first_line: int | None = None
    first_byte: int | None = None
    lines: list[int] | None = None


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a run's output is meant: of one attempt, one stream, from an instant on; None for all."""

    attempt: int | None = None
    stream: str | None = None
    since: datetime | None = None


class RunNews(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody who follows a run wants to know beside its output."""

    status: TaskRunStatus
    progress: RunProgress | None = None


class RunStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by status and durations in seconds of the finished attempts since `since`."""

    since: datetime
    total: int
    by_status: dict[str, int]
    success_rate: float | None
    duration_seconds_mean: float | None
    duration_seconds_p50: float | None
    duration_seconds_p95: float | None
    duration_seconds_max: float | None
