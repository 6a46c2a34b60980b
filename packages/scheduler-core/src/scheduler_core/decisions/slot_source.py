"""The slots of a task whose schedule may have been changed in between, as far as a run of them can exist."""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from scheduler_core.decisions.due_rule import LOOK_BACK
from scheduler_core.decisions.pause_windows import is_paused, pause_parts
from scheduler_core.decisions.schedule_rules import data_interval, previous_before, slots_between
from scheduler_core.models import Schedule, SchedulePeriod

_TICK = timedelta(microseconds=1)
_HORIZON = LOOK_BACK[-1]


class SlotSource:
    """Slots by the schedule that counted at their time; not those in pause windows, which never get a run.

    A fixed delay has no slots that can be known.
    """

    def __init__(self, periods: Sequence[SchedulePeriod]) -> None:
        self._periods = [period for period in periods if period.schedule.after_end is None]

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Those in (after, until], in order, made one by one."""
        for period in self._periods:
            begin, end = _within(period, after, until)
            for low, high in _open_parts(period.schedule, begin, end):
                yield from slots_between(period.schedule, low, high, period.seed)

    def covering(self, begin: datetime, end: datetime) -> datetime | None:
        """The one whose data interval contains [begin, end)."""
        for period in self._periods:
            low, high = _within(period, end - _TICK, end + _HORIZON)
            slot = next(slots_between(period.schedule, low, high, period.seed), None) if low < high else None
            if slot is None:
                continue
            interval = data_interval(period.schedule, slot, period.seed)
            covers = interval is not None and interval[0] <= begin and not is_paused(period.schedule, slot)
            return slot if covers else None
        return None

    def same(self, begin: datetime, end: datetime) -> datetime | None:
        """The one whose data interval is [begin, end)."""
        for period in self._periods:
            for slot in SlotSource([period]).between(end - _TICK, end):
                if data_interval(period.schedule, slot, period.seed) == (begin, end):
                    return slot
        return None

    def latest(self, until: datetime, count: int) -> list[datetime]:
        """The newest `count` up to `until`, which counts in, in ascending order."""
        found: list[datetime] = []
        for period in reversed(self._periods):
            begin, end = _within(period, until - _HORIZON, until)
            found = _latest(period, begin, end, count - len(found)) + found
            if len(found) == count:
                break
        return found


def _latest(period: SchedulePeriod, begin: datetime, end: datetime, count: int) -> list[datetime]:
    if not period.schedule.pauses:
        return _latest_in(period, begin, end, count)
    found: list[datetime] = []
    for distance in LOOK_BACK:
        low = max(begin, end - distance)
        found = []
        for part_begin, part_end in reversed(list(_open_parts(period.schedule, low, end))):
            found = _latest_in(period, part_begin, part_end, count - len(found)) + found
            if len(found) == count:
                return found
        if low == begin:
            break
    return found


def _latest_in(period: SchedulePeriod, begin: datetime, end: datetime, count: int) -> list[datetime]:
    schedule, seed = period.schedule, period.seed
    newest = previous_before(schedule, end + _TICK, seed) if begin < end else None
    if newest is None or newest <= begin:
        return []
    before = previous_before(schedule, newest, seed)
    if count == 1 or before is None or before <= begin:
        return [newest]
    distance = end - newest + (newest - before) * count
    while True:
        low = max(begin, end - distance) if distance < end - begin else begin
        found = deque(slots_between(schedule, low, end, seed), maxlen=count)
        if len(found) == count or low == begin:
            return list(found)
        distance *= 2


def _within(period: SchedulePeriod, after: datetime, until: datetime) -> tuple[datetime, datetime]:
    until = until if period.counts_until is None else min(until, period.counts_until)
    return max(after, period.counts_from), until


def _open_parts(schedule: Schedule, after: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    if after >= until:
        return
    if not schedule.pauses:
        yield after, until
        return
    for part in pause_parts(schedule, after, until):
        if not part.is_paused:
            yield part.after, part.until
