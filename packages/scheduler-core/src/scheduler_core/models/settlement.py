"""Runs that wait for others, and what is decided when some of those have ended."""

from typing import NamedTuple

import msgspec

from scheduler_core.models.task import TaskStatus
from scheduler_core.models.task_run import SkipReason, TaskRunStatus


class Endings(NamedTuple):
    """How many of the `total` runs upstream have ended how."""

    total: int
    successes: int = 0
    failures: int = 0
    skips: int = 0

    @property
    def open(self) -> int:
        """How many have not ended."""
        return self.total - self.successes - self.failures - self.skips


class WaitingRun(msgspec.Struct, frozen=True, kw_only=True):
    """A locked run, and how those that it waits for have ended since it was last looked at.

    `waiting_on` counts all that it still waits for, what has `ended` now included: runs upstream, earlier runs of its
    task, open dependencies on intervals. The `upstream_` numbers are kept for a run with a `trigger_rule` and for a
    group that is expanded (`group_size` is set); `new_` ones have come now. `spoiler_id` is the first of the runs that
    have ended without success now. `is_due` says that its time has come. `open_waits` are its open dependencies on
    intervals, counted only where runs upstream were skipped.
    """

    id: int
    status: TaskRunStatus
    task_status: TaskStatus
    waiting_on: int
    trigger_rule: str | None = None
    upstreams: int = 0
    upstream_successes: int = 0
    upstream_failures: int = 0
    upstream_skips: int = 0
    expands: bool = False
    group_id: int | None = None
    group_size: int | None = None
    is_sub_flow: bool = False
    tolerated_failures: int = 0
    max_parallel: int | None = None
    is_due: bool = True
    cancel_requested: bool = False
    open_waits: int = 0
    ended: int = 0
    new_successes: int = 0
    new_failures: int = 0
    new_skips: int = 0
    released_ends: int = 0
    spoiler_id: int | None = None
    spoiler_status: str | None = None


class RunVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Where a waiting run stands after that; what is counted stays as it is where `endings` is None.

    `held` puts it aside, because its task is paused. `gives_up` says that runs of the group that have not started are
    skipped.
    """

    run_id: int
    status: TaskRunStatus
    waiting_on: int = 0
    endings: Endings | None = None
    expands: bool = False
    held: bool = False
    skip_reason: SkipReason | None = None
    error: str | None = None
    gives_up: bool = False
