"""Which due slots run, which only get a record, and when the schedule is due next."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from scheduler_core.decisions.due_rule import instant_in
from scheduler_core.decisions.schedule_rules import (
    count_between,
    data_interval,
    is_paused,
    jitter_of,
    next_after,
    next_run_after,
    previous_before,
    slots_between,
)
from scheduler_core.models import DueSchedule, MisfirePolicy, Schedule, SlotPolicies, SlotReason

ON_TIME_SECONDS = 5.0
"""A slot that is no later than this is on time: it runs, whatever is done with late ones."""
SKIP_GRACE_SECONDS = 60.0
"""How late a slot may be under `skip` when the task does not say."""
CATCH_UP_SPACING_SECONDS = 1.0
"""How far apart the late runs of one task are released under `all`."""
RUNS_MAX = 1000
"""How many runs one plan gives a schedule at most; the rest is due again at once."""

_MICROSECOND = timedelta(microseconds=1)
_LOOKED_AT_MAX = 20_000


class PlannedSlot(NamedTuple):
    """A slot that gets a run. `not_before` is later than `scheduled_at` by its jitter, or by the pace of a catch-up."""

    scheduled_at: datetime
    not_before: datetime
    interval_from: datetime | None
    interval_to: datetime | None


class Stretch(msgspec.Struct, frozen=True):
    """`count` slots from `first` to `last`, both included, that get no run."""

    first: datetime
    last: datetime
    count: int
    reason: SlotReason


class SlotPlan(NamedTuple):
    """What a due schedule leads to; `recorded_until` and `next_due_at` are where it stands afterwards.

    `runs` and `skipped` hold every slot after the schedule's former `recorded_until` up to the new one, once.
    `next_due_at` may be due already: there is more to do than one plan holds. None: nothing comes any more, or, for
    `after_end` with a run, the end of that run tells.
    """

    runs: list[PlannedSlot]
    skipped: list[Stretch]
    recorded_until: datetime
    next_due_at: datetime | None


def plan_slots(due: DueSchedule, now: datetime, *, runs_max: int | None = None) -> SlotPlan:
    """Divide the slots of a due schedule up to `now`, oldest first; at most `runs_max` of them run in this plan."""
    if due.schedule.after_end is not None:
        return _plan_after_end(due, now)
    schedule, seed = due.schedule, due.seed
    keep_from = _kept_from(due, now)
    skipped = _outside(schedule, due.recorded_until, now, seed)
    passed_over = list(_passed_over(due, keep_from, now))
    skipped += passed_over
    if passed_over and next_after(schedule, passed_over[-1].last, seed) != _first_from(schedule, keep_from, seed):
        # More was passed over than one plan looks at.
        return _plan_of(due, [], skipped, passed_over[-1].last)
    limit = min(RUNS_MAX, runs_max or RUNS_MAX)
    runs: list[PlannedSlot] = []
    recorded_until = passed_over[-1].last if passed_over else due.recorded_until
    late = 0
    before: datetime | None = None
    for slot in slots_between(schedule, max(recorded_until, keep_from - _MICROSECOND), now, seed):
        if is_paused(schedule, slot):
            if skipped and skipped[-1].last != recorded_until:  # a run lies between
                skipped.append(Stretch(slot, slot, 1, SlotReason.PAUSED))
            else:
                _add(skipped, slot, SlotReason.PAUSED)
        elif len(runs) == limit:
            break
        else:
            interval = data_interval(schedule, slot, seed) if before is None else (before, slot)
            not_before = slot + jitter_of(schedule, slot, seed)
            if due.policies.misfire is MisfirePolicy.ALL and _is_late(slot, now):
                not_before = max(not_before, now + late * timedelta(seconds=CATCH_UP_SPACING_SECONDS))
                late += 1
            runs.append(PlannedSlot(slot, not_before, *(interval or (None, None))))
        recorded_until = before = slot
    return _plan_of(due, runs, skipped, recorded_until)


def close_slots(due: DueSchedule, until: datetime, reason: SlotReason) -> list[Stretch]:
    """All slots after `recorded_until` up to and including `until`, for a schedule that stops or is changed there.

    Slots of a pause window or before the validity keep that as their reason. A schedule of `after_end` that waits for
    the end of a run, so that `next_due_at` is None, has no slot.
    """
    schedule, seed = due.schedule, due.seed
    if schedule.after_end is not None:
        return _steps(due, until, reason)[0]
    closed = _outside(schedule, due.recorded_until, until, seed)
    if schedule.pauses:
        for slot in slots_between(schedule, due.recorded_until, until, seed):
            _add(closed, slot, SlotReason.PAUSED if is_paused(schedule, slot) else reason)
        return closed
    return [*closed, *_bulk(schedule, due.recorded_until, until, reason, seed)]


def outside_validity(schedule: Schedule, after: datetime, until: datetime, seed: int = 0) -> list[Stretch]:
    """What the rule names in (after, until] before `valid_from`, as at most one stretch: slots that do not count.

    Only cron has such: the other rules begin to count at `valid_from`.
    """
    return _outside(schedule, after, until, seed)


def grace_of(policies: SlotPolicies) -> timedelta | None:
    """How late a slot may be and still run; None: any time.

    >>> grace_of(SlotPolicies(misfire=MisfirePolicy.SKIP))
    datetime.timedelta(seconds=60)
    """
    seconds = policies.misfire_grace_seconds
    if seconds is None and policies.misfire is MisfirePolicy.SKIP:
        seconds = SKIP_GRACE_SECONDS
    return None if seconds is None else timedelta(seconds=max(seconds, ON_TIME_SECONDS))


def _kept_from(due: DueSchedule, now: datetime) -> datetime:
    """The oldest instant whose slot may run."""
    on_time = now - timedelta(seconds=ON_TIME_SECONDS)
    grace = grace_of(due.policies)
    oldest = due.recorded_until if grace is None else max(due.recorded_until, now - grace)
    if due.policies.misfire is MisfirePolicy.LATEST:
        newest = list(_newest(due, now, 1))
    elif due.policies.misfire is MisfirePolicy.ALL:
        newest = list(_newest(due, now, max(1, due.policies.misfire_runs_max)))
    else:
        return min(oldest, on_time)
    return min(on_time, max(oldest, newest[-1])) if newest else on_time


def _newest(due: DueSchedule, now: datetime, count: int) -> Iterator[datetime]:
    """Up to `count` slots that are due and not paused, latest first."""
    slot = previous_before(due.schedule, now + _MICROSECOND, due.seed)
    looked_at = 0
    while slot is not None and slot > due.recorded_until and count and looked_at < _LOOKED_AT_MAX:
        if not is_paused(due.schedule, slot):
            yield slot
            count -= 1
        slot = previous_before(due.schedule, slot, due.seed)
        looked_at += 1


def _passed_over(due: DueSchedule, keep_from: datetime, now: datetime) -> Iterator[Stretch]:
    """The slots before `keep_from`, by reason."""
    schedule, seed = due.schedule, due.seed
    until = keep_from - _MICROSECOND
    if until <= due.recorded_until:
        return
    grace = grace_of(due.policies)
    is_latest = due.policies.misfire is MisfirePolicy.LATEST
    # Under `latest` a slot within the grace has given way to a later one; all others were too late or too many.
    cut = until if not is_latest else due.recorded_until if grace is None else min(until, now - grace - _MICROSECOND)
    cut = max(cut, due.recorded_until)
    if not schedule.pauses and schedule.any is None:  # what several rules name can only be counted one by one
        yield from _bulk(schedule, due.recorded_until, cut, SlotReason.MISFIRED, seed)
        yield from _bulk(schedule, cut, until, SlotReason.MISSED, seed)
        return
    stretches: list[Stretch] = []
    for slot, _ in zip(slots_between(schedule, due.recorded_until, until, seed), range(_LOOKED_AT_MAX), strict=False):
        late = SlotReason.MISFIRED if slot <= cut else SlotReason.MISSED
        _add(stretches, slot, SlotReason.PAUSED if is_paused(schedule, slot) else late)
    yield from stretches


def _outside(schedule: Schedule, after: datetime, until: datetime, seed: int) -> list[Stretch]:
    if schedule.valid_from is None or schedule.cron is None:
        return []
    valid_from = instant_in(schedule.valid_from, schedule.timezone)
    if valid_from <= after:
        return []
    unbounded = msgspec.structs.replace(schedule, valid_from=None, valid_until=None, pauses=())
    until = min(until, valid_from - _MICROSECOND)
    return list(_bulk(unbounded, after, until, SlotReason.OUTSIDE_VALIDITY, seed))


def _bulk(schedule: Schedule, after: datetime, until: datetime, reason: SlotReason, seed: int) -> Iterator[Stretch]:
    """All slots in (after, until] as one stretch, counted without looking at each."""
    if until <= after:
        return
    first = next(slots_between(schedule, after, until, seed), None)
    if first is not None:
        last = previous_before(schedule, until + _MICROSECOND, seed) or first
        yield Stretch(first, last, count_between(schedule, after, until, seed), reason)


def _add(stretches: list[Stretch], slot: datetime, reason: SlotReason) -> None:
    """Put a slot behind the last stretch, or into it when its reason is the same."""
    if stretches and stretches[-1].reason is reason:
        stretches[-1] = msgspec.structs.replace(stretches[-1], last=slot, count=stretches[-1].count + 1)
    else:
        stretches.append(Stretch(slot, slot, 1, reason))


def _plan_after_end(due: DueSchedule, now: datetime) -> SlotPlan:
    slot = due.next_due_at
    if slot is None or slot > now:
        return SlotPlan([], [], due.recorded_until, slot)
    grace = grace_of(due.policies)
    if not is_paused(due.schedule, slot) and (grace is None or slot >= now - grace):
        interval = data_interval(due.schedule, slot, due.seed) or (None, None)
        planned = PlannedSlot(slot, slot + jitter_of(due.schedule, slot, due.seed), *interval)
        return SlotPlan([planned], [], slot, None)
    stretches, following = _steps(due, now, SlotReason.MISFIRED)
    return SlotPlan([], stretches, stretches[-1].last, following)


def _steps(due: DueSchedule, until: datetime, reason: SlotReason) -> tuple[list[Stretch], datetime | None]:
    """Slots of `after_end` that had no run follow each other by the delay; and the first one after `until`."""
    stretches: list[Stretch] = []
    slot = due.next_due_at
    while slot is not None and slot <= until:
        _add(stretches, slot, SlotReason.PAUSED if is_paused(due.schedule, slot) else reason)
        slot = next_after(due.schedule, slot, due.seed)
    return stretches, slot


def _plan_of(due: DueSchedule, runs: list[PlannedSlot], skipped: list[Stretch], recorded_until: datetime) -> SlotPlan:
    return SlotPlan(runs, skipped, recorded_until, next_run_after(due.schedule, recorded_until, due.seed))


def _first_from(schedule: Schedule, instant: datetime, seed: int) -> datetime | None:
    return next_after(schedule, instant - _MICROSECOND, seed)


def _is_late(slot: datetime, now: datetime) -> bool:
    return slot < now - timedelta(seconds=ON_TIME_SECONDS)
