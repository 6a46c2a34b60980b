"""A dispatcher's own row: others read from it that one is there, whether rings reach it, and how it chooses workers."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from scheduler_core.errors import MessageQueueError, RepositoryError
from scheduler_core.interfaces import Clock, MessageQueue, Store, UnitOfWork
from scheduler_dispatcher.strategies.registry import Strategies

_SECONDS: Final = 5.0
_CHECK_SECONDS_MAX: Final = 2.0
_PRUNE_SECONDS: Final = 3600.0


class PresenceService:
    """Keeps the row fresh every five seconds, and forgets dispatchers that are long gone."""

    name = "presence"
    spacing_seconds = 0.25

    def __init__(self, store: Store, queue: MessageQueue, clock: Clock, strategies: Callable[[], Strategies]) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._strategies = strategies
        self._id: int | None = None
        self._next_sign = clock.monotonic()
        self._next_prune = clock.monotonic()

    async def look(self) -> float:
        """Say that this dispatcher is there, where that is due; see Service."""
        now = self._clock.monotonic()
        if now < self._next_sign:
            # A ring is for the other services.
            return self._next_sign - now
        queue_error = await self._queue_error()
        async with self._store.autocommit() as work:
            if self._id is None or not await self._is_seen(work, self._id, queue_error):
                self._id = await work.dispatchers.begin(socket.gethostname(), os.getpid(), _own_version())
                await self._is_seen(work, self._id, queue_error)
            if now >= self._next_prune:
                await work.dispatchers.prune()
                self._next_prune = now + _PRUNE_SECONDS
        self._next_sign = now + _SECONDS
        return _SECONDS

    async def end(self) -> None:
        """Say that it has stopped. Never raises for a store that is away: its silence will tell."""
        if self._id is not None:
            with suppress(RepositoryError):
                async with self._store.autocommit() as work:
                    await work.dispatchers.end(self._id)

    async def _is_seen(self, work: UnitOfWork, dispatcher_id: int, queue_error: str | None) -> bool:
        known = self._strategies()
        return await work.dispatchers.seen(
            dispatcher_id, queue_error, strategy=known.default_name, strategies=known.names
        )

    async def _queue_error(self) -> str | None:
        """What is wrong with the message queue; it is asked only when it does not seem to be connected."""
        if self._queue.is_connected:
            return None
        try:
            async with asyncio.timeout(_CHECK_SECONDS_MAX):
                await self._queue.check()
        except MessageQueueError as error:
            return str(error)
        except TimeoutError:
            return f"No answer within {_CHECK_SECONDS_MAX:g} s."
        return None


def _own_version() -> str:
    try:
        return version("scheduler-dispatcher")
    except PackageNotFoundError:
        return "0"
