"""A run that cannot simply start: a condition is to be evaluated, or the runs of a group are to be made."""

from datetime import datetime
from typing import Any

import msgspec

from scheduler_core.models.flow import FlowPlan
from scheduler_core.models.flow_options import FlowOptions
from scheduler_core.models.task_run import SkipReason


class ExpandableRun(msgspec.Struct, frozen=True, kw_only=True):
    """A locked run that waits for nothing any more, and what its expansion is decided from.

    `parameters` are the version's with the run's own over them. `sub_flow_id` is the task whose flow it stands for.
    """

    id: int
    flow_id: int
    task_id: int
    task_version_id: int
    task_name: str
    namespace: str
    queue: str
    task_type: str
    parameters: dict[str, Any]
    flow_options: FlowOptions
    sub_flow_id: int | None
    scheduled_at: datetime
    interval_from: datetime | None
    interval_to: datetime | None


class GroupMember(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a group that is to be made: what it is for, as JSON text, and the queue, None: its task's."""

    item: str | None = None
    queue: str | None = None


class Expansion(msgspec.Struct, frozen=True, kw_only=True):
    """What is done with an expandable run. Exactly one of these is so:

    - `skip_reason` is set: it is SKIPPED with `error`;
    - `error` alone is set: it is FAILED with it;
    - `members` is set: it becomes a group of these runs (none: it is COMPLETED at once), of which `max_parallel` may
      be claimable at once (None: all);
    - `plan` is set: it becomes a group of the runs of this flow;
    - nothing is set: it starts as an ordinary run.
    """

    run_id: int
    skip_reason: SkipReason | None = None
    error: str | None = None
    members: tuple[GroupMember, ...] | None = None
    max_parallel: int | None = None
    plan: FlowPlan | None = None
