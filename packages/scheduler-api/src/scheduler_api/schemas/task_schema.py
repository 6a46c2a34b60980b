"""Tasks as they are written in requests and shown in answers."""

from datetime import datetime
from typing import Any

import msgspec

from scheduler_api.schemas.dependency_schema import DependencyBody, dependency_bodies
from scheduler_api.schemas.dispatch_schema import UniqueBody, UniqueView, kept, unique_view
from scheduler_api.schemas.limit_schema import AppliedLimit, LimitBody
from scheduler_api.schemas.retry_schema import RetryBody, RetryView, retry_view
from scheduler_api.schemas.schedule_schema import ScheduleBody, schedule_body
from scheduler_core.decisions.pause_windows import is_paused
from scheduler_core.models import (
    ALL_SUCCESS,
    DEFAULT_NAMESPACE,
    DEFAULT_PRIORITY,
    DEFAULT_QUEUE,
    DEFAULT_TIMEOUT_SECONDS,
    FLOW_TASK_TYPE,
    DispatchOptions,
    MisfirePolicy,
    OverlapPolicy,
    SlotPolicies,
    Task,
    TaskStatus,
)


class TaskBody(msgspec.Struct, kw_only=True):
    """What a user writes down about a task. `schedule` is text (with `timezone` beside it) or an object.

    `task_type` may be left out where `sub_flow` is given. `parameters_schema` is a JSON Schema that the parameters
    keep. `misfire` is for slots that are late because nothing planned them, later than `misfire_grace_seconds` at most
    (null: any time; with skip 60 seconds). `overlap` is for slots whose task still has a run that has not ended.

    `dependencies` are names of tasks of the same flow, and objects. `trigger_rule` says how they are to have ended:
    all_success, all_done, all_failed, one_success, one_failed, none_failed or at_least(N). `when` is an expression: a
    run for which it is false is skipped. With `continue_on_failure` those who depend on this task take its failure for
    a success. At most one of these makes a group of runs out of a run: `sub_flow` the flow of another task, `shards` so
    many equal runs, `map_over` one for each item of a list, an expression, `broadcast` one on each live worker of the
    queue. At most `max_parallel` of them run at once (null: all), and the group fails when more than
    `tolerated_failures` of them have.

    `strategy` names who chooses the worker (null: the dispatchers' setting). A worker must have all `required_tags` and
    none of the `forbidden_tags`; of those left the ones with most of the `preferred_tags` come first. `resources` are
    amounts that a run takes of what its worker has: cpu in cores, memory and disk in bytes or as text such as 2GB, and
    others by their names. `hash_key` is an expression whose value chooses the worker under consistent_hash. `limits`
    are names of limits. `fairness_key` is an expression; places go to its values in turn, each by its
    `fairness_weight`, a number or an expression. `background` runs come after all others, but for their guaranteed
    share. Finished runs are kept for `keep`, text with a unit such as 30d, and at most the last `keep_runs` (null: as
    the dispatchers are set). A run that has lost its worker `max_losses` times is QUARANTINED.

    An attempt is told after `soft_timeout_seconds` that it is to end, and stopped after `timeout_seconds`. A run that
    no worker has begun `queue_timeout_seconds` after it could have been is TIMEOUT, and so is one all of whose attempts
    together, with the waits between them, take `total_timeout_seconds`. Null means no limit.
    """

    name: str
    task_type: str = FLOW_TASK_TYPE
    parameters: dict[str, Any] = {}
    parameters_schema: dict[str, Any] | None = None
    schedule: str | ScheduleBody | None = None
    timezone: str | None = None
    dependencies: list[str | DependencyBody] = []
    queue: str = DEFAULT_QUEUE
    priority: int = DEFAULT_PRIORITY
    timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS
    max_retries: int = 0
    retry: RetryBody = msgspec.field(default_factory=RetryBody)
    misfire: MisfirePolicy = SlotPolicies().misfire
    misfire_grace_seconds: float | None = SlotPolicies().misfire_grace_seconds
    misfire_runs_max: int = SlotPolicies().misfire_runs_max
    overlap: OverlapPolicy = SlotPolicies().overlap
    trigger_rule: str = ALL_SUCCESS
    when: str | None = None
    continue_on_failure: bool = False
    sub_flow: str | None = None
    shards: int | None = None
    map_over: str | None = None
    broadcast: bool = False
    max_parallel: int | None = None
    tolerated_failures: int = 0
    strategy: str | None = None
    required_tags: list[str] = []
    preferred_tags: list[str] = []
    forbidden_tags: list[str] = []
    resources: dict[str, float | str] = {}
    hash_key: str | None = None
    limits: list[str] = []
    fairness_key: str | None = None
    fairness_weight: float | str = DispatchOptions().fairness_weight
    background: bool = False
    unique: UniqueBody | None = None
    keep: str | None = None
    keep_runs: int | None = None
    max_losses: int = DispatchOptions().max_losses
    soft_timeout_seconds: float | None = None
    queue_timeout_seconds: float | None = None
    total_timeout_seconds: float | None = None
    namespace: str = DEFAULT_NAMESPACE
    description: str = ""


class TaskListBody(msgspec.Struct, kw_only=True):
    """Tasks to be created or changed, all of them or none; with `dry_run` it is only said what would happen.

    `limits` are created or changed before, in the same transaction; `tasks` may be empty then.
    """

    tasks: list[TaskBody]
    limits: list[LimitBody] = []
    dry_run: bool = False


class TaskListFrame(msgspec.Struct, kw_only=True):
    """The outside of a TaskListBody: its tasks and limits are read one by one."""

    tasks: list[Any]
    limits: list[Any] = []
    dry_run: bool = False


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
    parameters_schema: dict[str, Any] | None
    schedule: ScheduleBody | None
    dependencies: list[str | DependencyBody]
    queue: str
    priority: int
    timeout_seconds: float | None
    max_retries: int
    retry: RetryView
    misfire: MisfirePolicy
    misfire_grace_seconds: float | None
    misfire_runs_max: int
    overlap: OverlapPolicy
    trigger_rule: str
    when: str | None
    continue_on_failure: bool
    sub_flow: str | None
    shards: int | None
    map_over: str | None
    broadcast: bool
    max_parallel: int | None
    tolerated_failures: int
    strategy: str | None
    required_tags: list[str]
    preferred_tags: list[str]
    forbidden_tags: list[str]
    resources: dict[str, float]
    hash_key: str | None
    limits: list[str]
    fairness_key: str | None
    fairness_weight: float | str
    background: bool
    unique: UniqueView | None
    keep: str | None
    keep_runs: int | None
    max_losses: int
    soft_timeout_seconds: float | None
    queue_timeout_seconds: float | None
    total_timeout_seconds: float | None
    schedule_seed: int
    next_run_at: datetime | None
    created_at: datetime
    updated_at: datetime


READ_ONLY_FIELDS = tuple(name for name in TaskView.__struct_fields__ if name not in TaskBody.__struct_fields__)

_OWN_FORMS = ("schedule", "retry", "dependencies", "unique", "keep")
_SAME_FIELDS = tuple(name for name in TaskView.__struct_fields__ if name not in _OWN_FORMS)


def task_view(task: Task) -> TaskView:
    """A task as answers show it."""
    fields = {name: getattr(task, name) for name in _SAME_FIELDS}
    if task.schedule is not None and task.next_run_at is not None and is_paused(task.schedule, task.next_run_at):
        # Due so that it is recorded, but not to be run: no later slot lies outside of the pause windows.
        fields["next_run_at"] = None
    return TaskView(
        **fields,
        schedule=None if task.schedule is None else schedule_body(task.schedule),
        dependencies=dependency_bodies(task.dependencies),
        unique=None if task.unique is None else unique_view(task.unique),
        keep=kept(task),
        retry=retry_view(task.retry),
    )


class AppliedTask(msgspec.Struct, kw_only=True):
    """What came of one task of a list: `change` is created, updated or unchanged; a dry run creates no id."""

    name: str
    namespace: str
    change: str
    id: int | None
    version: int | None


class AppliedTasks(msgspec.Struct, kw_only=True):
    """What came of a list of tasks, in its order, and of the limits beside them."""

    items: list[AppliedTask]
    dry_run: bool
    limits: list[AppliedLimit] = []


class TaskPage(msgspec.Struct, kw_only=True):
    """Tasks in ascending id order."""

    items: list[TaskView]
    next_cursor: str | None
