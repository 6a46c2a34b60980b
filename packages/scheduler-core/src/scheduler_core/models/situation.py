"""The facts that decide whether a run may start and who takes it, and what is told of them."""

from datetime import datetime

import msgspec

from scheduler_core.models.dispatch_options import SHARED_STRATEGY, DispatchOptions
from scheduler_core.models.flow import Lane
from scheduler_core.models.flow_options import FlowOptions
from scheduler_core.models.schedule import OverlapPolicy, Schedule
from scheduler_core.models.task import TaskStatus
from scheduler_core.models.task_run import RunTrigger, SkipReason, TaskRunStatus
from scheduler_core.models.turn import TurnFacts


class SessionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is ALIVE, as far as who takes what follows from it. `free` is how many places are not taken.

    `resources` are all that it has of each.
    """

    id: int
    worker_id: str
    queues: tuple[str, ...]
    task_types: tuple[str, ...]
    places: int
    free: int
    is_draining: bool = False
    has_lease: bool = True
    tags: frozenset[str] = frozenset()
    resources: dict[str, float] = {}


class ClaimableRun(Lane, frozen=True):
    """A run that sessions take, of its lane, or, where it is meant for one, only that session."""

    session_id: int | None = None


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides whether a run may start, and whether it is taken. The defaults stand in nobody's way.

    `upstreams` of its flow have ended in `successes`, `failures` and `skips` so far. `overlaps` are earlier runs whose
    end it waits for however that comes, `intervals` its dependencies that are not met, `unaccounted` what it waits for
    beside all of these. `is_behind_group`: as many runs of its group as may run at once are before it. `ahead` are runs
    that will be taken before it, in that order; `sessions` are in ascending order of id. It is meant for the session
    `assigned_to`. `turn` is that of a gated run.
    """

    task_status: TaskStatus = TaskStatus.ACTIVE
    is_held: bool = False
    is_due: bool = True
    attempt: int = 0
    has_dispatcher: bool = True
    trigger_rule: str | None = None
    upstreams: int = 0
    successes: int = 0
    failures: int = 0
    skips: int = 0
    overlaps: int = 0
    intervals: int = 0
    unaccounted: int = 0
    is_behind_group: bool = False
    is_group: bool = False
    expands: bool = False
    lane: Lane = Lane("", "")
    sessions: tuple[SessionFacts, ...] = ()
    ahead: tuple[ClaimableRun, ...] = ()
    assigned_to: int | None = None
    turn: TurnFacts = TurnFacts()


class OtherRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that another one waits for, or has waited for.

    `is_given`: it is of an earlier flow, and its result is taken over. `is_tolerated`: its failure counts as a success.
    `is_judged`: it had ended when it was decided what becomes of the run that waits.
    """

    run_id: int
    task_name: str
    status: TaskRunStatus
    created_at: datetime
    completed_at: datetime | None = None
    is_given: bool = False
    is_tolerated: bool = False
    is_judged: bool = False


class PastAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that did not end the run."""

    attempt: int
    outcome: str
    ended_at: datetime
    worker_id: str | None = None
    error: str | None = None


class RunSituation(msgspec.Struct, frozen=True, kw_only=True):
    """A run with all that is known about why it stands where it does.

    `open_upstream` and `open_overlaps` are the first of those that have not ended, `ended_upstream` the first of those
    that have, `judged` how many had when it was decided what becomes of this run. `untold` counts all runs that it
    waits for and whose end it has not been told. `group_released` and `group_ahead` are runs of its own group: those
    that may run or do, and those that get a place before it. `members` are the runs of a group that this run stands
    for, in this flow: `members_ended` have ended, `members_running` run, `members_offered` could be taken by a worker,
    `members_queued` wait for a place in the group, `members_delayed` for their next attempt. `assigned_to` is the
    session that it is meant for since `offered_at`; `claim_at` is its place in the order of claims, None: the first.
    It is given up when no worker has begun it by `start_before`, and stands still since `paused_at`.
    """

    id: int
    task_id: int
    task_name: str
    namespace: str
    task_status: TaskStatus
    task_status_since: datetime | None
    status: TaskRunStatus
    trigger: RunTrigger
    flow_id: int
    retry_of: int | None
    created_at: datetime
    scheduled_at: datetime
    not_before: datetime
    is_due: bool
    started_at: datetime | None
    completed_at: datetime | None
    attempt: int
    failures: int
    losses: int
    max_retries: int
    waiting_on: int
    priority: int
    queue: str
    task_type: str
    is_held: bool
    cancel_requested: bool
    worker_id: str | None
    skip_reason: SkipReason | None
    error: str | None
    trigger_rule: str | None
    expands: bool
    group_id: int | None
    group_size: int | None
    shard_index: int | None
    shard_total: int | None
    overlap: OverlapPolicy
    flow_options: FlowOptions
    dispatch_options: DispatchOptions = DispatchOptions()
    is_gated: bool = False
    is_background: bool = False
    claim_at: datetime | None = None
    assigned_to: int | None = None
    assigned_worker_id: str | None = None
    offered_at: datetime | None = None
    start_before: datetime | None = None
    pause_requested: bool = False
    paused_at: datetime | None = None
    upstreams: int = 0
    successes: int = 0
    failures_upstream: int = 0
    skips: int = 0
    overlaps: int = 0
    intervals: int = 0
    untold: int = 0
    group_released: int = 0
    group_ahead: int = 0
    judged: int = 0
    members: int = 0
    members_ended: int = 0
    members_running: int = 0
    members_offered: int = 0
    members_queued: int = 0
    members_delayed: int = 0
    open_upstream: tuple[OtherRun, ...] = ()
    ended_upstream: tuple[OtherRun, ...] = ()
    open_overlaps: tuple[OtherRun, ...] = ()
    attempts: tuple[PastAttempt, ...] = ()

    @property
    def is_claimable(self) -> bool:
        """Whether a worker may take it now: it is DISPATCHED, or waits and is granted to a session."""
        return self.status is TaskRunStatus.DISPATCHED or (
            self.status is TaskRunStatus.PENDING and self.assigned_to is not None
        )


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are taken before a run: the first in that order, and how many of those who takes it would take."""

    run_id: int
    ahead: tuple[ClaimableRun, ...] = ()
    ahead_in_lane: int = 0


class DispatcherFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the dispatchers have said of themselves. `last_seen_at` is of any that has not ended, None: never.

    `strategy` is the one they are set to, `strategies` are those that some live one has.
    """

    now: datetime
    alive: int
    last_seen_at: datetime | None
    queue_error: str | None = None
    strategy: str = SHARED_STRATEGY
    strategies: frozenset[str] = frozenset()


class SystemFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The dispatchers and the sessions that are ALIVE, in ascending order of id."""

    dispatchers: DispatcherFacts
    sessions: tuple[SessionFacts, ...]


class TaskSituation(msgspec.Struct, frozen=True, kw_only=True):
    """A task with all that is known about when it runs next. `has_upstream`: it runs when others have ended.

    `sub_flow_of` names, in alphabetical order, the first tasks in whose place it runs. `active_run_ids` are the first
    of its runs that have not ended, for which a policy on overlaps would skip the next slot.
    `awaits_run_id` is the run whose end its schedule counts from. `waiting_run_ids` are its newest runs that have not
    begun, newest first, `waiting_runs` is how many there are.
    """

    task_id: int
    status_since: datetime | None
    schedule: Schedule | None
    seed: int
    has_upstream: bool
    recorded_until: datetime | None
    next_due_at: datetime | None
    awaits_run_id: int | None
    waiting_runs: int
    waiting_run_ids: tuple[int, ...] = ()
    sub_flow_of: tuple[str, ...] = ()
    active_run_ids: tuple[int, ...] = ()
