"""The time that one attempt may take: a clock that can be stopped."""

import asyncio
from collections.abc import Callable


class RunTimer:
    """Calls back when an attempt has executed for so long; time stands still while it is paused.

    Each callback comes once, in the event loop that made the timer, and none after `stop`.
    """

    __slots__ = ("_alarms", "_handles", "_loop", "_passed", "_started_at")

    def __init__(self, *alarms: tuple[float | None, Callable[[], None]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._alarms = [(seconds, call) for seconds, call in alarms if seconds is not None]
        self._handles: list[asyncio.TimerHandle] = []
        self._passed = 0.0
        self._started_at: float | None = None
        self.resume()

    @property
    def seconds(self) -> float:
        """How long it has executed so far."""
        return self._passed + (0.0 if self._started_at is None else self._loop.time() - self._started_at)

    def pause(self) -> None:
        """No time passes from now on."""
        self._passed, self._started_at = self.seconds, None
        self._cancel()

    def resume(self) -> None:
        """Time goes on."""
        if self._started_at is None:
            self._started_at = self._loop.time()
            self._handles = [
                self._loop.call_later(seconds - self._passed, self._ring, (seconds, call))
                for seconds, call in self._alarms
            ]

    def stop(self) -> None:
        """Nothing is called any more."""
        self._alarms = []
        self._cancel()

    def _ring(self, alarm: tuple[float, Callable[[], None]]) -> None:
        if alarm in self._alarms:
            self._alarms.remove(alarm)
            alarm[1]()

    def _cancel(self) -> None:
        for handle in self._handles:
            handle.cancel()
        self._handles = []
