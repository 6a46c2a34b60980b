"""Waiting runs become claimable."""

from datetime import UTC, datetime

from fixtures.dispatcher_fakes import ScriptedStore
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from scheduler_core.models import DISPATCHERS, CreatedRun, TaskRunStatus
from scheduler_dispatcher.dispatch_service import DispatchService
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.settlement_service import SettlementService

RUN = CreatedRun(1, 1, 1, TaskRunStatus.DISPATCHED, "default", "shell", datetime(2026, 3, 1, tzinfo=UTC))


async def test_dispatch_look_rings_for_admitted_runs() -> None:
    """Admitted runs ring workers; the next look is when the next delay ends, at most poll_interval_seconds away."""
    store, queue = ScriptedStore(), InMemoryMessageQueue()
    store.admitted, store.targets, store.to_next = [RUN] * 3, [1], 2.0
    service = DispatchService(store.as_store(), Ringer(store.as_store(), queue), batch=2, poll_interval_seconds=5.0)
    assert [await service.look(), await service.look()] == [0.0, 2.001]
    store.to_next = 60.0
    assert await service.look() == 5.0
    assert queue.wire.rung == ["session-1", "session-1"]


async def test_settlement_look_rings_dispatchers_for_what_is_due_later() -> None:
    """A schedule that counts from the end of a run is planned by that end: whoever looks at schedules hears of it."""
    store, queue = ScriptedStore(), InMemoryMessageQueue()
    store.is_later = True
    service = SettlementService(store.as_store(), Ringer(store.as_store(), queue), batch=2, poll_interval_seconds=5.0)
    assert await service.look() == 5.0
    assert queue.wire.rung == [DISPATCHERS]


async def test_settlement_look_goes_on_until_nothing_is_released() -> None:
    """Released runs ring workers, and settlement goes on at once until there is nothing left."""
    store, queue = ScriptedStore(), InMemoryMessageQueue()
    store.released, store.targets = [[RUN], [RUN]], [1]
    service = SettlementService(store.as_store(), Ringer(store.as_store(), queue), batch=2, poll_interval_seconds=5.0)
    assert [await service.look() for _ in range(3)] == [0.0, 0.0, 5.0]
    assert queue.wire.rung == ["session-1", "session-1"]
