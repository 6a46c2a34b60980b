"""Tasks as they are written in requests and shown in answers."""

from datetime import datetime
from typing import Any

import msgspec

from scheduler_api.schemas.schedule_schema import ScheduleBody, schedule_body
from scheduler_core.decisions.pause_windows import is_paused
from scheduler_core.models import (
    DEFAULT_NAMESPACE,
    DEFAULT_PRIORITY,
    DEFAULT_QUEUE,
    DEFAULT_TIMEOUT_SECONDS,
    MisfirePolicy,
    OverlapPolicy,
    RetryPolicy,
    SlotPolicies,
    Task,
    TaskStatus,
)


class RetryBody(msgspec.Struct, kw_only=True):
    """How long to wait before a failed run is tried again: delay x multiplier^failures, capped, then jittered."""

    delay_seconds: float = RetryPolicy().delay_seconds
    multiplier: float = RetryPolicy().multiplier
    max_delay_seconds: float = RetryPolicy().max_delay_seconds
    jitter: float = RetryPolicy().jitter


class TaskBody(msgspec.Struct, kw_only=True):
    """What a user writes down about a task. `schedule` is text (with `timezone` beside it) or an object.

    `misfire` is for slots that are late because nothing planned them, later than `misfire_grace_seconds` at most (null:
    any time; with skip 60 seconds). `overlap` is for slots whose task still has a run that has not ended.
    """

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
    misfire: MisfirePolicy = SlotPolicies().misfire
    misfire_grace_seconds: float | None = SlotPolicies().misfire_grace_seconds
    misfire_runs_max: int = SlotPolicies().misfire_runs_max
    overlap: OverlapPolicy = SlotPolicies().overlap
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


class RetryView(msgspec.Struct, kw_only=True):
    """A task's retry policy in an answer, with its defaults written out."""

    delay_seconds: float
    multiplier: float
    max_delay_seconds: float
    jitter: float


class TaskView(msgspec.Struct, kw_only=True):
    """A task in an answer. `next_run_at` is null while nothing is planned: paused, no schedule, or none left.

    `schedule_seed` is what H and jitter in its schedule are drawn from.
    """

    id: int
    namespace: str
    name: str
    status: TaskStatus
    version: int
    description: str
    task_type: str
    parameters: dict[str, Any]
    schedule: ScheduleBody | None
    dependencies: tuple[str, ...]
    queue: str
    priority: int
    timeout_seconds: float | None
    max_retries: int
    retry: RetryView
    misfire: MisfirePolicy
    misfire_grace_seconds: float | None
    misfire_runs_max: int
    overlap: OverlapPolicy
    schedule_seed: int
    next_run_at: datetime | None
    created_at: datetime
    updated_at: datetime


READ_ONLY_FIELDS = tuple(name for name in TaskView.__struct_fields__ if name not in TaskBody.__struct_fields__)

_SAME_FIELDS = tuple(name for name in TaskView.__struct_fields__ if name not in ("schedule", "retry"))


def task_view(task: Task) -> TaskView:
    """A task as answers show it."""
    fields = {name: getattr(task, name) for name in _SAME_FIELDS}
    if task.schedule is not None and task.next_run_at is not None and is_paused(task.schedule, task.next_run_at):
        # Due so that it is recorded, but not to be run: no later slot lies outside of the pause windows.
        fields["next_run_at"] = None
    return TaskView(
        **fields,
        schedule=None if task.schedule is None else schedule_body(task.schedule),
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
