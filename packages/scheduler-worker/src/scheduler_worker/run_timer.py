"""The time that one attempt may take: a clock that can be stopped."""

import asyncio
from collections.abc import Callable, Sequence

Alarm = tuple[float, Callable[[], object]]
"""After how many seconds of executing what is called."""

_FRESH_SECONDS = 0.1


class RunTimer:
    """Calls back when an attempt has executed for so long; time stands still while it is paused.

    Each callback comes once, in the event loop that made the timer, and none after `stop`.
    """

    __slots__ = ("_alarms", "_handles", "_loop", "_passed", "_started_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, alarms: Sequence[Alarm]) -> None:
        self._loop = loop
        self._alarms = list(alarms)
        self._handles: list[asyncio.TimerHandle] | None = None
        self._passed = 0.0
        self._started_at: float | None = loop.time()

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
            self.set_alarms()

    def stop(self) -> None:
        """Nothing is called any more."""
        self._alarms.clear()
        self._cancel()

    def set_alarms(self) -> None:
        """See to it that the loop calls in time; without it nothing is called."""
        if self._handles is None and self._started_at is not None:
            self._handles = [
                self._loop.call_at(self._started_at + alarm[0] - self._passed, self._ring, alarm)
                for alarm in self._alarms
            ]

    def _ring(self, alarm: Alarm) -> None:
        if alarm in self._alarms:
            self._alarms.remove(alarm)
            alarm[1]()

    def _cancel(self) -> None:
        for handle in self._handles or ():
            handle.cancel()
        self._handles = None


class RunTimers:
    """Starts timers. Those whose runs end at once cost no alarm: it is set after a moment, for all that go on by then.

    All of them belong to one event loop, the one that is running when the first is started.
    """

    def __init__(self) -> None:
        self._fresh: list[RunTimer] = []

    def start(self, alarms: Sequence[Alarm]) -> RunTimer:
        """A timer that runs from now on."""
        loop = asyncio.get_running_loop()
        timer = RunTimer(loop, alarms)
        if any(seconds <= _FRESH_SECONDS for seconds, _ in alarms):
            timer.set_alarms()
        elif alarms:
            if not self._fresh:
                loop.call_later(_FRESH_SECONDS / 2, self._set_alarms)
            self._fresh.append(timer)
        return timer

    def _set_alarms(self) -> None:
        fresh, self._fresh = self._fresh, []
        for timer in fresh:
            timer.set_alarms()
