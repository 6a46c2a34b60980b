"""Pause windows: whether an instant lies in one, and what parts of the time they make."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from scheduler_core.decisions.due_rule import DueRule, compile_rule, instant_in
from scheduler_core.models import PauseWindow, Schedule

_MICROSECOND = timedelta(microseconds=1)
_HORIZON = timedelta(days=366 * 50)


def is_paused(schedule: Schedule, slot: datetime) -> bool:
    """Whether a slot lies in a pause window."""
    return any(_is_within(window, schedule.timezone, slot) for window in schedule.pauses)


class PausePart(NamedTuple):
    """A part of the time, (after, until], in which all slots lie in pause windows or none does."""

    after: datetime
    until: datetime
    is_paused: bool


def pause_parts(schedule: Schedule, after: datetime, until: datetime) -> Iterator[PausePart]:
    """(after, until] in such parts, in order: one without pause windows, else two for each time that one opens."""
    while after < until:
        instant = after + _MICROSECOND
        is_within = is_paused(schedule, instant)
        change = pause_end(schedule, instant) if is_within else _next_opening(schedule, instant)
        end = until if change is None else min(until, change - _MICROSECOND)
        yield PausePart(after, end, is_within)
        after = end


def pause_end(schedule: Schedule, instant: datetime) -> datetime:
    """The end, which is excluded, of those pause windows around `instant` that end last."""
    ends = []
    for window in schedule.pauses:
        if not _is_within(window, schedule.timezone, instant):
            continue
        if window.until is not None:
            ends.append(instant_in(window.until, schedule.timezone))
        else:
            lasts = timedelta(seconds=window.lasts or 0)
            opened = _openings(window.cron, schedule.timezone).latest_between(instant - lasts, instant)
            ends.append((opened or instant) + lasts)
    return max(ends)


def _is_within(window: PauseWindow, timezone: str, slot: datetime) -> bool:
    if window.cron is not None:
        lasts = timedelta(seconds=window.lasts or 0)
        return _openings(window.cron, timezone).first_between(slot - lasts, slot) is not None
    return (window.starts_at is None or instant_in(window.starts_at, timezone) <= slot) and (
        window.until is None or slot < instant_in(window.until, timezone)
    )


def _next_opening(schedule: Schedule, instant: datetime) -> datetime | None:
    """The first instant, `instant` or later, at which a pause window opens."""
    found: list[datetime | None] = []
    for window in schedule.pauses:
        if window.starts_at is not None:
            found.append(instant_in(window.starts_at, schedule.timezone))
        else:
            rule = _openings(window.cron, schedule.timezone)
            found.append(rule.first_between(instant - _MICROSECOND, instant + _HORIZON))
    return min((opening for opening in found if opening is not None and opening >= instant), default=None)


@lru_cache(maxsize=4096)
def _openings(cron: str | None, timezone: str) -> DueRule:
    return compile_rule(Schedule(cron=cron, timezone=timezone))
