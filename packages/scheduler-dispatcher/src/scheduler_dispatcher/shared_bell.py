"""One listener at the dispatchers' address for all services of this process."""

from collections.abc import Sequence

from scheduler_core.interfaces import MessageQueue
from scheduler_core.models import DISPATCHERS
from scheduler_dispatcher.service_loop import ServiceLoop

# Rings carry nothing, so hearing one late costs nothing but latency; this only bounds a single wait.
_WAIT_SECONDS = 60.0


class SharedBell:
    """Passes each ring on to every loop: who rings does not say what for."""

    def __init__(self, queue: MessageQueue, loops: Sequence[ServiceLoop]) -> None:
        self._queue = queue
        self._loops = loops

    async def run(self) -> None:
        """Listen until cancelled."""
        async with self._queue.listen(DISPATCHERS) as bell:
            while True:
                if await bell.wait(_WAIT_SECONDS):
                    for loop in self._loops:
                        loop.ring()
