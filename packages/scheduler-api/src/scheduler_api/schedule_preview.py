"""What a schedule means: its text form, its words and its next slots. Pure: the clock is an argument."""

from datetime import UTC, datetime, timedelta
from itertools import islice

from scheduler_api.schedule_words import schedule_words
from scheduler_api.schemas.preview_schema import DstRules, PreviewSlot, SchedulePreview
from scheduler_core.decisions.cron_pattern import parse_cron
from scheduler_core.decisions.pause_windows import is_paused
from scheduler_core.decisions.recurrence_pattern import parse_recurrence
from scheduler_core.decisions.schedule_rules import (
    YEARS_MAX,
    jitter_of,
    next_after,
    slots_between,
)
from scheduler_core.decisions.schedule_text import schedule_text
from scheduler_core.decisions.time_zone import find_zone
from scheduler_core.models import OnGap, OnOverlap, Schedule

_HORIZON = timedelta(days=365 * YEARS_MAX)
_CALENDAR_END = datetime(9900, 1, 1, tzinfo=UTC)


def preview_schedule(
    schedule: Schedule, seed: int, after: datetime, *, count: int, viewer_timezone: str | None = None
) -> SchedulePreview:
    """The next `count` slots later than `after`, with the local time of each.

    Of a fixed delay only the next slot is known; the end of its run tells the one after.
    """
    return SchedulePreview(
        schedule=schedule_text(schedule),
        words=schedule_words(schedule),
        timezone=schedule.timezone,
        rules=dst_rules(schedule),
        slots=[_shown(schedule, slot, seed, viewer_timezone) for slot in _next_slots(schedule, seed, after, count)],
    )


def dst_rules(schedule: Schedule) -> DstRules | None:
    """The rules for changes of the clocks as they count; None where there are none, or several.

    >>> dst_rules(Schedule(cron="*/15 * * * *"))
    DstRules(on_gap=<OnGap.SKIP: 'skip'>, on_overlap=<OnOverlap.BOTH: 'both'>)
    """
    if schedule.every is not None or schedule.after_end is not None:
        return None
    if schedule.at is not None and schedule.at.tzinfo is not None:
        return None
    if schedule.any is not None:
        found = {dst_rules(rule) for rule in schedule.any}
        return found.pop() if len(found) == 1 else None
    is_fixed = True
    if schedule.cron is not None:
        is_fixed = parse_cron(schedule.cron).is_fixed
    elif schedule.rrule is not None:
        is_fixed = parse_recurrence(schedule.rrule, None).is_fixed
    return DstRules(
        on_gap=schedule.on_gap or (OnGap.RUN_AFTER if is_fixed else OnGap.SKIP),
        on_overlap=schedule.on_overlap or (OnOverlap.FIRST if is_fixed else OnOverlap.BOTH),
    )


def _next_slots(schedule: Schedule, seed: int, after: datetime, count: int) -> list[datetime]:
    if schedule.after_end is not None:
        following = next_after(schedule, after, seed)
        return [] if following is None else [following][:count]
    until = _CALENDAR_END if schedule.at is not None else after + _HORIZON
    return list(islice(slots_between(schedule, after, until, seed), count))


def _shown(schedule: Schedule, slot: datetime, seed: int, viewer_timezone: str | None) -> PreviewSlot:
    return PreviewSlot(
        scheduled_at=slot,
        local=_local(slot, schedule.timezone),
        viewer=None if viewer_timezone is None else _local(slot, viewer_timezone),
        not_before=slot + jitter_of(schedule, slot, seed) if schedule.jitter else None,
        paused=bool(schedule.pauses) and is_paused(schedule, slot),
    )


def _local(slot: datetime, timezone: str) -> str:
    return slot.astimezone(find_zone(timezone)).isoformat()
