"""The time of this machine."""

import asyncio
import time
from datetime import UTC, datetime

from scheduler_core.interfaces import Clock


class SystemClock(Clock):
    """The clock that every component gets outside of tests."""

    def now(self) -> datetime:
        """The wall clock, in UTC with its zone: for display and logs only."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of monotonic time."""
        await asyncio.sleep(seconds)
