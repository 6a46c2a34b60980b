"""Benchmarks end by themselves, and end what they have started, whatever makes them end."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class TimeIsUpError(KeyboardInterrupt):
    """Something has taken too long. Like an interrupt: nothing on the way catches it, and everything is ended."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeIsUpError in the main thread, which has to be the caller's, when the block takes longer."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise TimeIsUpError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def hear_signals() -> None:
    """The first signal to end raises SystemExit, so that contexts end their processes; more of them are not heard."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        for each in _ENDING:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    for each in _ENDING:
        signal.signal(each, end)
