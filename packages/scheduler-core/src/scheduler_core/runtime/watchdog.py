"""Tells the service manager that this process works, as long as it does."""

import logging
from collections.abc import Sequence
from typing import Final

from scheduler_core.interfaces import Clock, Component, WatchedComponent
from scheduler_core.runtime.service_manager import ServiceManager

logger = logging.getLogger("scheduler.runtime")

_LOOKS_PER_PERIOD: Final = 4
"""So that three looks in a row have to fail before the service manager acts."""


class Watchdog:
    """Looks at the components in the loop that they share: a loop that is blocked tells nothing by itself."""

    def __init__(self, components: Sequence[Component], manager: ServiceManager, clock: Clock) -> None:
        self._watched = [each for each in components if isinstance(each, WatchedComponent)]
        self._manager = manager
        self._clock = clock

    async def run(self) -> None:
        """Look again and again until cancelled; returns at once where nobody watches."""
        if self._manager.watchdog_seconds is None:
            return
        while True:
            self.look()
            await self._clock.sleep(self._manager.watchdog_seconds / _LOOKS_PER_PERIOD)

    def look(self) -> None:
        """Tell that all is well, unless it is not."""
        idle = [each.name for each in self._watched if not each.is_working()]
        if idle:
            logger.error("watchdog not told: %s does not work", ", ".join(idle))
        else:
            self._manager.tell_alive()
