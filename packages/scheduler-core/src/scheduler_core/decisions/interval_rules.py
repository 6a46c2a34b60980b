"""Dependencies on intervals of other schedules: which slots a run waits for, and when that is fulfilled."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from scheduler_core.decisions.interval_outcome import is_met
from scheduler_core.decisions.interval_text import (
    Interval,
    IntervalKind,
    dependency_problems,
    interval_words,
    parse_interval,
)
from scheduler_core.decisions.schedule_rules import data_interval, slots_between
from scheduler_core.decisions.slot_source import SlotSource
from scheduler_core.models import Dependency, Schedule, SchedulePeriod
from scheduler_core.models.interval_wait import (
    SLOTS_AWAITED_MAX,
    AwaitedSlots,
    WaitingSlot,
)

__all__ = [
    "awaited_slots",
    "dependency_problems",
    "expected_slots",
    "interval_words",
    "is_met",
    "never_holds",
]

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HORIZON: Final = timedelta(days=366 * 50)
_JUDGED_MAX: Final = 100
_LOOKED_AT_MAX: Final = 50_000
"""How many upstream slots are looked at to judge a definition."""


def expected_slots(
    dependency: Dependency, wait: WaitingSlot, upstream: Schedule, seed: int, recorded_from: datetime
) -> AwaitedSlots:
    """Which slots of an upstream schedule a run waits for; those up to `recorded_from` are not among them.

    Slots in the schedule's own pause windows are not waited for, either: they never get a run.
    """
    period = SchedulePeriod(task_id=0, counts_from=recorded_from, counts_until=None, schedule=upstream, seed=seed)
    return awaited_slots(dependency, wait, [period])


def awaited_slots(dependency: Dependency, wait: WaitingSlot, periods: Sequence[SchedulePeriod]) -> AwaitedSlots:
    """The same for a task whose schedule may have been changed: each slot by the schedule that counted at its time.

    A task that has no schedule any more is waited for as far as its slots reached.
    """
    interval = parse_interval(dependency.interval)
    present = periods[-1] if periods and periods[-1].counts_until is None else None
    if present is not None and present.schedule.after_end is not None:
        return AwaitedSlots(reason=_no_intervals(dependency.task))
    slots = tuple(islice(_slots(interval, wait, SlotSource(periods)), SLOTS_AWAITED_MAX + 1))
    if len(slots) > SLOTS_AWAITED_MAX:
        return AwaitedSlots(reason=_too_many(dependency))
    if slots:
        return AwaitedSlots(slots)
    if present is None:
        return AwaitedSlots(reason=f"'{dependency.task}' has no schedule, and so no slots.")
    if interval.kind in (IntervalKind.CONTAINED, IntervalKind.WITHIN, IntervalKind.PREVIOUS):
        return AwaitedSlots()
    return AwaitedSlots(reason="There is no such slot.")


def never_holds(
    dependency: Dependency,
    downstream: Schedule,
    downstream_seed: int,
    upstream: Schedule,
    upstream_seed: int,
    now: datetime,
) -> str | None:
    """Why the runs of a schedule would wait in vain, or for nothing at all; None when some slot may be waited for.

    Judged by up to 100 of its next slots. The dependency is one that `dependency_problems` has nothing against.
    """
    if upstream.after_end is not None:
        return _no_intervals(dependency.task)
    if downstream.after_end is not None:
        return (
            "The slots of after_end are told by its runs, so intervals of other schedules cannot be counted on before. "
            "Use every or cron."
        )
    slots = islice(slots_between(downstream, now, now + _HORIZON, downstream_seed), _JUDGED_MAX)
    waits = [WaitingSlot(slot, *(data_interval(downstream, slot, downstream_seed) or (None, None))) for slot in slots]
    looked_at, is_possible = 0, False
    for wait in waits:
        expected = expected_slots(dependency, wait, upstream, upstream_seed, _BEGINNING)
        if expected.reason == _too_many(dependency):
            return f"{expected.reason} Choose a shorter interval."
        if expected.slots and not _is_coarser(dependency, upstream, upstream_seed, expected.slots[-1], wait):
            is_possible = True
        looked_at += len(expected.slots)
        if looked_at > _LOOKED_AT_MAX:
            break
    if is_possible or not waits:
        return None
    return _in_vain(dependency, waits)


def _is_coarser(dependency: Dependency, upstream: Schedule, seed: int, slot: datetime, wait: WaitingSlot) -> bool:
    """Whether a slot that is to lie within the interval covers more than that."""
    if parse_interval(dependency.interval).kind is not IntervalKind.CONTAINED:
        return False
    covered = data_interval(upstream, slot, seed)
    if covered is None or wait.interval_from is None or wait.interval_to is None:
        return False
    return covered[1] - covered[0] > wait.interval_to - wait.interval_from


def _slots(interval: Interval, wait: WaitingSlot, source: SlotSource) -> Iterator[datetime]:
    kind, number = interval
    begin, end = wait.interval_from, wait.interval_to
    slot: datetime | None
    if kind is IntervalKind.LATEST:
        yield from source.latest(wait.scheduled_at, 1)
    elif kind is IntervalKind.WITHIN:
        yield from source.between(wait.scheduled_at - timedelta(seconds=number), wait.scheduled_at)
    elif kind is IntervalKind.PREVIOUS:
        # A slot is where its data interval ends; a run without an interval stands at its slot.
        yield from source.latest(begin or wait.scheduled_at, number)
    elif begin is not None and end is not None:
        if kind is IntervalKind.CONTAINED:
            # Each slot belongs to the run within whose interval its own one ends: to one, however they are shifted.
            yield from source.between(begin, end)
        else:
            slot = source.same(begin, end) if kind is IntervalKind.SAME else source.covering(begin, end)
            if slot is not None:
                yield slot


def _in_vain(dependency: Dependency, waits: Sequence[WaitingSlot]) -> str:
    if waits[0].interval_from is None:
        remedy = "This schedule has one instant and no data intervals: use latest or within."
    else:
        remedy = "Choose another interval, or another schedule."
    return (
        f"Interval '{dependency.interval}' never gives a slot of '{dependency.task}': of the next {len(waits)} "
        f"{'slot' if len(waits) == 1 else 'slots'} of this schedule none has such a one. {remedy}"
    )


def _no_intervals(task: str) -> str:
    return f"'{task}' has a schedule of after_end, whose slots only its runs can tell: they cannot be waited for."


def _too_many(dependency: Dependency) -> str:
    words = interval_words(dependency)
    return f"{words[:1].upper()}{words[1:]}: these are more than {SLOTS_AWAITED_MAX}, which is too many."
