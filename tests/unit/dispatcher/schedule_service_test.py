"""Which slots run, which are only recorded, and in what order it all happens."""

from datetime import UTC, datetime, timedelta

import pytest

from fixtures.dispatcher_fakes import ScriptedStore
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from scheduler_core.errors import StoreUnavailableError
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
    TaskNode,
    TaskRunStatus,
    TaskStatus,
)
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.schedule_service import ScheduleService, plan_firing

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY_MINUTE = Schedule(cron="* * * * *")


def due(
    task_id: int, schedule: Schedule = EVERY_MINUTE, *, since: datetime = NOON, now: datetime = NOON
) -> DueSchedule:
    """A due schedule."""
    return DueSchedule(task_id=task_id, schedule=schedule, next_due_at=since, now=now)


def node(task_id: int, **changes: object) -> TaskNode:
    """An active task with that id as its version, too."""
    fields: dict[str, object] = {"id": task_id, "name": f"t{task_id}", "task_version_id": task_id, "has_schedule": True}
    return TaskNode(**{**fields, **changes})  # type: ignore[arg-type]


def run(run_id: int, status: TaskRunStatus = TaskRunStatus.DISPATCHED) -> CreatedRun:
    """A run as the store reports it."""
    return CreatedRun(run_id, run_id, 1, status, "default", "shell", NOON)


def test_plan_firing_runs_a_slot_and_moves_on() -> None:
    """A due slot gets one flow that begins with its task, and the schedule stands at the next slot."""
    graph = TaskGraph([node(1), node(2, has_schedule=False, depends_on=(1,))])
    plan = plan_firing([due(1)], graph)
    [request] = plan.requests
    assert request == FlowRequest(plan=request.plan, trigger=RunTrigger.SCHEDULE, scheduled_at=NOON, slot=True)
    assert [member.task_id for member in request.plan.members] == [1, 2]
    assert plan.advances == [ScheduleAdvance(task_id=1, last_slot_at=NOON, next_due_at=NOON + MINUTE)]
    assert plan.skipped == []


def test_plan_firing_records_missed_slots() -> None:
    """After an outage the latest slot runs and the others are on record with their number."""
    plan = plan_firing([due(1, now=NOON + 10.5 * MINUTE)], TaskGraph([node(1)]))
    assert [request.scheduled_at for request in plan.requests] == [NOON + 10 * MINUTE]
    assert plan.skipped == [
        SkippedSlots(
            task_id=1,
            scheduled_at=NOON,
            last_scheduled_at=NOON + 9 * MINUTE,
            count=10,
            reason=SlotReason.MISSED,
        )
    ]
    assert plan.advances[0].next_due_at == NOON + 11 * MINUTE


def test_plan_firing_uses_one_moment_for_the_whole_batch() -> None:
    """A row that was read a little earlier is not judged by an earlier clock."""
    plan = plan_firing([due(1, now=NOON), due(2, now=NOON + MINUTE)], TaskGraph([node(1), node(2)]))
    assert [request.scheduled_at for request in plan.requests] == [NOON + MINUTE] * 2


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (TaskGraph([]), SlotReason.PAUSED),
        (TaskGraph([node(1, status=TaskStatus.PAUSED)]), SlotReason.PAUSED),
    ],
)
def test_plan_firing_stops_schedules_of_tasks_that_make_no_runs(graph: TaskGraph, reason: SlotReason) -> None:
    """A paused or deleted task gets no run, even when its schedule was still planned."""
    plan = plan_firing([due(1, now=NOON + 2 * MINUTE)], graph)
    assert plan.requests == []
    assert plan.advances == [ScheduleAdvance(task_id=1, last_slot_at=NOON + 2 * MINUTE, next_due_at=None)]
    assert [(stretch.count, stretch.reason) for stretch in plan.skipped] == [(3, reason)]


def test_plan_firing_survives_a_schedule_that_cannot_be_computed() -> None:
    """One broken row stops itself, on record, and nobody else."""
    broken = Schedule(cron="* * * * *", timezone="Europe/Atlantis")
    plan = plan_firing([due(1, broken), due(2)], TaskGraph([node(1), node(2)]))
    assert [request.plan.members[0].task_id for request in plan.requests] == [2]
    assert plan.advances[0] == ScheduleAdvance(task_id=1, last_slot_at=NOON, next_due_at=None)
    assert [(stretch.task_id, stretch.count) for stretch in plan.skipped] == [(1, 1)]


def test_plan_firing_ends_a_one_shot() -> None:
    """An instant that was run is never due again."""
    plan = plan_firing([due(1, Schedule(at=NOON))], TaskGraph([node(1)]))
    assert plan.advances == [ScheduleAdvance(task_id=1, last_slot_at=NOON, next_due_at=None)]


def service(store: ScriptedStore, queue: InMemoryMessageQueue, batch: int = 10) -> ScheduleService:
    """A service that waits at most ten seconds."""
    ringer = Ringer(store.as_store(), queue)
    return ScheduleService(store.as_store(), ringer, batch=batch, interval_seconds=10.0)


async def test_look_rings_after_the_commit() -> None:
    """Locks first, then the runs, then the schedules; the ring comes when all that is committed."""
    store, queue = ScriptedStore(), InMemoryMessageQueue()
    store.due, store.graph = [due(1), due(2)], TaskGraph([node(1), node(2)])
    store.created, store.targets, store.to_next = [run(1), run(2)], [5], 3.0
    assert await service(store, queue).look() == 3.001
    assert store.log == ["lock [1, 2]", "create", "record", "commit", "ring targets"]
    assert queue.wire.rung == ["session-5"]
    assert len(store.requests) == len(store.advances) == 2


async def test_look_takes_the_next_batch_at_once() -> None:
    """A full batch means that there may be more."""
    store = ScriptedStore()
    store.due, store.graph = [due(1), due(2), due(3)], TaskGraph([node(1), node(2), node(3)])
    looking = service(store, InMemoryMessageQueue(), batch=2)
    assert await looking.look() == 0.0
    assert await looking.look() == 10.0
    assert [advance.task_id for advance in store.advances] == [1, 2, 3]


async def test_look_with_nothing_due_waits_for_the_interval() -> None:
    """schedule_interval_seconds is the longest wait; an idle look writes nothing."""
    store = ScriptedStore()
    assert await service(store, InMemoryMessageQueue()).look() == 10.0
    store.to_next = 3600.0
    assert await service(store, InMemoryMessageQueue()).look() == 10.0
    assert store.log == ["commit", "commit"]


async def test_look_raises_when_the_store_is_away() -> None:
    """The loop learns that the store is away, and nothing was rung."""
    store, queue = ScriptedStore(), InMemoryMessageQueue()
    store.error = StoreUnavailableError("away")
    with pytest.raises(StoreUnavailableError):
        await service(store, queue).look()
    assert queue.wire.rung == []
