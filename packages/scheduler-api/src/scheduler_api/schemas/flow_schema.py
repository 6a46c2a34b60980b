"""Flows and groups in requests and answers."""

from datetime import datetime

import msgspec

from scheduler_core.models import RunTrigger, TaskRun, TaskRunStatus
from scheduler_core.models.flow_view import FlowNode, FlowViewEdge, GroupSummary
from scheduler_core.models.rerun import RerunFrom

RERUNS_SHOWN_MAX = 100


class RerunBody(msgspec.Struct, kw_only=True, rename={"start": "from"}):
    """From where on a flow is run again; `tasks` are names, for `from` tasks only.

    `background` runs come after all others, but for their guaranteed share.
    """

    start: RerunFrom
    tasks: list[str] | None = None
    background: bool = False


class RerunRun(msgspec.Struct, kw_only=True, frozen=True):
    """A run that was made again."""

    run_id: int
    retry_of: int | None
    task: str


class RerunFlow(msgspec.Struct, kw_only=True, frozen=True):
    """The flow that a rerun has made: how many runs, and the first of them (up to a hundred)."""

    flow_id: int
    run_count: int
    rerun: list[RerunRun]


class FlowSummary(msgspec.Struct, kw_only=True, frozen=True):
    """A flow by its root run. `by_status` counts all its runs, those of groups included.

    `status` is RUNNING while a run is not final; else FAILED, CANCELLED or COMPLETED by the runs that nothing waits
    for. `ended_at` is null until then.
    """

    id: int
    task_id: int
    task_name: str
    namespace: str
    status: TaskRunStatus
    trigger: RunTrigger
    retry_of: int | None
    scheduled_at: datetime
    interval_from: datetime | None
    interval_to: datetime | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    run_count: int
    by_status: dict[str, int]


class FlowPage(msgspec.Struct, kw_only=True):
    """Flows, newest first. A page may be short, or empty, and still have a next one."""

    items: list[FlowSummary]
    next_cursor: str | None


class FlowView(msgspec.Struct, kw_only=True, frozen=True):
    """A flow with its runs (a group's runs only where they are a sub-flow's) and who waited for whom.

    `truncated`: there are more nodes, or edges, than are shown; the counts tell how many there are.
    """

    flow: FlowSummary
    nodes: list[FlowNode]
    edges: list[FlowViewEdge]
    node_count: int
    edge_count: int
    truncated: bool


class GroupView(msgspec.Struct, kw_only=True):
    """A group: the run that stands for it, and its runs in the order of their index, or id in a sub-flow."""

    head: TaskRun
    group: GroupSummary
    items: list[TaskRun]
    next_cursor: str | None


class CancelledFlow(msgspec.Struct, kw_only=True, frozen=True):
    """A flow after its cancel: how many runs were cancelled at once, and how many their workers are stopping."""

    flow: FlowSummary
    cancelled: int
    stopping: int
