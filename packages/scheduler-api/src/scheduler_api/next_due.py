"""When a new or changed schedule is due first."""

from datetime import UTC, datetime

from scheduler_core.decisions.pause_windows import is_paused
from scheduler_core.decisions.schedule_rules import next_run_after, schedule_seed, schedule_start
from scheduler_core.errors import Problem
from scheduler_core.models import Schedule, TaskDefinition


def first_due(
    schedule: Schedule | None, now: datetime, seed: int = 0, counted_until: datetime | None = None
) -> datetime | None:
    """The first slot that may run; an `at` that has passed within a minute is due at once.

    What a former schedule has counted, up to `counted_until`, is on record: nothing of that time becomes due again.
    """
    if schedule is None:
        return None
    start = schedule_start(schedule, now)
    return next_run_after(schedule, start if counted_until is None else max(start, counted_until), seed)


def first_due_of_new(definition: TaskDefinition, now: datetime) -> datetime | None:
    """The same for a task that is yet to be created."""
    return first_due(definition.schedule, now, schedule_seed(definition.namespace, definition.name))


def past_problems(
    definition: TaskDefinition, before: Schedule | None, now: datetime, counted_until: datetime | None = None
) -> list[Problem]:
    """Say that a schedule is over before it begins, unless it is the one that the task has already.

    A schedule that replaces another one counts from now on; `counted_until` is until when the last one counted of a
    task that has none at present.
    """
    schedule = definition.schedule
    if schedule is None or schedule == before:
        return []
    seed = schedule_seed(definition.namespace, definition.name)
    first = first_due(schedule, now, seed, counted_until if before is None else now)
    if first is not None and is_paused(schedule, first):
        return [
            Problem("schedule.pauses", "Every slot lies in a pause window, so none would ever run. Shorten the pauses.")
        ]
    if first is not None:
        return []
    now_text = now.astimezone(UTC).isoformat(timespec="seconds")
    if schedule.at is not None:
        told = _told(schedule.at, schedule.timezone)
        return [
            Problem("schedule.at", f"{told} has passed; it is {now_text}. Give a later instant, or trigger the task.")
        ]
    if schedule.valid_until is not None:
        told = _told(schedule.valid_until, schedule.timezone)
        return [Problem("schedule.valid_until", f"No slot comes before {told}; it is {now_text}. Give a later end.")]
    return [Problem("schedule", f"No slot comes after {now_text}. Give a schedule that goes on.")]


def _told(instant: datetime, timezone: str) -> str:
    return instant.isoformat() if instant.tzinfo else f"{instant.isoformat()} in {timezone}"
