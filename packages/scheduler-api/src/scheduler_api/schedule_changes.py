"""What a change of a task does to its schedule: what has passed is recorded, and what comes is planned."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from scheduler_core.decisions.fixed_delay import next_after_end
from scheduler_core.decisions.schedule_rules import next_after, next_run_after
from scheduler_core.decisions.slot_plan import Stretch, close_slots
from scheduler_core.errors import ConflictError, InvalidInputError
from scheduler_core.interfaces import StandingSchedule, UnitOfWork
from scheduler_core.models import (
    DueSchedule,
    Schedule,
    ScheduleAdvance,
    SkippedSlots,
    SlotPolicies,
    SlotReason,
    Task,
    TaskStatus,
)

logger = structlog.get_logger("scheduler.api")

_MICROSECOND = timedelta(microseconds=1)
_NEXT_TRY = timedelta(hours=1)
"""When a schedule that cannot be computed is looked at, as the dispatcher does."""
_UNCOMPUTABLE = (InvalidInputError, ArithmeticError, ValueError)


def is_same(first: Schedule | None, second: Schedule | None) -> bool:
    """Whether two schedules are stored alike; the store judges by the same."""
    return bool(msgspec.to_builtins(first) == msgspec.to_builtins(second))


def check_seen(standing: Sequence[StandingSchedule], task: Task) -> None:
    """Raise ConflictError, to be tried again, when a task was given a schedule while its lock was waited for.

    The statement that locks schedules does not see one that is committed after it has begun.
    """
    if task.schedule is not None and not standing:
        raise ConflictError(f"Task '{task.name}' was given a schedule at the same time. Try again.")


async def ends_of_former(work: UnitOfWork, tasks: Sequence[Task]) -> dict[int, datetime]:
    """Until when the former schedules counted of those tasks that have none now; those that never had are left out."""
    bare = [task.id for task in tasks if task.schedule is None]
    periods = await work.schedules.periods(bare) if bare else []
    return {period.task_id: period.counts_until for period in periods if period.counts_until is not None}


async def close(work: UnitOfWork, standing: Sequence[StandingSchedule], former: Iterable[datetime] = ()) -> datetime:
    """Record what has passed of locked schedules that end now, and return until when they count.

    `former` are the ends of earlier schedules. One that cannot be computed any more has no slots to be recorded.
    """
    now = await work.system.now()
    # Later than anything recorded, also when the database's clock was set back: no two periods begin at one instant.
    until = max([now, *(each.recorded_until + _MICROSECOND for each in standing), *(e + _MICROSECOND for e in former)])
    skipped: list[SkippedSlots] = []
    for each in standing:
        try:
            skipped += _skipped(each, close_slots(await _due(work, each), until, _reason(each)))
        except _UNCOMPUTABLE as error:
            logger.warning("schedule ended without a record of its last slots", task_id=each.task_id, error=str(error))
    if standing:
        advances = [ScheduleAdvance(task_id=each.task_id, recorded_until=until, next_due_at=None) for each in standing]
        await work.schedules.record(advances, skipped)
    return until


async def pause(work: UnitOfWork, standing: StandingSchedule) -> None:
    """Record what was due before the pause of a locked schedule and is not looked at yet: it is MISSED, not PAUSED.

    The schedule counts on. A fixed delay's next slot counts from the last one, so its record goes no further than that.
    """
    until = max(standing.now, standing.recorded_until)
    if standing.schedule.after_end is not None and standing.next_due_at is None:
        return
    try:
        passed = close_slots(await _due(work, standing), until, SlotReason.MISSED)
    except _UNCOMPUTABLE as error:
        logger.warning("schedule paused without a record of its last slots", task_id=standing.task_id, error=str(error))
        return
    if standing.schedule.after_end is not None:
        until = passed[-1].last if passed else standing.recorded_until
    advance = ScheduleAdvance(
        task_id=standing.task_id, recorded_until=until, next_due_at=None, awaits_run_id=standing.awaits_run_id
    )
    await work.schedules.record([advance], _skipped(standing, passed))


async def resume(work: UnitOfWork, standing: StandingSchedule) -> None:
    """Record what a locked schedule missed while its task was paused, and plan its next slot.

    One with a fixed delay whose run has not ended goes on waiting for that. One that cannot be computed any more goes
    on, too, as far as anybody can: dispatchers look at it again in an hour.
    """
    try:
        advance, passed = await _resumed(work, standing)
    except _UNCOMPUTABLE as error:
        logger.warning("schedule resumed that cannot be computed", task_id=standing.task_id, error=str(error))
        awaited = standing.awaits_run_id
        advance, passed = (
            ScheduleAdvance(
                task_id=standing.task_id,
                recorded_until=standing.recorded_until,
                next_due_at=standing.now + _NEXT_TRY if awaited is None else None,
                awaits_run_id=awaited,
            ),
            [],
        )
    await work.schedules.record([advance], _skipped(standing, passed))


async def _resumed(work: UnitOfWork, standing: StandingSchedule) -> tuple[ScheduleAdvance, list[Stretch]]:
    """Where a schedule stands when its task goes on, and what has passed since it was paused."""
    until = max(standing.now, standing.recorded_until)
    due = await _due(work, standing)
    passed = close_slots(due, until, _reason(standing))
    if standing.schedule.after_end is None:
        recorded_until, awaited = until, None
        following = next_run_after(standing.schedule, until, standing.seed)
    elif due.next_due_at is None:
        recorded_until, awaited, following = standing.recorded_until, standing.awaits_run_id, None
    else:
        # Its next slot counts from the last one, so its record goes no further than that.
        recorded_until, awaited = (passed[-1].last if passed else standing.recorded_until), None
        following = next_after(standing.schedule, passed[-1].last, standing.seed) if passed else due.next_due_at
    advance = ScheduleAdvance(
        task_id=standing.task_id, recorded_until=recorded_until, next_due_at=following, awaits_run_id=awaited
    )
    return advance, passed


async def _due(work: UnitOfWork, standing: StandingSchedule) -> DueSchedule:
    next_due_at = standing.next_due_at
    if standing.schedule.after_end is not None and next_due_at is None:
        ends = await work.schedules.last_ends([standing.task_id])
        end = ends.get(standing.task_id, standing.recorded_until)
        if end is not None:
            next_due_at = next_after_end(standing.schedule, end, standing.recorded_until, standing.seed)
    return DueSchedule(
        task_id=standing.task_id,
        schedule=standing.schedule,
        seed=standing.seed,
        policies=SlotPolicies(),
        recorded_until=standing.recorded_until,
        next_due_at=next_due_at,
        now=standing.now,
    )


def _reason(standing: StandingSchedule) -> SlotReason:
    return SlotReason.PAUSED if standing.task_status is TaskStatus.PAUSED else SlotReason.MISSED


def _skipped(standing: StandingSchedule, stretches: Sequence[Stretch]) -> list[SkippedSlots]:
    return [
        SkippedSlots(
            task_id=standing.task_id,
            scheduled_at=stretch.first,
            last_scheduled_at=stretch.last,
            count=stretch.count,
            reason=stretch.reason,
        )
        for stretch in stretches
    ]
