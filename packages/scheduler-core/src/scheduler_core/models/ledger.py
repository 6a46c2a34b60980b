"""The ledger of slots as it is looked at: its entries with their runs, and what a verification finds."""

from datetime import datetime
from enum import StrEnum

import msgspec

from scheduler_core.models.schedule import SchedulePeriod, SlotReason
from scheduler_core.models.task import TaskStatus
from scheduler_core.models.task_run import TaskRunStatus


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry and what is known of its run; `run_status` None beside a `run_id`: the run's row is gone."""

    scheduled_at: datetime
    last_scheduled_at: datetime
    count: int
    run_id: int | None
    run_status: TaskRunStatus | None
    run_completed_at: datetime | None
    reason: SlotReason | None
    zone_data: str | None


class LedgerTask(msgspec.Struct, frozen=True, kw_only=True):
    """Where the ledger of a task stands, by one look at the database's clock `now`.

    Every slot up to `recorded_until` is to be in it; None: the task has no schedule any more. `awaits_run_id` is the
    run whose end tells when a schedule with a fixed delay is due next.
    """

    task_id: int
    task_name: str
    namespace: str
    status: TaskStatus
    recorded_until: datetime | None
    next_due_at: datetime | None
    awaits_run_id: int | None
    now: datetime


class LedgerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the slots of a task follow from: where it stands, and its schedules, oldest period first."""

    task: LedgerTask
    periods: tuple[SchedulePeriod, ...]


class FindingKind(StrEnum):
    """What is wrong with the ledger."""

    HOLE = "HOLE"
    """Slots without an entry."""
    DOUBLE = "DOUBLE"
    """Slots with more than one entry."""
    STRANGER = "STRANGER"
    """An entry for no slot, or a stretch that stands for other slots than it says."""
    UNCOMPUTABLE = "UNCOMPUTABLE"
    """A stored schedule gives no slots any more, so nothing can be said about its time."""


class LedgerFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong from `first_at` to `last_at`, both included.

    `expected` is how many slots there are, `recorded` how many the ledger holds. `zone_data` names the version of the
    time zone database that the entry was computed by, where it is another than the one installed.
    """

    kind: FindingKind
    first_at: datetime
    last_at: datetime
    expected: int
    recorded: int
    run_id: int | None = None
    zone_data: str | None = None
    error: str | None = None


class LedgerReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification saw: slots by what became of them, and what is wrong.

    `findings` are the first ones, `findings_count` is all of them. `behind_since` is the oldest due slot that waits
    for a dispatcher, which is no fault. `unverifiable` counts slots that nothing can be said about: their entries are
    older than the recorded schedules, or follow a run that is gone.
    """

    slots: int = 0
    runs: int = 0
    reasons: dict[SlotReason, int] = {}
    findings: tuple[LedgerFinding, ...] = ()
    findings_count: int = 0
    behind_since: datetime | None = None
    unverifiable: int = 0
