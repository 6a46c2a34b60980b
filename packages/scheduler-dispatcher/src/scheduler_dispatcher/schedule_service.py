"""Due slots become runs: slot, runs and the next due time in one transaction."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import structlog

from scheduler_core.interfaces import Store, UnitOfWork
from scheduler_core.models import CreatedRun, DueSchedule, OverlapPolicy, SlotReason, TaskRunStatus
from scheduler_dispatcher import dispatcher_metrics
from scheduler_dispatcher.awaited_intervals import AwaitedIntervals
from scheduler_dispatcher.firing_plan import FiringPlan, awaiting, plan_firing
from scheduler_dispatcher.interval_waits import let_wait
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.service_loop import seconds_to_next_look

logger = structlog.get_logger("scheduler.dispatcher")

_LOST = (SlotReason.MISSED, SlotReason.MISFIRED)


class ScheduleService:
    """Gives due slots their runs, and records those that get none with the reason."""

    name = "schedules"
    spacing_seconds = 0.05

    def __init__(self, store: Store, ringer: Ringer, *, batch: int, interval_seconds: float) -> None:
        self._store = store
        self._ringer = ringer
        self._batch = batch
        self._interval_seconds = interval_seconds

    async def look(self) -> float:
        """Take up to `batch` due schedules; see Service."""
        async with self._store.transaction() as work:
            due = await work.schedules.take_due(self._batch)
            fired = await fire(work, due) if due else Fired([], [], is_later=False)
            to_next = await work.schedules.seconds_to_next() if len(due) < self._batch else 0.0
        # After the commit: a ring for a run that was rolled back would wake workers for nothing.
        await self._ringer.ring_workers(fired.created)
        await self._ringer.ring_sessions(fired.sessions)
        if fired.is_later:
            await self._ringer.ring_dispatchers()
        return seconds_to_next_look(len(due), self._batch, to_next, self._interval_seconds)


class Fired(NamedTuple):
    """Runs that were made, as they stand, sessions with runs to cancel, and whether other loops have work now."""

    created: list[CreatedRun]
    sessions: list[int]
    is_later: bool


async def fire(work: UnitOfWork, due: Sequence[DueSchedule]) -> Fired:
    """Carry out what is decided about due schedules, in the transaction that took them."""
    graph = await work.tasks.lock_graph_of([schedule.task_id for schedule in due])
    active = await _active(work, due)
    plan = plan_firing(due, graph, active)
    awaited = await AwaitedIntervals.read(work, graph, plan.requests)
    fitting = await awaited.fitting(plan.requests)
    if fitting is not None:
        plan = plan_firing(due, graph, active, fitting)
    sessions = []
    if plan.cancels:
        await work.task_runs.cancel(plan.cancels)
        sessions = await work.task_runs.sessions_of(plan.cancels)
    created = await work.task_runs.create_flows(plan.requests) if plan.requests else []
    await work.schedules.record(awaiting(plan, due, created), plan.skipped)
    # After the record: a slot of the same batch that gets no run is nothing to wait for.
    released, is_waiting = await let_wait(work, graph, plan.requests, created, awaited)
    _count(due, plan)
    # A delayed root is to be admitted when its time has come; a cancelled run is to be settled.
    is_delayed = any(run.run_id == run.flow_id and run.status is TaskRunStatus.PENDING for run in created)
    is_later = is_delayed or is_waiting or released.is_later or bool(plan.cancels)
    as_they_stand = {run.run_id: run for run in (*created, *released.released)}
    return Fired(list(as_they_stand.values()), sessions, is_later)


async def _active(work: UnitOfWork, due: Sequence[DueSchedule]) -> dict[int, list[int]]:
    """The runs that have not ended of the tasks that care; those that will be waited for are locked."""
    asking = [d.task_id for d in due if d.policies.overlap is OverlapPolicy.SKIP]
    waiting = [d.task_id for d in due if d.policies.overlap in (OverlapPolicy.QUEUE, OverlapPolicy.CANCEL_PREVIOUS)]
    pairs = await work.task_runs.active(asking) if asking else []
    pairs += await work.task_runs.lock_active(waiting) if waiting else []
    active: dict[int, list[int]] = {}
    for task_id, run_id in pairs:
        active.setdefault(task_id, []).append(run_id)
    return active


def _count(due: Sequence[DueSchedule], plan: FiringPlan) -> None:
    now = max(schedule.now for schedule in due)
    dispatcher_metrics.slots_run.add(len(plan.requests))
    for request in plan.requests:
        if request.scheduled_at is not None:
            dispatcher_metrics.slot_delay.record((now - request.scheduled_at) / timedelta(seconds=1))
    for reason in {stretch.reason for stretch in plan.skipped}:
        stretches = [stretch for stretch in plan.skipped if stretch.reason is reason]
        slots = sum(stretch.count for stretch in stretches)
        dispatcher_metrics.slots_skipped.add(slots, {"reason": reason.value})
        if reason in _LOST:
            tasks = len({stretch.task_id for stretch in stretches})
            logger.warning("slots without a run", slots=slots, tasks=tasks, reason=reason.value)
