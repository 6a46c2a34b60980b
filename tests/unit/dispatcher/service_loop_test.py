"""The loop that every service runs in."""

import asyncio
from collections.abc import Callable

import pytest

from fixtures.waiting import wait_until
from scheduler_core.errors import ConflictError, StoreUnavailableError
from scheduler_core.runtime import SystemClock
from scheduler_dispatcher.service_loop import LOOK_SPACING_SECONDS, ServiceLoop, seconds_to_next_look

AWAY = StoreUnavailableError("The database is away.")
LONG = 60.0


class ScriptedService:
    """Answers each look from a list, and after its end waits for long."""

    name = "scripted"
    spacing_seconds = LOOK_SPACING_SECONDS

    def __init__(self, *answers: float | Exception | Callable[[], float]) -> None:
        self.answers = list(answers)
        self.looks = 0

    async def look(self) -> float:
        """Do the next thing."""
        self.looks += 1
        answer = self.answers.pop(0) if self.answers else LONG
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer

    async def reaches(self, looks: int) -> None:
        """Wait for so many looks."""

        async def enough() -> bool:
            return self.looks >= looks

        await wait_until(enough, limit_seconds=5, what=f"{looks} looks, had {self.looks}")


async def ended(loop: ServiceLoop, running: asyncio.Task[None]) -> None:
    """Stop a loop and see it end at once."""
    loop.stop()
    async with asyncio.timeout(2):
        await running


async def test_run_looks_again_at_once_after_a_full_batch() -> None:
    """A delay of 0 means there is more: the loop goes on without waiting for a ring, and then waits."""
    service = ScriptedService(0.0, 0.0, 0.0)
    loop = ServiceLoop(service, SystemClock())
    running = asyncio.create_task(loop.run())
    await service.reaches(4)
    await ended(loop, running)
    assert service.looks == 4


async def test_run_looks_again_after_the_delay() -> None:
    """Without any ring the next look comes when its time has come."""
    service = ScriptedService(0.02)
    loop = ServiceLoop(service, SystemClock())
    running = asyncio.create_task(loop.run())
    await service.reaches(2)
    await ended(loop, running)


async def test_ring_ends_the_wait() -> None:
    """A ring leads to a look at once, however long the delay."""
    service = ScriptedService()
    loop = ServiceLoop(service, SystemClock())
    running = asyncio.create_task(loop.run())
    await service.reaches(1)
    loop.ring()
    await service.reaches(2)
    await ended(loop, running)


async def test_ring_during_a_look_is_not_lost() -> None:
    """What is rung for while a look is under way is looked at afterwards."""

    def rung_meanwhile() -> float:
        loop.ring()
        return LONG

    service = ScriptedService(rung_meanwhile)
    loop = ServiceLoop(service, SystemClock())
    running = asyncio.create_task(loop.run())
    await service.reaches(2)
    await ended(loop, running)


async def test_run_joins_rings_that_come_in_a_burst() -> None:
    """A hundred rings within a moment cause a handful of looks."""
    service = ScriptedService()
    loop = ServiceLoop(service, SystemClock())
    running = asyncio.create_task(loop.run())
    await service.reaches(1)
    began = asyncio.get_running_loop().time()
    for _ in range(100):
        loop.ring()
        await asyncio.sleep(0)
    await service.reaches(2)
    looks, seconds = service.looks, asyncio.get_running_loop().time() - began
    await ended(loop, running)
    assert looks <= 3 + seconds / LOOK_SPACING_SECONDS


async def test_run_stands_by_while_the_store_is_away() -> None:
    """A store that is away, or in conflict, is asked again later; the heartbeat stands still meanwhile."""
    service = ScriptedService(ConflictError("Deadlock."), ConflictError("Deadlock."), AWAY)
    loop = ServiceLoop(service, SystemClock())
    running = asyncio.create_task(loop.run())
    await service.reaches(2)
    assert loop.is_failing
    await service.reaches(4)

    async def recovered() -> bool:
        return not loop.is_failing

    await wait_until(recovered)
    assert loop.seconds_since_look() < 1
    await ended(loop, running)


async def test_ring_does_not_hurry_a_loop_that_stands_by() -> None:
    """Rings do not make a dispatcher hammer on a database that is away."""
    service = ScriptedService(*[AWAY] * 50)
    loop = ServiceLoop(service, SystemClock())
    running = asyncio.create_task(loop.run())
    await service.reaches(1)
    for _ in range(50):
        loop.ring()
        await asyncio.sleep(0.001)
    assert service.looks <= 2
    await ended(loop, running)


async def test_run_lets_an_unexpected_error_through() -> None:
    """A defect ends the loop, and with it the process, instead of being repeated in silence."""
    loop = ServiceLoop(ScriptedService(ZeroDivisionError("defect")), SystemClock())
    with pytest.raises(ZeroDivisionError):
        await loop.run()


@pytest.mark.parametrize(
    ("taken", "to_next", "expected"),
    [
        (10, 3.0, 0.0),  # a full batch: there may be more
        (0, None, 5.0),  # nothing is planned
        (0, 2.0, 2.001),  # due in two seconds
        (3, 60.0, 5.0),  # never longer than the longest wait
        (3, 0.0, 0.0),  # more became due meanwhile
        (0, 0.0, 0.05),  # due, but another dispatcher has it
    ],
)
def test_seconds_to_next_look_waits_as_long_as_it_may(taken: int, to_next: float | None, expected: float) -> None:
    """The wait ends when the next is due, and due work that others hold is not asked for in a tight loop."""
    assert seconds_to_next_look(taken, 10, to_next, 5.0) == expected
