"""All loops of a dispatcher together: one bell for all, and one end."""

import asyncio

import pytest

from fixtures.in_memory_message_queue import InMemoryMessageQueue
from fixtures.waiting import wait_until
from scheduler_core.models import DISPATCHERS
from scheduler_core.runtime import SystemClock
from scheduler_dispatcher.loop_group import run_loops
from scheduler_dispatcher.service_loop import ServiceLoop
from scheduler_dispatcher.shared_bell import SharedBell


class CountingService:
    """Counts its looks and waits for long; fails when told to."""

    spacing_seconds = 0.01

    def __init__(self, name: str) -> None:
        self.name = name
        self.looks = 0
        self.error: Exception | None = None

    async def look(self) -> float:
        """One more."""
        self.looks += 1
        if self.error:
            raise self.error
        return 60.0


async def looked(services: list[CountingService], looks: int) -> None:
    """Wait until each service has looked so often."""

    async def all_have() -> bool:
        return all(service.looks >= looks for service in services)

    await wait_until(all_have, limit_seconds=5, what=f"{looks} looks of each")


async def test_run_loops_wakes_every_service_at_one_ring() -> None:
    """A ring does not say what for: schedules, dispatch and settlement all look; stopping ends them all."""
    services = [CountingService(name) for name in ("schedules", "dispatch", "settlement", "recovery")]
    queue, stopping = InMemoryMessageQueue(), asyncio.Event()
    loops = [ServiceLoop(service, SystemClock()) for service in services]
    running = asyncio.create_task(run_loops(loops, SharedBell(queue, loops), stopping))
    await looked(services, 1)
    before = [service.looks for service in services]
    await queue.ring([DISPATCHERS])
    await looked(services, max(before) + 1)
    stopping.set()
    async with asyncio.timeout(2):
        await running


async def test_run_loops_ends_with_the_failure_of_one() -> None:
    """A defect in one service ends the dispatcher with that error, and leaves no task behind."""
    services = [CountingService("schedules"), CountingService("dispatch")]
    services[1].error = ZeroDivisionError("defect")
    loops = [ServiceLoop(service, SystemClock()) for service in services]
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(5):
            await run_loops(loops, SharedBell(InMemoryMessageQueue(), loops), asyncio.Event())
    assert caught.group_contains(ZeroDivisionError)
