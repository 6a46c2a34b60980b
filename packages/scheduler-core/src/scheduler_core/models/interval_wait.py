"""A run that waits for slots of another task's schedule, and what has become of them."""

from datetime import datetime
from enum import StrEnum

import msgspec

from scheduler_core.models.dependency import Dependency
from scheduler_core.models.schedule import SchedulePeriod
from scheduler_core.models.task_run import TaskRunStatus

SLOTS_AWAITED_MAX = 10_000
"""How many slots one dependency of one run may wait for."""
MISSING_SHOWN_MAX = 5
"""How many slots are named that a run still waits for."""


class SlotOutcome(StrEnum):
    """What has become of a slot: how the latest of its runs that have ended did, or that it will get none."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    SKIPPED = "SKIPPED"
    """It was skipped without a failure."""
    NO_RUN = "NO_RUN"
    """The ledger has gone past it, and it has no run."""


class WaitState(StrEnum):
    """Where one dependency of one run stands."""

    OPEN = "OPEN"
    MET = "MET"
    UNMET = "UNMET"
    """It was not met in time, or cannot be met: the run was skipped or has failed for it."""
    WAIVED = "WAIVED"
    """It was not met in time, or the task does not have it any more: the run goes on without it."""
    OVERDUE = "OVERDUE"
    """It was not met in time, and the run waits on."""


class WaitingSlot(msgspec.Struct, frozen=True):
    """The slot of a run that waits, and its data interval, its end excluded; None for a schedule of one instant."""

    scheduled_at: datetime
    interval_from: datetime | None
    interval_to: datetime | None


class AwaitedSlots(msgspec.Struct, frozen=True):
    """The upstream slots that a run waits for, in ascending order.

    With a `reason` the dependency can never be met, and there are no slots; without either it is met at once.
    """

    slots: tuple[datetime, ...] = ()
    reason: str | None = None


class IntervalSource(msgspec.Struct, frozen=True, kw_only=True):
    """A dependency of a task, and which schedule the slots of its upstream task came from when, in ascending order.

    `position` is its place among the task's dependencies on intervals.
    """

    task_id: int
    position: int
    dependency: Dependency
    upstream_task_id: int
    periods: tuple[SchedulePeriod, ...] = ()


class NewWait(msgspec.Struct, frozen=True, kw_only=True):
    """A dependency of a run that was just made; with a `reason` it can never be met, and has no slots."""

    run_id: int
    position: int
    upstream_task_id: int
    dependency: Dependency
    slots: tuple[datetime, ...]
    deadline_at: datetime | None
    reason: str | None = None


class MissingSlot(msgspec.Struct, frozen=True):
    """A slot that has not become what is waited for; `upstream_run_id` is the run that stands for it now, if any."""

    scheduled_at: datetime
    outcome: SlotOutcome | None
    upstream_run_id: int | None = None
    upstream_status: TaskRunStatus | None = None


class IntervalWait(msgspec.Struct, frozen=True, kw_only=True):
    """A dependency of a run as it stands: `expected` slots, of which `outcomes` tells those that have ended.

    `missing` are the first of those that have not succeeded, in ascending order. `upstream_task` is the present name.
    """

    run_id: int
    position: int
    upstream_task_id: int
    upstream_task: str
    dependency: Dependency
    state: WaitState
    expected: int
    outcomes: dict[SlotOutcome, int]
    missing: tuple[MissingSlot, ...] = ()
    deadline_at: datetime | None = None
    settled_at: datetime | None = None


class DependentRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has taken in what a slot's runs had done: when that is done again, this one is stale."""

    id: int
    task_name: str
    status: TaskRunStatus
    scheduled_at: datetime


class OverdueWait(msgspec.Struct, frozen=True, kw_only=True):
    """A dependency whose deadline has passed unmet, and what has become of it."""

    run_id: int
    position: int
    state: WaitState
    dependency: Dependency
