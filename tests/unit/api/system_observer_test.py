"""Looking at the whole while parts of it hang."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from fixtures.clock import FrozenClock
from fixtures.in_memory_message_queue import InMemoryMessageQueue, InMemoryWire
from scheduler_api import system_observer
from scheduler_api.system_observer import SystemObserver
from scheduler_core.interfaces import Store
from scheduler_core.models.system import SystemStatistics


class HangingStore:
    """A database that answers nothing, and takes its time to let go of who gives up."""

    def __init__(self) -> None:
        self.released = asyncio.Event()

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Any]:
        """Waits until the test is over, cancelled or not."""
        try:
            await self.released.wait()
        finally:
            await self.released.wait()
        yield None


class HangingQueue(InMemoryMessageQueue):
    """A broker that answers nothing."""

    place = "RabbitMQ at broker.example:5672"

    async def check(self) -> None:
        """Waits for ever."""
        await asyncio.Event().wait()


class AnsweringStore:
    """A database without fault."""

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Any]:
        """Something that can be checked."""
        yield AsyncMock()


async def test_readiness_names_a_message_queue_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that answers nothing is named, is not waited for, and does not take the process out of service."""
    monkeypatch.setattr(system_observer, "CHECK_SECONDS_MAX", 0.05)
    observer = SystemObserver(cast(Store, AnsweringStore()), HangingQueue(), FrozenClock(), lambda: "", "1")
    async with asyncio.timeout(5):
        readiness = await observer.readiness()
    assert (readiness.status, readiness.is_ready) == ("degraded", True)
    assert "RabbitMQ at broker.example:5672 gave no answer" in readiness.parts["message_queue"].detail


async def test_readiness_of_a_database_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of a look holds even when giving up takes long: probes and metrics are answered meanwhile."""
    monkeypatch.setattr(system_observer, "CHECK_SECONDS_MAX", 0.05)
    store = HangingStore()
    queue = InMemoryMessageQueue(InMemoryWire())
    observer = SystemObserver(cast(Store, store), queue, FrozenClock(), lambda: "", "1")
    try:
        async with asyncio.timeout(5):
            readiness = await observer.readiness()
            assert (readiness.status, readiness.parts["database"].status) == ("unavailable", "unavailable")
            assert "scheduler_database_up 0" in await observer.metrics_text()
    finally:
        store.released.set()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)


async def test_metrics_tell_no_outage_while_counting_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the numbers of limits and turns, which are slow to count when very much waits, the others are told."""
    monkeypatch.setattr(system_observer, "CHECK_SECONDS_MAX", 0.05)
    queue = InMemoryMessageQueue(InMemoryWire())
    observer = SystemObserver(cast(Store, AnsweringStore()), queue, FrozenClock(), lambda: "", "1")

    async def statistics() -> SystemStatistics:
        return SystemStatistics(
            now=datetime.now(UTC),
            tasks_by_status={},
            runs_active_by_status={},
            runs_finished_last_hour_by_status={},
            workers_alive=0,
            places_total=0,
            places_taken=0,
            oldest_dispatched_seconds=None,
            oldest_due_schedule_seconds=None,
        )

    monkeypatch.setattr(observer, "statistics", statistics)
    monkeypatch.setattr(observer, "dispatch_statistics", asyncio.Event().wait)
    async with asyncio.timeout(5):
        assert "scheduler_database_up 1" in await observer.metrics_text()
