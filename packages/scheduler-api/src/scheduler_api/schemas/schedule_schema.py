"""Schedules in their structured form: the same in requests, task files and answers."""

from datetime import datetime

import msgspec

from scheduler_core.decisions.duration_text import duration_text
from scheduler_core.models import OnGap, OnOverlap, PauseWindow, Schedule


class PauseBody(msgspec.Struct, kw_only=True, omit_defaults=True, rename={"starts_at": "from"}):
    """A stretch in which slots get no run: once, from `from` to `until`; or for `lasts` from each match of `cron`."""

    starts_at: datetime | None = None
    until: datetime | None = None
    cron: str | None = None
    lasts: int | str | None = None


class RuleBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One of several rules: exactly one of `cron`, `every`, `at` and `rrule`. Its `timezone` is the schedule's."""

    cron: str | None = None
    timezone: str | None = None
    at: datetime | None = None
    every: int | str | None = None
    rrule: str | None = None
    on_gap: OnGap | None = None
    on_overlap: OnOverlap | None = None


class ScheduleBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """When a task is due: exactly one of `cron`, `every`, `after_end`, `at`, `rrule` and `any`.

    Lengths of time are text such as "1h30m", or whole seconds. Instants without an offset are in `timezone` (UTC).
    What an answer shows can be sent again as it is.
    """

    cron: str | None = None
    timezone: str | None = None
    at: datetime | None = None
    every: int | str | None = None
    after_end: int | str | None = None
    rrule: str | None = None
    any: list[RuleBody] | None = None
    on_gap: OnGap | None = None
    on_overlap: OnOverlap | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    jitter: int | str | None = None
    pauses: list[PauseBody] | None = None


_AS_THEY_ARE = ("cron", "timezone", "at", "rrule", "on_gap", "on_overlap")


def schedule_body(schedule: Schedule) -> ScheduleBody:
    """A schedule as answers show it: its time zone, and what else is set.

    >>> msgspec.json.encode(schedule_body(Schedule(every=900, jitter=30))).decode()
    '{"timezone":"UTC","every":"15m","jitter":"30s"}'
    """
    return ScheduleBody(
        **{name: getattr(schedule, name) for name in (*_AS_THEY_ARE, "valid_from", "valid_until")},
        every=_shown(schedule.every),
        after_end=_shown(schedule.after_end),
        any=None if schedule.any is None else [_rule_body(rule) for rule in schedule.any],
        jitter=_shown(schedule.jitter or None),
        pauses=[_pause_body(pause) for pause in schedule.pauses] or None,
    )


def _rule_body(rule: Schedule) -> RuleBody:
    return RuleBody(**{name: getattr(rule, name) for name in _AS_THEY_ARE}, every=_shown(rule.every))


def _pause_body(pause: PauseWindow) -> PauseBody:
    return PauseBody(starts_at=pause.starts_at, until=pause.until, cron=pause.cron, lasts=_shown(pause.lasts))


def _shown(seconds: int | None) -> str | None:
    return None if seconds is None else duration_text(seconds)
