"""What a store must know of the dispatchers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class DispatcherRepository(Protocol):
    """Which dispatchers there are: each keeps its own row fresh, and others read from it that one is there."""

    async def begin(self, hostname: str, pid: int, version: str, now: datetime | None = None) -> int:
        """Say that a dispatcher has started; returns its id."""

    async def seen(
        self,
        dispatcher_id: int,
        queue_error: str | None,
        now: datetime | None = None,
        *,
        strategy: str | None = None,
        strategies: Sequence[str] | None = None,
    ) -> bool:
        """Say that it is there, and what is wrong with its message queue; False when its row is gone.

        `strategy` is its default one, `strategies` are all that it knows, None: as it said before.
        """

    async def end(self, dispatcher_id: int, now: datetime | None = None) -> None:
        """Say that it has stopped."""

    async def prune(self, older_than_seconds: float = 86400.0, now: datetime | None = None) -> int:
        """Forget dispatchers that ended, or were last seen, longer ago; returns how many."""
