"""Due slots become runs: slot, runs and the next due time in one transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from scheduler_core.decisions.flow_rules import plan_flow
from scheduler_core.decisions.schedule_rules import DueSlots, due_slots
from scheduler_core.errors import InvalidInputError
from scheduler_core.interfaces import Store, UnitOfWork
from scheduler_core.models import (
    CreatedRun,
    DueSchedule,
    FlowRequest,
    RunTrigger,
    Schedule,
    ScheduleAdvance,
    SkippedSlots,
    SlotReason,
    TaskGraph,
    TaskStatus,
)
from scheduler_dispatcher import dispatcher_metrics
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.service_loop import seconds_to_next_look

logger = structlog.get_logger("scheduler.dispatcher")


class ScheduleService:
    """Gives the latest due slot of each schedule its run, and records the earlier ones as missed."""

    name = "schedules"

    def __init__(self, store: Store, ringer: Ringer, *, batch: int, interval_seconds: float) -> None:
        self._store = store
        self._ringer = ringer
        self._batch = batch
        self._interval_seconds = interval_seconds

    async def look(self) -> float:
        """Take up to `batch` due schedules; see Service."""
        async with self._store.transaction() as work:
            due = await work.schedules.take_due(self._batch)
            created = await _give_runs(work, due) if due else []
            to_next = await work.schedules.seconds_to_next() if len(due) < self._batch else 0.0
        # After the commit: a ring for a run that was rolled back would wake workers for nothing.
        await self._ringer.ring_workers(created)
        return seconds_to_next_look(len(due), self._batch, to_next, self._interval_seconds)


class FiringPlan(NamedTuple):
    """What a batch of due schedules leads to."""

    requests: list[FlowRequest]
    advances: list[ScheduleAdvance]
    skipped: list[SkippedSlots]


async def _give_runs(work: UnitOfWork, due: Sequence[DueSchedule]) -> list[CreatedRun]:
    graph = await work.tasks.lock_graph_of([schedule.task_id for schedule in due])
    plan = plan_firing(due, graph)
    created = await work.task_runs.create_flows(plan.requests) if plan.requests else []
    await work.schedules.record(plan.advances, plan.skipped)
    _count(due, plan)
    return created


def plan_firing(due: Sequence[DueSchedule], graph: TaskGraph) -> FiringPlan:
    """Decide for each due schedule which slot runs, which ones are only recorded, and when it is due next.

    A task that is not ACTIVE any more gets no run, and its schedule stops. So does one whose schedule cannot be
    computed any more: it is logged and must not keep the others from running.
    """
    # One moment for the whole batch, late enough for every row: equal schedules are then computed once.
    now = max(schedule.now for schedule in due)
    known: dict[tuple[Schedule, datetime], DueSlots | None] = {}
    plan = FiringPlan([], [], [])
    for schedule in due:
        key = (schedule.schedule, schedule.next_due_at)
        if key not in known:
            known[key] = _slots_of(schedule, now)
        slots = known[key]
        status = graph[schedule.task_id].status if schedule.task_id in graph else TaskStatus.INACTIVE
        if slots is None or slots.latest is None or status is not TaskStatus.ACTIVE:
            _stop(plan, schedule, slots, status)
            continue
        plan.requests.append(
            FlowRequest(
                plan=plan_flow(graph, schedule.task_id),
                trigger=RunTrigger.SCHEDULE,
                scheduled_at=slots.latest,
                slot=True,
            )
        )
        if slots.missed_first is not None and slots.missed_last is not None:
            plan.skipped.append(
                SkippedSlots(
                    task_id=schedule.task_id,
                    scheduled_at=slots.missed_first,
                    last_scheduled_at=slots.missed_last,
                    count=slots.missed_count,
                    reason=SlotReason.MISSED,
                )
            )
        plan.advances.append(
            ScheduleAdvance(task_id=schedule.task_id, last_slot_at=slots.latest, next_due_at=slots.next_due_at)
        )
    return plan


def _slots_of(schedule: DueSchedule, now: datetime) -> DueSlots | None:
    try:
        return due_slots(schedule.schedule, schedule.next_due_at, now)
    except (InvalidInputError, ArithmeticError, ValueError) as error:
        logger.error(
            "schedule stopped: it cannot be computed; correct it with task update",
            task_id=schedule.task_id,
            error=str(error),
        )
        return None


def _stop(plan: FiringPlan, schedule: DueSchedule, slots: DueSlots | None, status: TaskStatus) -> None:
    last = (slots.latest if slots else None) or schedule.next_due_at
    count = 1 if slots is None else slots.missed_count + 1
    plan.skipped.append(
        SkippedSlots(
            task_id=schedule.task_id,
            scheduled_at=schedule.next_due_at,
            last_scheduled_at=last,
            count=count,
            reason=SlotReason.MISSED if status is TaskStatus.ACTIVE else SlotReason.PAUSED,
        )
    )
    plan.advances.append(ScheduleAdvance(task_id=schedule.task_id, last_slot_at=last, next_due_at=None))


def _count(due: Sequence[DueSchedule], plan: FiringPlan) -> None:
    now = max(schedule.now for schedule in due)
    missed = sum(stretch.count for stretch in plan.skipped)
    dispatcher_metrics.slots_run.add(len(plan.requests))
    for request in plan.requests:
        if request.scheduled_at is not None:
            dispatcher_metrics.slot_delay.record((now - request.scheduled_at) / timedelta(seconds=1))
    if missed:
        dispatcher_metrics.slots_missed.add(missed)
        logger.warning("slots missed", slots=missed, tasks=len(plan.skipped))
