"""Tasks as they are written in requests and shown in answers."""

from datetime import datetime
from typing import Any

import msgspec

from scheduler_core.models import (
    DEFAULT_NAMESPACE,
    DEFAULT_PRIORITY,
    DEFAULT_QUEUE,
    DEFAULT_TIMEOUT_SECONDS,
    RetryPolicy,
    Task,
    TaskStatus,
)


class ScheduleBody(msgspec.Struct, kw_only=True):
    """When a task is due: `cron` in `timezone`, or once `at` an instant (one without an offset is in `timezone`)."""

    cron: str | None = None
    timezone: str | None = None
    at: datetime | None = None


class RetryBody(msgspec.Struct, kw_only=True):
    """How long to wait before a failed run is tried again: delay x multiplier^failures, capped, then jittered."""

    delay_seconds: float = RetryPolicy().delay_seconds
    multiplier: float = RetryPolicy().multiplier
    max_delay_seconds: float = RetryPolicy().max_delay_seconds
    jitter: float = RetryPolicy().jitter


class TaskBody(msgspec.Struct, kw_only=True):
    """What a user writes down about a task. `schedule` is cron text (with `timezone` beside it) or an object."""

    name: str
    task_type: str
    parameters: dict[str, Any] = {}
    schedule: str | ScheduleBody | None = None
    timezone: str | None = None
    dependencies: list[str] = []
    queue: str = DEFAULT_QUEUE
    priority: int = DEFAULT_PRIORITY
    timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS
    max_retries: int = 0
    retry: RetryBody = msgspec.field(default_factory=RetryBody)
    namespace: str = DEFAULT_NAMESPACE
    description: str = ""


class TaskListBody(msgspec.Struct, kw_only=True):
    """Tasks to be created or changed, all of them or none; with `dry_run` it is only said what would happen."""

    tasks: list[TaskBody]
    dry_run: bool = False


class TaskListFrame(msgspec.Struct, kw_only=True):
    """The outside of a TaskListBody: its tasks are read one by one."""

    tasks: list[Any]
    dry_run: bool = False


class ScheduleView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A task's schedule in an answer."""

    timezone: str
    cron: str | None = None
    at: datetime | None = None


class RetryView(msgspec.Struct, kw_only=True):
    """A task's retry policy in an answer, with its defaults written out."""

    delay_seconds: float
    multiplier: float
    max_delay_seconds: float
    jitter: float


class TaskView(msgspec.Struct, kw_only=True):
    """A task in an answer. `next_run_at` is null while nothing is planned: paused, no schedule, or none left."""

    id: int
    namespace: str
    name: str
    status: TaskStatus
    version: int
    description: str
    task_type: str
    parameters: dict[str, Any]
    schedule: ScheduleView | None
    dependencies: tuple[str, ...]
    queue: str
    priority: int
    timeout_seconds: float | None
    max_retries: int
    retry: RetryView
    next_run_at: datetime | None
    created_at: datetime
    updated_at: datetime


READ_ONLY_FIELDS = tuple(name for name in TaskView.__struct_fields__ if name not in TaskBody.__struct_fields__)

_SAME_FIELDS = tuple(name for name in TaskView.__struct_fields__ if name not in ("schedule", "retry"))


def task_view(task: Task) -> TaskView:
    """A task as answers show it."""
    schedule = task.schedule
    return TaskView(
        **{name: getattr(task, name) for name in _SAME_FIELDS},
        schedule=ScheduleView(timezone=schedule.timezone, cron=schedule.cron, at=schedule.at) if schedule else None,
        retry=RetryView(**{name: getattr(task.retry, name) for name in RetryView.__struct_fields__}),
    )


class AppliedTask(msgspec.Struct, kw_only=True):
    """What came of one task of a list: `change` is created, updated or unchanged; a dry run creates no id."""

    name: str
    namespace: str
    change: str
    id: int | None
    version: int | None


class AppliedTasks(msgspec.Struct, kw_only=True):
    """What came of a list of tasks, in its order."""

    items: list[AppliedTask]
    dry_run: bool


class TaskPage(msgspec.Struct, kw_only=True):
    """Tasks in ascending id order."""

    items: list[TaskView]
    next_cursor: str | None
