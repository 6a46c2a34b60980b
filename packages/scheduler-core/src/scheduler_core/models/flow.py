"""A flow: all runs that one root slot or trigger starts, planned before any of them exists."""

from datetime import datetime

import msgspec

from scheduler_core.models.task_run import RunTrigger, TaskRunStatus


class FlowMember(msgspec.Struct, frozen=True, kw_only=True):
    """A run to be made: of which version, born in which status, waiting on how many upstream runs.

    `needs_settlement` says that others wait for this run's end. `trigger_rule` None is all_success. With `expands` a
    dispatcher looks at it before it may start; `is_tolerated` lets its failure pass for a success. The `given_` numbers
    are how upstream runs of an earlier flow ended that this one takes over. `retry_of` names the run of an earlier flow
    whose parameters, item and place in its group it takes; `group` is the position of that group in the plan. With
    `keeps_group` it is that group itself, of which only some runs are made again.
    """

    task_id: int
    task_version_id: int
    status: TaskRunStatus
    waiting_on: int = 0
    needs_settlement: bool = False
    trigger_rule: str | None = None
    upstreams: int = 0
    expands: bool = False
    is_tolerated: bool = False
    given_successes: int = 0
    given_failures: int = 0
    given_skips: int = 0
    retry_of: int | None = None
    group: int | None = None
    keeps_group: bool = False


class FlowPlan(msgspec.Struct, frozen=True):
    """The runs of one flow, root first, and who waits for whom as (upstream, downstream) positions.

    `given` are (run id of an earlier flow, downstream position): edges that count as settled.
    """

    members: tuple[FlowMember, ...]
    edges: tuple[tuple[int, int], ...] = ()
    given: tuple[tuple[int, int], ...] = ()


class FlowRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Flows to be written: the plan, how many copies of it, and what its root run carries.

    With `slot` the root's slot row is written in the same statement and a slot that exists already makes no
    run. `scheduled_at` None means the database's now. `parameters` is JSON text for the root only.
    The root waits until the runs `after_runs` have ended, however they end. The interval is every member's. With
    `group_id` the runs join the flow `flow_id` as what that group stands for. `background` runs come after all others,
    but for their guaranteed share.
    """

    plan: FlowPlan
    trigger: RunTrigger
    copies: int = 1
    scheduled_at: datetime | None = None
    not_before: datetime | None = None
    slot: bool = False
    parameters: str | None = None
    retry_of: int | None = None
    trace_context: str | None = None
    interval_from: datetime | None = None
    interval_to: datetime | None = None
    after_runs: tuple[int, ...] = ()
    flow_id: int | None = None
    group_id: int | None = None
    background: bool = False


class SingleRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run by hand of a task that was read in this version and may stand alone; `parameters` is JSON text."""

    task_id: int
    task_version_id: int
    parameters: str | None = None
    trace_context: str | None = None


class CreatedRun(msgspec.Struct, frozen=True):
    """A run that was just written; `lane` facts are there so that the right workers can be rung."""

    run_id: int
    flow_id: int
    task_id: int
    status: TaskRunStatus
    queue: str
    task_type: str
    scheduled_at: datetime


class Lane(msgspec.Struct, frozen=True, order=True):
    """What a worker can take: runs of one type from one queue."""

    queue: str
    task_type: str
