"""What a python function may know of the run it is called in, tell about it, and ask for."""

import math
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar

from scheduler_core.interfaces import RunContext
from scheduler_core.models import RunProgress
from scheduler_worker.run_asks import FailRun, RetryLater, RunStopped, SkipRun

__all__ = [
    "FailRun",
    "RetryLater",
    "RunStopped",
    "SkipRun",
    "check_stop",
    "current_run",
    "report_progress",
    "stop_requested",
    "wait_for_stop",
]

_TEXT_CHARS_MAX = 1000
_METRICS_MAX = 50
_NAME_CHARS_MAX = 100

_making_event = threading.Lock()


class StopToken:
    """Whether a run is to end; may be set and asked from any thread, and is never taken back."""

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        # Made for who waits: it costs as much as all else that a run that does nothing needs of this.
        self._event: threading.Event | None = None

    def set(self) -> None:
        """The run is to end."""
        self._is_set = True
        if self._event is not None:
            self._event.set()

    def is_set(self) -> bool:
        """Whether the run is to end."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Whether the run is to end, as soon as it is, at the latest after `seconds`."""
        with _making_event:
            event = self._event = self._event or threading.Event()
        # Asked after the event is there: whoever sets it from now on finds it.
        return self._is_set or event.wait(seconds)


class RunLink:
    """What connects a function with its run, whichever way it is called.

    `is_watched`: the function has asked whether it is to end, so that it need not be interrupted.
    """

    __slots__ = ("context", "is_watched", "report", "token")

    def __init__(self, context: RunContext, token: StopToken, report: Callable[[RunProgress], None]) -> None:
        self.context = context
        self.token = token
        self.report = report
        self.is_watched = False


_link: ContextVar[RunLink | None] = ContextVar("scheduler_current_run", default=None)
_link_of_process: RunLink | None = None


def current_run() -> RunContext | None:
    """What the worker tells a python function of its run; None outside of a run.

    In a child process every thread sees it, elsewhere only those that were given the function's context.
    """
    link = _current()
    return None if link is None else link.context


def report_progress(share: float | None = None, text: str | None = None, **metrics: float) -> None:
    """Show how far the run is: how much is done (0 to 1), a text, numbers by name; outside of a run it does nothing.

    What is left out stays as it was reported before. ValueError for what cannot be shown. The text is cut after 1000
    characters.
    """
    if share is not None and not (isinstance(share, int | float) and 0 <= share <= 1):
        raise ValueError(f"share is {share!r:.80}. Report how much is done as a number from 0 to 1")
    if len(metrics) > _METRICS_MAX:
        raise ValueError(f"{len(metrics)} metrics are reported at once. Report at most {_METRICS_MAX}")
    for name, value in metrics.items():
        if len(name) > _NAME_CHARS_MAX:
            raise ValueError(
                f"the metric {name:.40}… has a name of {len(name)} characters. Use {_NAME_CHARS_MAX} at most"
            )
        if not _is_finite(value):
            raise ValueError(f"the metric {name} is {_shown(value)}. Report finite numbers")
    link = _current()
    if link is not None:
        shown = None if text is None else str(text)[:_TEXT_CHARS_MAX]
        numbers = {name: float(value) for name, value in metrics.items()}
        link.report(RunProgress(share=None if share is None else float(share), text=shown, metrics=numbers))


def stop_requested() -> bool:
    """Whether the run is to end, because of a cancel or a time-out, soft or hard; False outside of a run.

    A function in a child process that has asked once is not interrupted by SIGTERM: it is to end by itself.
    """
    link = _watched()
    return link is not None and link.token.is_set()


def check_stop() -> None:
    """Raise RunStopped if the run is to end."""
    if stop_requested():
        raise RunStopped


def wait_for_stop(seconds: float) -> bool:
    """Sleep, and say whether the run is to end, at once when it is. Not for coroutines: it blocks."""
    link = _watched()
    if link is None:
        time.sleep(seconds)
        return False
    return link.token.wait(seconds)


def enter_run(link: RunLink) -> None:
    """Make this the run of the calling task or thread, and of what inherits its context."""
    _link.set(link)


def enter_run_in_process(link: RunLink | None) -> None:
    """Make this the run of every thread of this process that has none of its own."""
    global _link_of_process
    _link_of_process = link


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _shown(value: object) -> str:
    try:
        return f"{value!r:.80}"
    except ValueError:  # Python writes out no integer of that many digits
        return "too large"


def _current() -> RunLink | None:
    return _link.get() or _link_of_process


def _watched() -> RunLink | None:
    link = _current()
    if link is not None:
        link.is_watched = True
    return link
