"""Doorbells between processes."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from scheduler_core.models import CommitRing


class Bell(Protocol):
    """One listener's bell. Rings that come while nobody waits are kept as one."""

    async def wait(self, timeout_seconds: float) -> bool:
        """Return True at a ring, False after the time-out; clears the bell either way.

        It never raises for a lost connection: the bell is then silent until it is back, and rings once after
        each reconnection, because rings may have been missed.
        """

    @property
    def is_connected(self) -> bool:
        """Whether rings can reach this bell now."""


class MessageQueue(Protocol):
    """Rings between processes: disposable, without content, and never the only way to learn of work.

    Addresses are `models.DISPATCHERS` (each ring wakes at least one listener) or `models.session_address(id)`.
    """

    place: str
    """What kind of broker it is and where, for people; without secrets."""

    @property
    def commit_ring(self) -> CommitRing | None:
        """How the store rings in place of this queue; None where rings do not travel by the store's own database."""

    def listen(self, address: str) -> AbstractAsyncContextManager[Bell]:
        """Listen at an address until the context is left. Entering returns at once, connected or not."""

    async def ring(self, addresses: Sequence[str]) -> None:
        """Ring each address once. Does not raise, wait for or retry a broker that is away: the ring is lost."""

    @property
    def is_connected(self) -> bool:
        """Whether a ring sent now would reach the broker, as far as is known."""

    async def check(self) -> None:
        """Return if the broker answers; raise MessageQueueUnavailableError with the reason if not."""

    async def close(self) -> None:
        """Give back connections and threads; rings after this are lost."""
