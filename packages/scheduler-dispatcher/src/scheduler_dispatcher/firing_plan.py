"""What a batch of due schedules leads to, decided without touching anything."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec
import structlog

from scheduler_core.decisions.flow_rules import plan_flow
from scheduler_core.decisions.overlap_rules import OverlapVerdict, overlap_verdict, slots_at_once_max
from scheduler_core.decisions.schedule_rules import next_after, next_run_after
from scheduler_core.decisions.slot_plan import PlannedSlot, SlotPlan
from scheduler_core.errors import InvalidInputError
from scheduler_core.models import (
    CreatedRun,
    DueSchedule,
    FlowMember,
    FlowPlan,
    FlowRequest,
    RunTrigger,
    ScheduleAdvance,
    SkippedSlots,
    SlotReason,
    TaskGraph,
    TaskRunStatus,
    TaskStatus,
)
from scheduler_dispatcher.shared_plans import SharedPlans

logger = structlog.get_logger("scheduler.dispatcher")

RUNS_A_LOOK_MAX: Final = 10_000
"""About how many runs one transaction makes; what is left of the batch is due again at once."""
_WAITING_SLOTS_MAX: Final = 50
"""How many slots of a task one transaction fires whose runs wait for intervals: each may wait for thousands."""
_NEXT_TRY: Final = timedelta(hours=1)
"""When a schedule that cannot be computed is looked at again: another version may know its time zone."""


class FiringPlan(NamedTuple):
    """Runs to be made, slots that get none, where the schedules stand afterwards, and runs to be cancelled before."""

    requests: list[FlowRequest]
    advances: list[ScheduleAdvance]
    skipped: list[SkippedSlots]
    cancels: list[int]


def plan_firing(
    due: Sequence[DueSchedule],
    graph: TaskGraph,
    active: Mapping[int, Sequence[int]] | None = None,
    waiting_slots: Mapping[int, int] | None = None,
) -> FiringPlan:
    """Decide for due schedules, oldest first, which slots run, which are only recorded, and when they are due next.

    `active` are the runs that have not ended of tasks that care. Of a task whose flow waits for intervals at most as
    many slots run as `waiting_slots` says, none if it is not named there; None: as many as fit. A task that is not
    ACTIVE any more gets no run and its schedule stops where it is. A schedule that cannot be computed any more stays
    where it is, too, and is tried again later: it must not keep the others from running. Schedules that are left out
    are still due.
    """
    # One moment for the whole batch, late enough for every row: equal schedules are then computed once.
    now = max(schedule.now for schedule in due)
    plan = FiringPlan([], [], [], [])
    shared = SharedPlans(due, now)
    runs = 0
    for schedule in due:
        if runs >= RUNS_A_LOOK_MAX:
            break
        if schedule.task_id not in graph or graph[schedule.task_id].status is not TaskStatus.ACTIVE:
            plan.advances.append(_standing(schedule, None))
            continue
        flows = _Flows(graph, schedule)
        limit = waiting_slots.get(schedule.task_id, 0) if waiting_slots is not None and flows.has_intervals else None
        if limit == 0:
            continue
        try:
            if _is_over(schedule):
                plan.advances.append(_standing(schedule, None))
                continue
            slots = shared.plan_of(schedule, _slots_max(schedule, flows, limit))
            runs += flows.size * _add(plan, schedule, slots, flows, (active or {}).get(schedule.task_id, ()), now)
        except (InvalidInputError, ArithmeticError, ValueError) as error:
            logger.error(
                "schedule cannot be computed; correct it with task update", task_id=schedule.task_id, error=str(error)
            )
            plan.advances.append(_standing(schedule, now + _NEXT_TRY))
    return plan


def awaiting(plan: FiringPlan, due: Iterable[DueSchedule], created: Iterable[CreatedRun]) -> list[ScheduleAdvance]:
    """The plan's advances with the runs that were made: a fixed delay waits for the end of its run.

    A slot that had its run already makes no other: such a schedule goes on from the slot.
    """
    fixed_delays = {each.task_id: each for each in due if each.schedule.after_end is not None}
    roots = {run.task_id: run.run_id for run in created if run.run_id == run.flow_id and run.task_id in fixed_delays}
    planned = {request.plan.members[0].task_id for request in plan.requests}
    found = []
    for advance in plan.advances:
        schedule = fixed_delays.get(advance.task_id)
        if schedule is None or advance.next_due_at is not None or advance.task_id not in planned:
            found.append(advance)
        elif advance.task_id in roots:
            found.append(msgspec.structs.replace(advance, awaits_run_id=roots[advance.task_id]))
        else:
            found.append(msgspec.structs.replace(advance, next_due_at=_after(schedule, advance.recorded_until)))
    return found


class _Flows:
    """The flow that a task's slots begin, planned once for those that start at once and once for those that wait."""

    def __init__(self, graph: TaskGraph, schedule: DueSchedule) -> None:
        self._graph = graph
        self._task_id = schedule.task_id
        self._is_awaited = schedule.schedule.after_end is not None
        self._plans: dict[bool, FlowPlan] = {}
        self.has_intervals = False
        members = self.plan(delayed=False).members
        self.size = len(members)
        if any(graph[member.task_id].has_intervals for member in members):
            self.has_intervals = True
            self._plans.clear()

    def plan(self, *, delayed: bool) -> FlowPlan:
        if delayed not in self._plans:
            plan = plan_flow(self._graph, self._task_id, delayed=delayed)
            if self._is_awaited:
                root = msgspec.structs.replace(plan.members[0], needs_settlement=True)
                plan = FlowPlan((root, *plan.members[1:]), plan.edges)
            if self.has_intervals:
                plan = FlowPlan(tuple(self._waiting(member) for member in plan.members), plan.edges)
            self._plans[delayed] = plan
        return self._plans[delayed]

    def _waiting(self, member: FlowMember) -> FlowMember:
        """PENDING until it is known what the member waits for."""
        if not self._graph[member.task_id].has_intervals:
            return member
        return msgspec.structs.replace(member, status=TaskRunStatus.PENDING)


def _slots_max(schedule: DueSchedule, flows: _Flows, limit: int | None) -> int:
    fitting = min(max(1, RUNS_A_LOOK_MAX // flows.size), limit or RUNS_A_LOOK_MAX)
    if flows.has_intervals:
        fitting = min(fitting, _WAITING_SLOTS_MAX)
    return min(fitting, slots_at_once_max(schedule.policies.overlap) or fitting)


def _add(
    plan: FiringPlan, schedule: DueSchedule, slots: SlotPlan, flows: _Flows, active: Sequence[int], now: datetime
) -> int:
    """Put a schedule's slots into the plan; the number of flows that this makes."""
    verdict = overlap_verdict(schedule.policies.overlap, active) if slots.runs else OverlapVerdict()
    next_due_at = slots.next_due_at
    if not verdict.is_run and next_due_at is None:
        next_due_at = _after(schedule, slots.recorded_until)
    plan.advances.append(
        ScheduleAdvance(task_id=schedule.task_id, recorded_until=slots.recorded_until, next_due_at=next_due_at)
    )
    plan.skipped.extend(_skipped(schedule, s.first, s.last, s.count, s.reason) for s in slots.skipped)
    if not verdict.is_run:
        plan.skipped.extend(
            _skipped(schedule, slot.scheduled_at, slot.scheduled_at, 1, SlotReason.OVERLAP) for slot in slots.runs
        )
        return 0
    plan.cancels.extend(verdict.cancels)
    plan.requests.extend(_request(slot, flows, verdict, now) for slot in slots.runs)
    return len(slots.runs)


def _request(slot: PlannedSlot, flows: _Flows, verdict: OverlapVerdict, now: datetime) -> FlowRequest:
    return FlowRequest(
        plan=flows.plan(delayed=slot.not_before > now or bool(verdict.after_runs)),
        trigger=RunTrigger.SCHEDULE,
        scheduled_at=slot.scheduled_at,
        not_before=slot.not_before,
        slot=True,
        interval_from=slot.interval_from,
        interval_to=slot.interval_to,
        after_runs=verdict.after_runs,
    )


def _skipped(schedule: DueSchedule, first: datetime, last: datetime, count: int, reason: SlotReason) -> SkippedSlots:
    return SkippedSlots(
        task_id=schedule.task_id, scheduled_at=first, last_scheduled_at=last, count=count, reason=reason
    )


def _is_over(schedule: DueSchedule) -> bool:
    """Whether a fixed delay has gone beyond its validity: the end of a run plans its next slot without asking."""
    delay, slot = schedule.schedule.after_end, schedule.next_due_at
    if delay is None or slot is None:
        return False
    return next_after(schedule.schedule, slot - timedelta(seconds=delay), schedule.seed) is None


def _standing(schedule: DueSchedule, next_due_at: datetime | None) -> ScheduleAdvance:
    return ScheduleAdvance(task_id=schedule.task_id, recorded_until=schedule.recorded_until, next_due_at=next_due_at)


def _after(schedule: DueSchedule, slot: datetime) -> datetime | None:
    return next_run_after(schedule.schedule, slot, schedule.seed)
