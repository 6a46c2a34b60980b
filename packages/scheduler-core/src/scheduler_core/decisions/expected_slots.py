"""The slots that a ledger has to hold, taken from a schedule in order, as many at a time as are asked for."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from scheduler_core.decisions.due_rule import instant_in
from scheduler_core.decisions.schedule_rules import count_between, previous_before, slots_between
from scheduler_core.models import Schedule

TICK = timedelta(microseconds=1)
"""The smallest step of an instant in the database: what is after `instant - TICK` is not before `instant`."""

# Walking is exact and costs about a microsecond a slot; a year of seconds is counted instead.
_WALK_MAX = 1000


class SlotSpan(NamedTuple):
    """So many `slots` from `first` to `last`, both included."""

    first: datetime
    last: datetime
    slots: int


class ExpectedSlots:
    """The slots of a schedule in (after, until], each of them given once. Not for `after_end`.

    What cron text names before `valid_from` counts among them: the ledger holds it as OUTSIDE_VALIDITY.
    """

    def __init__(self, schedule: Schedule, seed: int, after: datetime, until: datetime) -> None:
        self._parts = [_Slots(schedule, seed, after, until)]
        if schedule.cron is not None and schedule.valid_from is not None:
            unbounded = msgspec.structs.replace(schedule, valid_from=None, valid_until=None, pauses=())
            valid_from = instant_in(schedule.valid_from, schedule.timezone)
            self._parts.insert(0, _Slots(unbounded, seed, after, min(until, valid_from - TICK)))

    def take_until(self, instant: datetime) -> SlotSpan | None:
        """All slots not yet taken up to `instant`, which counts in; None when there are none."""
        spans = [span for part in self._parts if (span := part.take_until(instant)) is not None]
        return SlotSpan(spans[0].first, spans[-1].last, sum(span.slots for span in spans)) if spans else None

    def count(self, first: datetime, last: datetime) -> int:
        """How many slots lie from `first` to `last`, both included, taken or not."""
        return sum(part.count(first, last) for part in self._parts)


class _Slots:
    """The slots of one rule, walked through or counted."""

    def __init__(self, schedule: Schedule, seed: int, after: datetime, until: datetime) -> None:
        self._schedule = schedule
        self._seed = seed
        self._until = until
        self._slots: Iterator[datetime] = iter(())
        self._next: datetime | None = None
        self._go_on(after)

    def take_until(self, instant: datetime) -> SlotSpan | None:
        limit = min(instant, self._until)
        first, last, slots = self._next, None, 0
        while self._next is not None and self._next <= limit:
            last = self._next
            slots += 1
            self._next = next(self._slots, None)
            if slots == _WALK_MAX and (more := count_between(self._schedule, last, limit, self._seed)):
                last = previous_before(self._schedule, limit + TICK, self._seed) or last
                slots += more
                self._go_on(last)
        return SlotSpan(first, last, slots) if first is not None and last is not None else None

    def count(self, first: datetime, last: datetime) -> int:
        return count_between(self._schedule, first - TICK, min(last, self._until), self._seed)

    def _go_on(self, after: datetime) -> None:
        self._slots = (
            iter(()) if after >= self._until else slots_between(self._schedule, after, self._until, self._seed)
        )
        self._next = next(self._slots, None)
