"""When a schedule is due: the next instant, the one before, all of a stretch, and what belongs to one of them.

Instants go in with a time zone and come out in UTC. A slot is one due instant; those that lie in a pause window are
slots as well, which get no run. `seed` is the task's (`schedule_seed`): it decides what H and jitter leave open.
"""

import hashlib
import heapq
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from scheduler_core.decisions.cron_pattern import is_hashed
from scheduler_core.decisions.due_rule import DueRule, compile_rule, instant_in
from scheduler_core.decisions.pause_windows import is_paused, pause_end
from scheduler_core.errors import InvalidInputError
from scheduler_core.models import Schedule

YEARS_MAX = 50
"""How far a slot is searched for."""

_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_HORIZON = timedelta(days=366 * YEARS_MAX)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CALENDAR_END = datetime(9900, 1, 1, tzinfo=UTC)
# A request that says "now" arrives a little later, from a machine whose clock may be behind.
_LATE_MAX = timedelta(seconds=60)
_WINDOWS_MAX = 1000


def next_after(schedule: Schedule, instant: datetime, seed: int = 0) -> datetime | None:
    """The first slot strictly later than `instant`; None when none comes (within 50 years).

    For `after_end`, `instant` is the end of the last run or the slot that had none. Raises InvalidInputError for a
    schedule that `schedule_check` refuses.

    >>> next_after(Schedule(cron="0 3 * * *", timezone="Europe/Berlin"), datetime(2026, 6, 1, tzinfo=UTC)).isoformat()
    '2026-06-01T01:00:00+00:00'
    """
    if instant.tzinfo is None:
        raise ValueError("next_after needs an instant with a time zone")
    if schedule.after_end is not None:
        return _after_end(schedule, instant)
    if instant >= _CALENDAR_END:
        return None
    low, _ = _bounds(schedule)
    begins = instant if low is None else max(instant, low)
    # One instant is found wherever it is, and a validity however far ahead.
    until = _CALENDAR_END if schedule.at is not None else min(begins, _CALENDAR_END - _HORIZON) + _HORIZON
    return next(slots_between(schedule, instant, until, seed), None)


def next_run_after(schedule: Schedule, instant: datetime, seed: int = 0) -> datetime | None:
    """The first slot later than `instant` that lies in no pause window; when all do, one of them."""
    slot = next_after(schedule, instant, seed)
    if slot is None or not schedule.pauses:
        return slot
    horizon = instant + _HORIZON if instant < _CALENDAR_END - _HORIZON else _CALENDAR_END
    for _ in range(_WINDOWS_MAX):
        if not is_paused(schedule, slot):
            return slot
        following = next_after(schedule, pause_end(schedule, slot) - _MICROSECOND, seed)
        if following is None or following > horizon:
            return slot
        slot = following
    return slot


def previous_before(schedule: Schedule, instant: datetime, seed: int = 0) -> datetime | None:
    """The last slot strictly earlier than `instant`, searched for 50 years; None when there is none."""
    rule = _rule(schedule, seed)
    low, high = _bounds(schedule)
    until = instant - _MICROSECOND if high is None else min(instant - _MICROSECOND, high)
    return rule.latest_between(until - _HORIZON if low is None else max(until - _HORIZON, low - _MICROSECOND), until)


def slots_between(schedule: Schedule, after: datetime, until: datetime, seed: int = 0) -> Iterator[datetime]:
    """All slots in (after, until], in order, made one by one as they are asked for.

    Raises ValueError for `after_end`, whose slots only its runs can tell.
    """
    rule = _rule(schedule, seed)
    after, until = _within(schedule, after, until)
    yield from rule.between(after, until)


def count_between(schedule: Schedule, after: datetime, until: datetime, seed: int = 0) -> int:
    """How many slots lie in (after, until]; for cron and `every` its work grows with the days, not with the slots."""
    rule = _rule(schedule, seed)
    after, until = _within(schedule, after, until)
    return rule.count(after, until)


def jitter_of(schedule: Schedule, slot: datetime, seed: int = 0) -> timedelta:
    """By how much the run of a slot is delayed: the same whenever it is asked, from nothing to `jitter` seconds.

    Milliseconds drawn from the SHA-256 of seed and slot, modulo the jitter.
    """
    if not schedule.jitter:
        return timedelta()
    digest = hashlib.sha256(f"{seed}@{int(slot.timestamp())}".encode()).digest()
    return timedelta(milliseconds=int.from_bytes(digest[:8], "big") % (schedule.jitter * 1000))


def data_interval(schedule: Schedule, slot: datetime, seed: int = 0) -> tuple[datetime, datetime] | None:
    """What a slot's run covers, its end excluded: from the slot before, or for the first one from `valid_from`.

    Without either it begins one period before, as long as the distance to the next slot. None for a schedule of one
    instant. For `after_end` it is the fixed delay before the slot.
    """
    if schedule.at is not None:
        return None
    if schedule.after_end is not None:
        return slot - timedelta(seconds=schedule.after_end), slot
    before = previous_before(schedule, slot, seed)
    if before is not None:
        return before, slot
    low, _ = _bounds(schedule)
    if low is not None and low < slot:
        return low, slot
    following = next_after(schedule, slot, seed)
    return (slot - (following - slot), slot) if following is not None else None


def schedule_seed(namespace: str, name: str) -> int:
    """The seed of a task that is created with this name: 31 bits of the SHA-256 of "namespace/name".

    >>> 0 <= schedule_seed("default", "backup") < 2**31
    True
    """
    return int.from_bytes(hashlib.sha256(f"{namespace}/{name}".encode()).digest()[:4], "big") & 0x7FFFFFFF


def schedule_start(schedule: Schedule, now: datetime) -> datetime:
    """After which instant the slots of a new schedule count: now, or just before an `at` passed within a minute."""
    if schedule.at is not None:
        at = instant_in(schedule.at, schedule.timezone)
        if now - _LATE_MAX <= at <= now:
            return at - _SECOND
    return now


def shortest_period(schedule: Schedule, seed: int = 0, sample: int = 50) -> timedelta | None:
    """The shortest distance between two of the schedule's next slots after 2000; None when it has fewer than two."""
    start = datetime(2000, 1, 1, tzinfo=UTC)
    low, high = _bounds(schedule)
    begin = start if low is None else low - _SECOND
    slots = slots_between(schedule, begin, high or begin + _HORIZON, seed)
    shortest: timedelta | None = None
    before: datetime | None = None
    for slot, _ in zip(slots, range(sample), strict=False):
        if before is not None and (shortest is None or slot - before < shortest):
            shortest = slot - before
        before = slot
    return shortest


def _after_end(schedule: Schedule, instant: datetime) -> datetime | None:
    low, high = _bounds(schedule)
    slot = _ceiled(instant + timedelta(seconds=schedule.after_end or 0))
    if low is not None and slot < low:
        slot = _ceiled(low)
    return None if high is not None and slot > high else slot


def _within(schedule: Schedule, after: datetime, until: datetime) -> tuple[datetime, datetime]:
    low, high = _bounds(schedule)
    if low is not None:
        after = max(after, low - timedelta(microseconds=1))
    return after, (until if high is None else min(until, high))


def _bounds(schedule: Schedule) -> tuple[datetime | None, datetime | None]:
    low, high = schedule.valid_from, schedule.valid_until
    return (
        None if low is None else instant_in(low, schedule.timezone),
        None if high is None else instant_in(high, schedule.timezone),
    )


def _ceiled(instant: datetime) -> datetime:
    return instant if instant.microsecond == 0 else instant.replace(microsecond=0) + _SECOND


def _rule(schedule: Schedule, seed: int) -> DueRule:
    if schedule.after_end is not None:
        raise ValueError("the slots of after_end are told by its runs")
    # Tasks by the thousand share a rule unless its text asks for a value of their own.
    return _compiled(schedule, seed if is_seeded(schedule) else 0)


@lru_cache(maxsize=16384)
def is_seeded(schedule: Schedule) -> bool:
    """Whether its slots are other ones for another seed: whether H stands in it."""
    texts = [schedule.cron, *(member.cron for member in schedule.any or ())]
    return any(text is not None and is_hashed(text) for text in texts)


@lru_cache(maxsize=16384)
def _compiled(schedule: Schedule, seed: int) -> DueRule:
    with suppress(ValueError, LookupError):
        if schedule.any:
            return _Union([compile_rule(member, seed, schedule.valid_from) for member in schedule.any])
        return compile_rule(schedule, seed, schedule.valid_from)
    from scheduler_core.decisions.schedule_check import check_schedule  # checks with these rules, so it comes later

    raise InvalidInputError(check_schedule(schedule))


class _Union(DueRule):
    """What any of several rules names; what they have in common is due once."""

    def __init__(self, members: list[DueRule]) -> None:
        self._members = members

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        before: datetime | None = None
        for slot in heapq.merge(*(member.between(after, until) for member in self._members)):
            if slot != before:
                yield slot
                before = slot

    def last_between(self, after: datetime, until: datetime) -> datetime | None:
        found = [member.last_between(after, until) for member in self._members]
        return max((slot for slot in found if slot is not None), default=None)

    def count(self, after: datetime, until: datetime) -> int:
        return sum(1 for _ in self.between(after, until))
