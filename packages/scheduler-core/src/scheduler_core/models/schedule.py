"""When a task is due: a rule that gives instants, what is done with those that cannot run, and their ledger."""

from datetime import datetime
from enum import StrEnum

import msgspec


class OnGap(StrEnum):
    """What becomes of a local time that the clocks skip."""

    RUN_AFTER = "run_after"
    """It is due at the first instant after the gap."""
    SKIP = "skip"


class OnOverlap(StrEnum):
    """When a local time that the clocks show twice is due."""

    FIRST = "first"
    SECOND = "second"
    BOTH = "both"


class PauseWindow(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, rename={"starts_at": "from"}
):
    """A stretch in which slots get no run, its end excluded.

    Either once, `starts_at` (written `from`) to `until`; or again and again, from each match of `cron` for `lasts`
    seconds. Times without an offset are in the schedule's time zone.
    """

    starts_at: datetime | None = None
    until: datetime | None = None
    cron: str | None = None
    lasts: int | None = None


class Schedule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A rule that gives due instants: exactly one of `cron`, `every`, `after_end`, `at`, `rrule` and `any`.

    `every` (fixed rate), `after_end` (fixed delay after the end of the last run) and `jitter` are whole seconds.
    `any` are schedules with nothing but a rule, their time zone and their DST rules; what they have in common is due
    once. Instants without an offset count in `timezone`. `on_gap` and `on_overlap` None leave the choice to the rule.
    Slots lie from `valid_from` to `valid_until`, both included; the first is also where `every` begins to count.

    Checked by `scheduler_core.decisions.schedule_check`; `schedule_rules` computes the instants.
    """

    cron: str | None = None
    timezone: str = "UTC"
    at: datetime | None = None
    every: int | None = None
    after_end: int | None = None
    rrule: str | None = None
    any: tuple["Schedule", ...] | None = None
    on_gap: OnGap | None = None
    on_overlap: OnOverlap | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    jitter: int = 0
    pauses: tuple[PauseWindow, ...] = ()


class MisfirePolicy(StrEnum):
    """What is done with slots that are late because no dispatcher ran."""

    SKIP = "skip"
    """Those later than the grace get no run."""
    LATEST = "latest"
    """The latest one runs."""
    ALL = "all"
    """All run, oldest first."""


class OverlapPolicy(StrEnum):
    """What is done with a slot whose task still has a run that has not ended."""

    ALLOW = "allow"
    SKIP = "skip"
    QUEUE = "queue"
    """Its run waits until the earlier ones have ended, however they end."""
    CANCEL_PREVIOUS = "cancel_previous"
    """The earlier ones are cancelled; its run starts when they have ended."""


class SlotPolicies(msgspec.Struct, frozen=True, kw_only=True):
    """What a task says about slots that cannot simply run.

    `misfire_grace_seconds` is how late a slot may be and still run; None: any time, with skip 60 seconds. Of late
    slots at most `misfire_runs_max` run under ALL, the newest ones.
    """

    misfire: MisfirePolicy = MisfirePolicy.LATEST
    misfire_grace_seconds: float | None = None
    misfire_runs_max: int = 100
    overlap: OverlapPolicy = OverlapPolicy.ALLOW


class DueSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule whose next slot is due, locked for the transaction that took it.

    `now` is the database's clock when it was taken. Every slot up to and including `recorded_until` is in the ledger;
    `next_due_at` is the oldest one after it that may run, None while the end of a run is awaited that tells. `seed`
    is the task's, for H and jitter.
    """

    task_id: int
    schedule: Schedule
    seed: int
    policies: SlotPolicies
    recorded_until: datetime
    next_due_at: datetime | None
    now: datetime


class SlotReason(StrEnum):
    """Why a slot has no run."""

    MISSED = "MISSED"
    """A later one was run in its place, or its schedule was changed or removed before it could run."""
    MISFIRED = "MISFIRED"
    """It was too late, or there were too many late ones."""
    OVERLAP = "OVERLAP"
    """An earlier run of the task had not ended."""
    PAUSED = "PAUSED"
    """The task was paused, or the slot lies in a pause window."""
    OUTSIDE_VALIDITY = "OUTSIDE_VALIDITY"
    """It comes before the schedule's valid_from."""


class SkippedSlots(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of slots that get no run: `count` slots from `scheduled_at` to `last_scheduled_at`, both included."""

    task_id: int
    scheduled_at: datetime
    last_scheduled_at: datetime
    count: int
    reason: SlotReason


class ScheduleAdvance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a schedule stands after its due slots were recorded.

    Everything up to `recorded_until` is in the ledger. `next_due_at` None means that it is exhausted, or that the
    end of `awaits_run_id` will tell.
    """

    task_id: int
    recorded_until: datetime
    next_due_at: datetime | None
    awaits_run_id: int | None = None


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the ledger: a slot and its run, or a stretch of slots and the reason why they have none.

    `zone_data` is the version of the time zone database by which it was computed, None where that is not known.
    """

    task_id: int
    scheduled_at: datetime
    last_scheduled_at: datetime
    count: int
    run_id: int | None
    reason: SlotReason | None
    zone_data: str | None = None


class SchedulePeriod(msgspec.Struct, frozen=True, kw_only=True):
    """When which schedule of a task counted: for slots after `counts_from`, up to and including `counts_until`.

    `counts_until` None means that it still counts. `seed` is the task's at that time.
    """

    task_id: int
    counts_from: datetime
    counts_until: datetime | None
    schedule: Schedule
    seed: int
