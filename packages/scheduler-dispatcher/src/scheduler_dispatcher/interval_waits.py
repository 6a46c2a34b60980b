"""What the runs of due slots wait for across schedules."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from scheduler_core.interfaces import Settlement, UnitOfWork
from scheduler_core.models import CreatedRun, FlowRequest, TaskGraph
from scheduler_core.models.interval_wait import AwaitedSlots, IntervalSource, NewWait
from scheduler_dispatcher.awaited_intervals import AwaitedIntervals, waiting_slot


async def let_wait(
    work: UnitOfWork,
    graph: TaskGraph,
    requests: Sequence[FlowRequest],
    created: Sequence[CreatedRun],
    awaited: AwaitedIntervals,
) -> tuple[Settlement, bool]:
    """Let those of the runs that were just made for slots wait for the intervals that their tasks depend on.

    Says what that has released, and whether anything waits now. Without such tasks it asks the store nothing.
    """
    waiting = [run for run in created if run.task_id in graph and graph[run.task_id].has_intervals]
    waits = plan_waits(waiting, created, requests, awaited) if waiting else []
    return (await work.intervals.create_waits(waits) if waits else Settlement([])), bool(waits)


def plan_waits(
    waiting: Iterable[CreatedRun],
    created: Iterable[CreatedRun],
    requests: Iterable[FlowRequest],
    awaited: AwaitedIntervals,
) -> list[NewWait]:
    """One wait for each dependency of each run."""
    roots = {run.flow_id: run.task_id for run in created if run.run_id == run.flow_id}
    slots = {
        (request.plan.members[0].task_id, slot.scheduled_at): slot
        for request in requests
        if (slot := waiting_slot(request)) is not None
    }
    return [
        _new_wait(run, source, each)
        for run in waiting
        for source, each in awaited.of_task(run.task_id, slots[roots[run.flow_id], run.scheduled_at])
    ]


def _new_wait(run: CreatedRun, source: IntervalSource, awaited: AwaitedSlots) -> NewWait:
    deadline = source.dependency.deadline
    return NewWait(
        run_id=run.run_id,
        position=source.position,
        upstream_task_id=source.upstream_task_id,
        dependency=source.dependency,
        slots=awaited.slots,
        deadline_at=None if deadline is None else run.scheduled_at + timedelta(seconds=deadline),
        reason=awaited.reason,
    )
