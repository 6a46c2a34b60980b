"""When a new or changed schedule is due first."""

from datetime import UTC, datetime, timedelta

from scheduler_core.decisions.schedule_rules import next_after
from scheduler_core.errors import Problem
from scheduler_core.models import Schedule, TaskDefinition

# A request that says "now" arrives a little later, from a machine whose clock may be behind.
_LATE_MAX = timedelta(seconds=60)


def first_due(schedule: Schedule | None, now: datetime) -> datetime | None:
    """The first due instant; an `at` that has passed within a minute is due at once."""
    if schedule is None:
        return None
    if schedule.at is not None:
        return next_after(schedule, now - _LATE_MAX)
    return next_after(schedule, now)


def past_problems(definition: TaskDefinition, before: Schedule | None, now: datetime) -> list[Problem]:
    """Say that a schedule is over before it begins, unless it is the one that the task has already."""
    schedule = definition.schedule
    if schedule is None or schedule == before or schedule.at is None or first_due(schedule, now) is not None:
        return []
    told = schedule.at.isoformat() if schedule.at.tzinfo else f"{schedule.at.isoformat()} in {schedule.timezone}"
    now_text = now.astimezone(UTC).isoformat(timespec="seconds")
    return [Problem("schedule.at", f"{told} has passed; it is {now_text}. Give a later instant, or trigger the task.")]
