"""Answers what a schedule means, for a stored task or for one that is not saved yet. Changes nothing."""

import asyncio
from datetime import timedelta
from typing import Any

from scheduler_api.schedule_preview import preview_schedule
from scheduler_api.schemas.object_reader import read_object
from scheduler_api.schemas.preview_schema import SLOTS, SLOTS_MAX, PreviewFrame, SchedulePreview
from scheduler_api.schemas.schedule_input import read_schedule
from scheduler_api.schemas.task_input import raise_problems
from scheduler_api.task_service import TaskService
from scheduler_core.decisions.due_rule import instant_in
from scheduler_core.decisions.schedule_rules import schedule_seed, schedule_start
from scheduler_core.decisions.time_zone import find_zone, unknown_zone_message
from scheduler_core.errors import InvalidInputError, Problem
from scheduler_core.interfaces import Clock


class SchedulePreviewService:
    """Previews of schedules."""

    def __init__(self, tasks: TaskService, clock: Clock) -> None:
        self._tasks = tasks
        self._clock = clock

    async def of_task(
        self, reference: str, namespace: str, *, count: int, viewer_timezone: str | None
    ) -> SchedulePreview:
        """The next slots of a task's schedule, whether it is paused or not.

        Raises TaskNotFoundError, and InvalidInputError for a task without a schedule or an unknown time zone.
        """
        raise_problems(_zone_problems("timezone", viewer_timezone))
        task = await self._tasks.get(reference, namespace)
        if task.schedule is None:
            raise InvalidInputError.of("reference", f"Task '{task.name}' has no schedule, so it has no slots.")
        schedule, seed, now = task.schedule, task.schedule_seed, self._clock.now()
        if schedule.after_end is not None:
            if task.next_run_at is None:
                count = 0  # the end of the run that is under way will tell
            else:
                now = task.next_run_at - timedelta(seconds=schedule.after_end)
        return await asyncio.to_thread(
            preview_schedule, schedule, seed, now, count=count, viewer_timezone=viewer_timezone
        )

    async def of_body(self, document: Any) -> SchedulePreview:
        """The next slots of a schedule as a task would have it; raises InvalidInputError with every problem."""
        values, problems = read_object(document, PreviewFrame)
        raise_problems([] if isinstance(document, dict) else problems)
        schedule, schedule_problems = read_schedule(values.get("schedule"), values.get("timezone"))
        viewer_timezone = values.get("viewer_timezone")
        count, given = values.get("count", SLOTS), values.get("since")
        problems += schedule_problems + _zone_problems("viewer_timezone", viewer_timezone)
        if schedule is None and "schedule" in values and not schedule_problems:
            problems.append(Problem("schedule", "There is nothing to preview without a schedule."))
        if not 1 <= count <= SLOTS_MAX:
            problems.append(Problem("count", f"count is a whole number from 1 to {SLOTS_MAX}, not {count}."))
        if given is not None and not 1970 <= given.year <= 9000:
            problems.append(Problem("from", f"The year {given.year} is out of reach. Use 1970 to 9000."))
        raise_problems(list(dict.fromkeys(problems)))
        assert schedule is not None  # noqa: S101  its absence is a problem
        seed = schedule_seed(values.get("namespace", "default"), values.get("name", ""))
        # As its task would begin to count when it was created now.
        now = schedule_start(schedule, self._clock.now())
        since = now if given is None else instant_in(given, schedule.timezone)
        return await asyncio.to_thread(
            preview_schedule, schedule, seed, since, count=count, viewer_timezone=viewer_timezone
        )


def _zone_problems(field: str, timezone: str | None) -> list[Problem]:
    if timezone is None or find_zone(timezone) is not None:
        return []
    return [Problem(field, unknown_zone_message(timezone))]
