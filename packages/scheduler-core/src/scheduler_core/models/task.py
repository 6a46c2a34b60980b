"""A task: a definition from which runs are made."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from scheduler_core.models.dependency import Dependency
from scheduler_core.models.dispatch_options import DEFAULT_MAX_LOSSES, DispatchOptions, UniquePolicy
from scheduler_core.models.flow_options import ALL_SUCCESS, FlowOptions
from scheduler_core.models.run_options import RunOptions
from scheduler_core.models.schedule import MisfirePolicy, OverlapPolicy, Schedule, SlotPolicies

DEFAULT_NAMESPACE = "default"
DEFAULT_QUEUE = "default"
DEFAULT_PRIORITY = 5
DEFAULT_TIMEOUT_SECONDS = 300.0

TaskReference = int | str
"""A task's id, or its name within a namespace; a name is never all digits, so the two cannot be confused."""


class TaskStatus(StrEnum):
    """Whether a task makes runs. INACTIVE is deleted: only its history remains, its name is free again."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    INACTIVE = "INACTIVE"


class RetryPolicy(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How long to wait before a failed run is tried again: delay x multiplier^failures, capped, then jittered.

    `jitter` is the greatest share, up or down, by which a delay is varied: 0.1 is ten per cent. `delays`, where given,
    stand in for that growth, one after another, the last one again and again. Where any of the `on_…` lists is given,
    only failures that one of them fits are tried again: exit codes of programs, HTTP statuses, names of exception
    classes (dotted or not; their subclasses fit, too), regular expressions that the last output fits. Time-outs are
    always tried again.
    """

    delay_seconds: float = 10.0
    multiplier: float = 2.0
    max_delay_seconds: float = 3600.0
    jitter: float = 0.1
    delays: tuple[float, ...] = ()
    on_exit_codes: tuple[int, ...] = ()
    on_statuses: tuple[int, ...] = ()
    on_exceptions: tuple[str, ...] = ()
    on_output: tuple[str, ...] = ()


class TaskDefinition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user writes down; checked by `scheduler_core.decisions.task_rules`.

    `dependencies` are names of tasks of the same namespace whose runs of the same flow are waited for, and
    dependencies on intervals of other schedules. `parameters_schema` is a JSON Schema that the parameters keep.
    `timeout_seconds` None means no limit, for other time-outs see RunOptions. For what concerns flows see
    FlowOptions, for what concerns workers, limits and turns DispatchOptions.
    """

    name: str
    task_type: str
    parameters: dict[str, Any] = {}
    parameters_schema: dict[str, Any] | None = None
    schedule: Schedule | None = None
    dependencies: tuple[str | Dependency, ...] = ()
    queue: str = DEFAULT_QUEUE
    priority: int = DEFAULT_PRIORITY
    timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS
    max_retries: int = 0
    retry: RetryPolicy = RetryPolicy()
    namespace: str = DEFAULT_NAMESPACE
    description: str = ""
    misfire: MisfirePolicy = MisfirePolicy.LATEST
    misfire_grace_seconds: float | None = None
    misfire_runs_max: int = 100
    overlap: OverlapPolicy = OverlapPolicy.ALLOW
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
    required_tags: tuple[str, ...] = ()
    preferred_tags: tuple[str, ...] = ()
    forbidden_tags: tuple[str, ...] = ()
    resources: dict[str, float] = {}
    hash_key: str | None = None
    limits: tuple[str, ...] = ()
    fairness_key: str | None = None
    fairness_weight: float | str = 1.0
    background: bool = False
    unique: UniquePolicy | None = None
    keep_seconds: float | None = None
    keep_runs: int | None = None
    max_losses: int = DEFAULT_MAX_LOSSES
    soft_timeout_seconds: float | None = None
    queue_timeout_seconds: float | None = None
    total_timeout_seconds: float | None = None

    def flow_options(self) -> FlowOptions:
        """What it says about its place in a flow."""
        return FlowOptions(**{name: getattr(self, name) for name in FlowOptions.__struct_fields__})

    def dispatch_options(self) -> DispatchOptions:
        """What it says about how its runs are dispatched."""
        return DispatchOptions(**{name: getattr(self, name) for name in DispatchOptions.__struct_fields__})

    def run_options(self) -> RunOptions:
        """What it says about the time that its runs may take."""
        return RunOptions(**{name: getattr(self, name) for name in RunOptions.__struct_fields__})

    def slot_policies(self) -> SlotPolicies:
        """What it says about slots that cannot simply run."""
        return SlotPolicies(**{name: getattr(self, name) for name in SlotPolicies.__struct_fields__})


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A stored task: its present definition, its state and what its schedule says next.

    `schedule_seed` stands in for what the task's schedule leaves open (H, jitter): drawn from the name that the task
    was created with, and never changed.
    """

    id: int
    namespace: str
    name: str
    status: TaskStatus
    version: int
    task_version_id: int
    description: str
    task_type: str
    parameters: dict[str, Any]
    schedule: Schedule | None
    dependencies: tuple[str | Dependency, ...]
    queue: str
    priority: int
    timeout_seconds: float | None
    max_retries: int
    retry: RetryPolicy
    # Defaults, because answers that an older version has kept for Idempotency-Keys lack these fields.
    misfire: MisfirePolicy = MisfirePolicy.LATEST
    misfire_grace_seconds: float | None = None
    misfire_runs_max: int = 100
    overlap: OverlapPolicy = OverlapPolicy.ALLOW
    parameters_schema: dict[str, Any] | None = None
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
    required_tags: tuple[str, ...] = ()
    preferred_tags: tuple[str, ...] = ()
    forbidden_tags: tuple[str, ...] = ()
    resources: dict[str, float] = {}
    hash_key: str | None = None
    limits: tuple[str, ...] = ()
    fairness_key: str | None = None
    fairness_weight: float | str = 1.0
    background: bool = False
    unique: UniquePolicy | None = None
    keep_seconds: float | None = None
    keep_runs: int | None = None
    max_losses: int = DEFAULT_MAX_LOSSES
    soft_timeout_seconds: float | None = None
    queue_timeout_seconds: float | None = None
    total_timeout_seconds: float | None = None
    schedule_seed: int = 0
    next_run_at: datetime | None
    created_at: datetime
    updated_at: datetime

    def definition(self) -> TaskDefinition:
        """Give back what a user would write to get this task."""
        return TaskDefinition(
            **{name: getattr(self, name) for name in TaskDefinition.__struct_fields__},
        )


class TaskVersion(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable version of a definition, as a worker needs it; it may be cached for ever by its id."""

    id: int
    task_id: int
    task_name: str
    namespace: str
    version: int
    task_type: str
    parameters: dict[str, Any]
    timeout_seconds: float | None
    max_retries: int
    retry: RetryPolicy
    flow_options: FlowOptions = FlowOptions()
    run_options: RunOptions = RunOptions()
