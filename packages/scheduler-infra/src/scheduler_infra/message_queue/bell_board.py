"""The bells of one process: who listens at which address, in one event loop."""

import asyncio
import contextlib
from collections.abc import Iterable


class LoopBell:
    """A bell that is rung and heard in the same event loop."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._connected = False

    @property
    def is_connected(self) -> bool:
        """Whether rings can reach this bell now."""
        return self._connected

    def ring(self) -> None:
        """Wake the listener, or its next wait."""
        self._rung.set()

    def connect(self) -> None:
        """Rings can reach the bell from now on; rings once, because others may have been missed."""
        self._connected = True
        self._rung.set()

    def disconnect(self) -> None:
        """The bell is silent until it is connected again."""
        self._connected = False

    async def wait(self, timeout_seconds: float) -> bool:
        """Return True at a ring, False after the time-out; clears the bell either way, but not when cancelled."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._rung.wait()
        # Asked again, because a ring may have come together with the time-out.
        rung = self._rung.is_set()
        self._rung.clear()
        return rung


class BellBoard:
    """All bells of one message queue by address; not thread-safe."""

    def __init__(self) -> None:
        self._bells: dict[str, set[LoopBell]] = {}
        self._connected: set[str] = set()

    @property
    def addresses(self) -> frozenset[str]:
        """The addresses at which somebody listens."""
        return frozenset(self._bells)

    def add(self, address: str) -> LoopBell:
        """Hang up a bell at an address."""
        bell = LoopBell()
        self._bells.setdefault(address, set()).add(bell)
        if address in self._connected:
            bell.connect()
        return bell

    def remove(self, address: str, bell: LoopBell) -> None:
        """Take a bell down; an address without bells is forgotten."""
        bell.disconnect()
        bells = self._bells[address]
        bells.discard(bell)
        if not bells:
            del self._bells[address]

    def ring(self, address: str) -> None:
        """Ring every bell at an address; an address where nobody listens is harmless."""
        for bell in self._bells.get(address, ()):
            bell.ring()

    def set_connected(self, addresses: Iterable[str]) -> None:
        """Say which addresses can be reached now: those that could not before ring once."""
        reachable = set(addresses)
        before, self._connected = self._connected, reachable
        for address in before - reachable:
            for bell in self._bells.get(address, ()):
                bell.disconnect()
        for address in reachable - before:
            for bell in self._bells.get(address, ()):
                bell.connect()
