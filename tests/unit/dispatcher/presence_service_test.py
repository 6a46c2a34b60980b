"""A dispatcher says that it is there."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from fixtures.clock import FrozenClock
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from scheduler_core.errors import MessageQueueUnavailableError, StoreUnavailableError
from scheduler_core.interfaces import Store
from scheduler_dispatcher.presence_service import PresenceService
from scheduler_dispatcher.strategies.registry import Strategies

STRATEGIES = Strategies({}, {"mine": ["absent"]})


class SilentQueue(InMemoryMessageQueue):
    """A message queue that is not connected, and that a check finds away or not."""

    error: MessageQueueUnavailableError | None = None

    @property
    def is_connected(self) -> bool:
        """Never."""
        return False

    async def check(self) -> None:
        """Raise the error, if there is one."""
        if self.error:
            raise self.error


class Rows:
    """The dispatchers' table, and what was done with it."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.is_there = True
        self.is_away = False
        self.told: tuple[str, list[str]] | None = None

    @property
    def dispatchers(self) -> "Rows":
        """Itself."""
        return self

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator["Rows"]:
        """Itself, unless the store is away."""
        if self.is_away:
            raise StoreUnavailableError("away")
        yield self

    async def begin(self, hostname: str, pid: int, version: str) -> int:
        """A new row."""
        assert hostname
        assert pid > 0
        assert version
        self.is_there = True
        self.log.append("begin")
        return len(self.log)

    async def seen(
        self, dispatcher_id: int, queue_error: str | None, *, strategy: str, strategies: Sequence[str]
    ) -> bool:
        """Whether the row is there."""
        self.log.append(("seen", queue_error))
        self.told = (strategy, list(strategies))
        return self.is_there

    async def end(self, dispatcher_id: int) -> None:
        """The row's end."""
        self.log.append("end")

    async def prune(self) -> int:
        """Old rows go."""
        self.log.append("prune")
        return 0


def build_service() -> tuple[PresenceService, Rows, FrozenClock, SilentQueue]:
    """A service on a table, with a clock that is set by hand."""
    rows, clock, queue = Rows(), FrozenClock(), SilentQueue()
    return PresenceService(cast(Store, rows), queue, clock, lambda: STRATEGIES), rows, clock, queue


async def test_dispatcher_unit_presence_is_told_every_five_seconds() -> None:
    """The row is made once and kept fresh; rings for other services between make it write nothing."""
    service, rows, clock, _ = build_service()
    assert await service.look() == 5.0
    clock.advance(2)
    assert await service.look() == 3.0
    clock.advance(3)
    assert await service.look() == 5.0
    await service.end()
    assert rows.log == ["begin", ("seen", None), "prune", ("seen", None), "end"]


async def test_dispatcher_unit_presence_tells_what_is_wrong_with_the_queue() -> None:
    """What a check of the message queue says stands in the row until it is well again."""
    service, rows, clock, queue = build_service()
    queue.error = MessageQueueUnavailableError("The broker is away.")
    await service.look()
    queue.error = None
    clock.advance(5)
    await service.look()
    assert [entry for entry in rows.log if isinstance(entry, tuple)] == [
        ("seen", "The broker is away."),
        ("seen", None),
    ]


async def test_dispatcher_unit_presence_begins_anew_when_its_row_is_gone() -> None:
    """A dispatcher that was frozen for days and is forgotten gets a new row."""
    service, rows, clock, _ = build_service()
    await service.look()
    rows.is_there = False
    clock.advance(5)
    await service.look()
    assert rows.log.count("begin") == 2


async def test_dispatcher_unit_presence_ends_quietly_without_a_store() -> None:
    """A store that is away at the end is no failure: the silence tells. Nor is an end before the first look."""
    service, rows, _, _ = build_service()
    await service.end()
    await service.look()
    rows.is_away = True
    await service.end()
    assert "end" not in rows.log


async def test_dispatcher_unit_presence_tells_how_workers_are_chosen() -> None:
    """The row says which strategy decides by default, and all that tasks may name; one found broken is none of them."""
    service, rows, clock, _ = build_service()
    await service.look()
    assert rows.told == ("shared", ["mine"])
    assert STRATEGIES.get("mine") is None
    clock.advance(5)
    await service.look()
    assert rows.told == ("shared", [])
