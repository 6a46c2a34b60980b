"""A flow as it is looked at: its runs, who waited for whom, and what became of them."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from scheduler_core.models.task_run import RunTrigger, SkipReason, TaskRunStatus


class GroupKind(StrEnum):
    """What a group's runs are."""

    SHARDS = "shards"
    MAP = "map"
    BROADCAST = "broadcast"
    SUB_FLOW = "sub_flow"


class GroupSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A group in short; `size` is None as long as its runs are not made. `max_parallel` None: all at once.

    `started_at` is when the first of its runs started, `ended_at` when the last of those that have ended did.
    """

    kind: GroupKind
    size: int | None = None
    by_status: dict[str, int] = {}
    started_at: datetime | None = None
    ended_at: datetime | None = None
    max_parallel: int | None = None
    tolerated_failures: int = 0


class FlowNode(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a flow that belongs to no group, or to a sub-flow whose head is `group_id`."""

    run_id: int
    task_id: int
    task_name: str
    task_type: str
    status: TaskRunStatus
    skip_reason: SkipReason | None
    trigger_rule: str | None
    group_id: int | None
    waiting_on: int
    not_before: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    attempt: int
    worker_id: str | None
    error: str | None
    retry_of: int | None
    group: GroupSummary | None = None


class EdgeKind(StrEnum):
    """Why a run waits for another: its task depends on the other's, in this flow or an earlier one; or it waits for a
    run of an earlier slot, however that one ends."""

    DEPENDENCY = "dependency"
    GIVEN = "given"
    PREVIOUS = "previous"


class FlowViewEdge(msgspec.Struct, frozen=True, kw_only=True):
    """`run_id` waits, or waited, for `upstream_run_id`, which is of another flow unless it is a dependency."""

    upstream_run_id: int
    run_id: int
    kind: EdgeKind
    upstream_task_name: str
    upstream_status: TaskRunStatus


class FlowPart(msgspec.Struct, frozen=True, kw_only=True):
    """So many runs of a flow that stand alike. `decides`: they belong to no group, and nothing waits for them."""

    status: TaskRunStatus
    skip_reason: SkipReason | None
    decides: bool
    count: int


class FlowFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A flow by its root run, in ascending order of what its runs are; `ended_at` is the last end of a run so far."""

    id: int
    task_id: int
    task_name: str
    namespace: str
    trigger: RunTrigger
    retry_of: int | None
    scheduled_at: datetime
    interval_from: datetime | None
    interval_to: datetime | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    parts: tuple[FlowPart, ...]

    def deciding(self) -> Iterator[tuple[TaskRunStatus, SkipReason | None]]:
        """What the flow's status follows from: the runs that decide, and all that are not final."""
        return ((part.status, part.skip_reason) for part in self.parts if part.decides or not part.status.is_final)

    def by_status(self) -> dict[str, int]:
        """How many of all its runs, those of groups included, are in which status."""
        counts: dict[str, int] = {}
        for part in self.parts:
            counts[part.status.value] = counts.get(part.status.value, 0) + part.count
        return counts


class FlowRoot(NamedTuple):
    """A run that has no upstream in its flow; `is_match`: it has other runs with it and is what was asked for."""

    run_id: int
    is_match: bool


class FlowSize(NamedTuple):
    """How many nodes and edges a flow has in all."""

    nodes: int
    edges: int


class MemberPlace(NamedTuple):
    """A run of a group by its place there: its index (0 for all of a sub-flow) and its id."""

    shard_index: int
    run_id: int
