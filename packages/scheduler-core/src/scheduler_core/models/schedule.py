"""When a task is due: cron text in a time zone, or one instant."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Schedule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A rule that gives due instants: either `cron` (in `timezone`) or `at`, never both.

    Text is checked by `scheduler_core.decisions.schedule_rules`, which also computes the instants.
    """

    cron: str | None = None
    timezone: str = "UTC"
    at: datetime | None = None


class DueSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule whose next slot is due, locked for the transaction that took it.

    `now` is the database's clock when it was taken; `next_due_at` is the oldest slot not yet recorded.
    """

    task_id: int
    schedule: Schedule
    next_due_at: datetime
    now: datetime


class SlotReason(StrEnum):
    """Why a slot has no run."""

    MISSED = "MISSED"
    PAUSED = "PAUSED"


class SkippedSlots(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of slots that get no run: `count` slots from `scheduled_at` to `last_scheduled_at`, both included."""

    task_id: int
    scheduled_at: datetime
    last_scheduled_at: datetime
    count: int
    reason: SlotReason


class ScheduleAdvance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a schedule stands after its due slots were recorded; `next_due_at` None means it is exhausted."""

    task_id: int
    last_slot_at: datetime
    next_due_at: datetime | None


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the ledger: a slot and its run, or a stretch of slots and the reason why they have none."""

    task_id: int
    scheduled_at: datetime
    last_scheduled_at: datetime
    count: int
    run_id: int | None
    reason: SlotReason | None
