"""In what order a look at the schedules happens, and who is rung afterwards."""

import pytest

from fixtures.dispatcher_fakes import ScriptedStore
from fixtures.due_schedules import due, node, run
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from scheduler_core.errors import StoreUnavailableError
from scheduler_core.models import DISPATCHERS, OverlapPolicy, TaskGraph, TaskRunStatus
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.schedule_service import ScheduleService


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


async def test_look_rings_dispatchers_for_runs_that_start_later() -> None:
    """A run whose jitter has not passed is to be admitted in time by whoever is next to look."""
    store, queue = ScriptedStore(), InMemoryMessageQueue()
    store.due, store.graph = [due(1)], TaskGraph([node(1)])
    store.created = [run(1, TaskRunStatus.PENDING)]
    await service(store, queue).look()
    assert queue.wire.rung == [DISPATCHERS]


async def test_look_cancels_before_it_creates() -> None:
    """The earlier run is locked, told to end, and waited for; its worker and the settlement hear of it."""
    store, queue = ScriptedStore(), InMemoryMessageQueue()
    store.due, store.graph = [due(1, overlap=OverlapPolicy.CANCEL_PREVIOUS)], TaskGraph([node(1)])
    store.active_runs, store.holders, store.created = {1: [7]}, [5], [run(8, TaskRunStatus.PENDING)]
    await service(store, queue).look()
    assert store.log == ["lock [1]", "lock runs of [1]", "cancel [7]", "create", "record", "commit"]
    assert queue.wire.rung == ["session-5", DISPATCHERS]
    assert [request.after_runs for request in store.requests] == [(7,)]
