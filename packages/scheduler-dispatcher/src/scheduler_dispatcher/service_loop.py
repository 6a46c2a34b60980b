"""The one loop that every service of the dispatcher runs in.

A service looks once, takes one bounded batch, and says how long the next look may wait. The loop waits that long or
until it is rung, and stands by while the store is away. Any other error is a defect and passes through: a dispatcher
that guesses is worse than one that stops and is started again.
"""

import asyncio
import random
from typing import Final, Protocol

import structlog

from scheduler_core.errors import ConflictError, RepositoryError, StoreUnavailableError
from scheduler_core.interfaces import Clock

logger = structlog.get_logger("scheduler.dispatcher")

# Due work that a look did not find is in the hands of another dispatcher, which needs a moment to commit.
_HELD_ELSEWHERE_SECONDS: Final = 0.05
# What is due "now" by a wait that ended a little early is due a little later by the database's clock.
_CLOCK_MARGIN_SECONDS: Final = 0.001
LOOK_SPACING_SECONDS: Final = 0.01
"""Rings that come faster than this share a look: a burst of them must not keep the database busy."""


class Service(Protocol):
    """A part of the dispatcher's work.

    `spacing_seconds` is how long a ring may wait for its look at most: longer where rings are seldom for this service.
    """

    name: str
    spacing_seconds: float

    async def look(self) -> float:
        """Do one bounded batch and return the seconds that the next look may wait; 0 means at once."""


class ServiceLoop:
    """Runs a service until it is stopped."""

    def __init__(self, service: Service, clock: Clock, rng: random.Random | None = None) -> None:
        self._service = service
        self._clock = clock
        self._random = rng or random.Random()
        self._rung = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failures = 0
        self._last_look = clock.monotonic()

    @property
    def name(self) -> str:
        """The service's name."""
        return self._service.name

    @property
    def is_failing(self) -> bool:
        """Whether the last look found the store away or in conflict."""
        return self._failures > 0

    def seconds_since_look(self) -> float:
        """How long ago the last look ended without a failure: the loop's heartbeat."""
        return self._clock.monotonic() - self._last_look

    def ring(self) -> None:
        """Look again at once; a ring during a look counts for the next one."""
        self._rung.set()

    def stop(self) -> None:
        """End after the present look."""
        self._stopped.set()
        self._rung.set()

    async def run(self) -> None:
        """Look again and again until stopped; raises what the service raises, except that the store is away."""
        while not self._stopped.is_set():
            # Cleared before the look: what was rung for during it may have been committed too late to be seen.
            self._rung.clear()
            began = self._clock.monotonic()
            try:
                delay = await self._service.look()
            except (StoreUnavailableError, ConflictError) as error:
                await _wait(self._stopped, self._backoff(error))
            else:
                self._recovered()
                if await _wait(self._rung, delay) and delay > 0:
                    await _wait(self._stopped, began + self._service.spacing_seconds - self._clock.monotonic())

    def _backoff(self, error: RepositoryError) -> float:
        if self._failures == 0:
            logger.warning("service stands by", service=self.name, error=str(error))
        first, longest = (0.05, 1.0) if isinstance(error, ConflictError) else (0.25, 10.0)
        seconds = min(longest, first * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return seconds * self._random.uniform(0.5, 1.0)

    def _recovered(self) -> None:
        self._last_look = self._clock.monotonic()
        if self._failures:
            logger.info("service works again", service=self.name, failures=self._failures)
            self._failures = 0


def seconds_to_next_look(taken: int, limit: int, to_next: float | None, longest: float) -> float:
    """How long to wait after `taken` of at most `limit`, when the next is due in `to_next` seconds (None: never).

    >>> [seconds_to_next_look(taken, 10, to_next, 5.0) for taken, to_next in ((10, None), (3, 0.0), (3, None))]
    [0.0, 0.0, 5.0]
    """
    if taken >= limit:
        return 0.0
    if to_next is None:
        return longest
    if to_next <= 0:
        return 0.0 if taken else min(_HELD_ELSEWHERE_SECONDS, longest)
    return min(to_next + _CLOCK_MARGIN_SECONDS, longest)


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event came within `seconds`; others get their turn in any case."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return event.is_set()
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
