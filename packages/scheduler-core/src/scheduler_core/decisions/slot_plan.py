"""Which due slots run, which only get a record, and when the schedule is due next."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from scheduler_core.decisions.due_rule import LOOK_BACK, instant_in
from scheduler_core.decisions.pause_windows import PausePart, is_paused, pause_parts
from scheduler_core.decisions.schedule_rules import (
    count_between,
    data_interval,
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
_PARTS_MAX = 2_000
"""How many parts between pause windows one plan passes over."""


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
    keep_from = _kept_from(due, now)
    account = _Account(due)
    account.skip(_outside(due.schedule, due.recorded_until, now, due.seed))
    if _pass_over(account, keep_from - _MICROSECOND, now):
        _run(account, max(account.recorded_until, keep_from - _MICROSECOND), now, min(RUNS_MAX, runs_max or RUNS_MAX))
    next_due_at = next_run_after(due.schedule, account.recorded_until, due.seed)
    return SlotPlan(account.runs, account.skipped, account.recorded_until, next_due_at)


def close_slots(due: DueSchedule, until: datetime, reason: SlotReason) -> list[Stretch]:
    """All slots after `recorded_until` up to and including `until`, for a schedule that stops or is changed there.

    Slots of a pause window or before the validity keep that as their reason. A schedule of `after_end` that waits for
    the end of a run, so that `next_due_at` is None, has no slot.
    """
    if due.schedule.after_end is not None:
        return _steps(due, until, reason)[0]
    account = _Account(due)
    account.skip(_outside(due.schedule, due.recorded_until, until, due.seed))
    for part in pause_parts(due.schedule, due.recorded_until, until):
        account.skip(_bulk(due.schedule, part.after, part.until, _reason(part, reason), due.seed))
    return account.skipped


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


class _Account:
    """The slots of a plan as they are told, oldest first."""

    def __init__(self, due: DueSchedule) -> None:
        self.due = due
        self.runs: list[PlannedSlot] = []
        self.skipped: list[Stretch] = []
        self.recorded_until = due.recorded_until
        self.last_slot: datetime | None = None
        """The slot that was told last; None when none was."""

    def skip(self, stretches: Iterable[Stretch]) -> None:
        """Tell stretches; one that follows upon another with the same reason, no slot between, goes on with it."""
        for stretch in stretches:
            last = self.skipped[-1] if self.skipped else None
            if last is not None and last.reason is stretch.reason and last.last == self.last_slot:
                self.skipped[-1] = Stretch(last.first, stretch.last, last.count + stretch.count, stretch.reason)
            else:
                self.skipped.append(stretch)
            self.recorded_until = self.last_slot = stretch.last

    def run(self, slot: datetime, not_before: datetime) -> None:
        """Tell a slot that runs."""
        due = self.due
        if self.last_slot is None:
            interval = data_interval(due.schedule, slot, due.seed) or (None, None)
        else:
            interval = (self.last_slot, slot)
        self.runs.append(PlannedSlot(slot, not_before, *interval))
        self.recorded_until = self.last_slot = slot


def _kept_from(due: DueSchedule, now: datetime) -> datetime:
    """The oldest instant whose slot may run."""
    on_time = now - timedelta(seconds=ON_TIME_SECONDS)
    grace = grace_of(due.policies)
    oldest = due.recorded_until if grace is None else max(due.recorded_until, now - grace)
    if due.policies.misfire is MisfirePolicy.SKIP:
        return min(oldest, on_time)
    count = 1 if due.policies.misfire is MisfirePolicy.LATEST else max(1, due.policies.misfire_runs_max)
    newest = _oldest_of_newest(due, now, count)
    return on_time if newest is None else min(on_time, max(oldest, newest))


def _oldest_of_newest(due: DueSchedule, now: datetime, count: int) -> datetime | None:
    """The oldest of the `count` newest slots that are due and not paused; None when there is none."""
    newest: deque[datetime] = deque()
    for distance in LOOK_BACK:
        after = max(due.recorded_until, now - distance)
        newest = deque(_not_paused(due, after, now), maxlen=count)
        if len(newest) == count or after == due.recorded_until:
            break
    return newest[0] if newest else None


def _not_paused(due: DueSchedule, after: datetime, until: datetime) -> Iterator[datetime]:
    for part in pause_parts(due.schedule, after, until):
        if not part.is_paused:
            yield from slots_between(due.schedule, part.after, part.until, due.seed)


def _pass_over(account: _Account, until: datetime, now: datetime) -> bool:
    """Tell the slots up to `until`, which get no run; False when that is more than one plan looks at."""
    due = account.due
    grace = grace_of(due.policies)
    # Under `latest` a slot within the grace has given way to a later one; all others were too late or too many.
    cut = until
    if due.policies.misfire is MisfirePolicy.LATEST:
        cut = due.recorded_until if grace is None else min(until, now - grace - _MICROSECOND)
    parts = pause_parts(due.schedule, max(due.recorded_until, account.recorded_until), until)
    for number, part in enumerate(parts):
        if number == _PARTS_MAX:
            return False
        middle = min(max(cut, part.after), part.until)
        for after, end, reason in (
            (part.after, middle, SlotReason.MISFIRED),
            (middle, part.until, SlotReason.MISSED),
        ):
            stretches = list(_bulk(due.schedule, after, end, _reason(part, reason), due.seed, _LOOKED_AT_MAX))
            account.skip(stretches)
            if stretches and stretches[0].count == _LOOKED_AT_MAX and due.schedule.any is not None:
                return False
    return True


def _run(account: _Account, after: datetime, now: datetime, limit: int) -> None:
    """Tell the slots that run, and those of pause windows among them, until there are `limit` runs."""
    due = account.due
    is_paced = due.policies.misfire is MisfirePolicy.ALL
    late = 0
    for part in pause_parts(due.schedule, after, now):
        if part.is_paused:
            account.skip(_bulk(due.schedule, part.after, part.until, SlotReason.PAUSED, due.seed))
            continue
        for slot in slots_between(due.schedule, part.after, part.until, due.seed):
            if len(account.runs) == limit:
                return
            not_before = slot + jitter_of(due.schedule, slot, due.seed)
            if is_paced and slot < now - timedelta(seconds=ON_TIME_SECONDS):
                not_before = max(not_before, now + late * timedelta(seconds=CATCH_UP_SPACING_SECONDS))
                late += 1
            account.run(slot, not_before)


def _reason(part: PausePart, otherwise: SlotReason) -> SlotReason:
    return SlotReason.PAUSED if part.is_paused else otherwise


def _outside(schedule: Schedule, after: datetime, until: datetime, seed: int) -> list[Stretch]:
    if schedule.valid_from is None or schedule.cron is None:
        return []
    valid_from = instant_in(schedule.valid_from, schedule.timezone)
    if valid_from <= after:
        return []
    unbounded = msgspec.structs.replace(schedule, valid_from=None, valid_until=None, pauses=())
    until = min(until, valid_from - _MICROSECOND)
    return list(_bulk(unbounded, after, until, SlotReason.OUTSIDE_VALIDITY, seed))


def _bulk(
    schedule: Schedule, after: datetime, until: datetime, reason: SlotReason, seed: int, walked_max: int | None = None
) -> Iterator[Stretch]:
    """All slots in (after, until] as one stretch, counted without looking at each.

    What several rules name can only be counted one by one: of `any`, at most `walked_max` when that is given.
    """
    if until <= after:
        return
    slots = slots_between(schedule, after, until, seed)
    first = next(slots, None)
    if first is None:
        return
    if schedule.any is None or walked_max is None:
        last = previous_before(schedule, until + _MICROSECOND, seed) or first
        yield Stretch(first, last, count_between(schedule, after, until, seed), reason)
        return
    last, count = first, 1
    for slot in itertools.islice(slots, walked_max - 1):
        last, count = slot, count + 1
    yield Stretch(first, last, count, reason)


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
    if not stretches:  # beyond the validity
        return SlotPlan([], [], due.recorded_until, None)
    return SlotPlan([], stretches, stretches[-1].last, following)


def _steps(due: DueSchedule, until: datetime, reason: SlotReason) -> tuple[list[Stretch], datetime | None]:
    """Slots of `after_end` that had no run follow each other by the delay; and the first one after `until`."""
    slot = due.next_due_at
    if slot is None or slot > until:
        return [], slot
    # From there on they are those of a fixed rate that begins at the slot.
    rate = msgspec.structs.replace(
        due.schedule, after_end=None, every=due.schedule.after_end, valid_from=slot, jitter=0
    )
    account = _Account(due)
    for part in pause_parts(rate, slot - _MICROSECOND, until):
        account.skip(_bulk(rate, part.after, part.until, _reason(part, reason), due.seed))
    if account.last_slot is None:
        return [], None
    return account.skipped, next_after(due.schedule, account.last_slot, due.seed)
