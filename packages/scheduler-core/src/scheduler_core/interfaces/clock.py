"""Time as an argument."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Where a component gets its time from; due times and leases are judged by the database's clock instead."""

    def now(self) -> datetime:
        """The wall clock, in UTC with its zone: for display and logs only."""

    def monotonic(self) -> float:
        """Seconds that never go back: for durations, time-outs and trust in a lease."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of monotonic time."""
