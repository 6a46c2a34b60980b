"""A flow that has run, as far as running parts of it again needs to know it."""

from enum import StrEnum

import msgspec

from scheduler_core.models.task_run import SkipReason, TaskRunStatus


class RerunFrom(StrEnum):
    """From where on a flow is run again."""

    START = "start"
    FAILED = "failed"
    TASKS = "tasks"


class FlowRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a flow."""

    id: int
    task_id: int
    task_name: str
    namespace: str
    status: TaskRunStatus
    skip_reason: SkipReason | None
    trigger_rule: str | None
    group_id: int | None
    group_size: int | None
    shard_index: int | None


class FlowEdge(msgspec.Struct, frozen=True, kw_only=True):
    """`run_id` waited for `upstream_run_id`, which ended so; with `tolerant` its failure counts as a success.

    The run upstream may be one of an earlier flow.
    """

    upstream_run_id: int
    run_id: int
    tolerant: bool = False
    upstream_status: TaskRunStatus
    upstream_skip_reason: SkipReason | None = None
