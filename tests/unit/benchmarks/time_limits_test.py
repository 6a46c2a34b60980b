"""How benchmarks are made to end."""

import contextlib
import signal

import pytest

from benchmarks.time_limits import TimeIsUpError, time_limit


def test_benchmarks_unit_what_takes_too_long_is_ended_past_all_that_catches_errors() -> None:
    """Contexts are left as for an interrupt, and the alarm of others is as it was."""
    before = signal.getsignal(signal.SIGALRM)
    left: list[str] = []

    def take_for_ever() -> None:
        with contextlib.ExitStack() as stack, time_limit(0.01):
            stack.callback(left.append, "left")
            while True:
                with contextlib.suppress(Exception):
                    signal.pause()

    with pytest.raises(TimeIsUpError):
        take_for_ever()
    assert left == ["left"]
    assert signal.getsignal(signal.SIGALRM) == before


def test_benchmarks_unit_what_is_done_in_time_is_not_ended_later() -> None:
    """No alarm is left behind."""
    with time_limit(60):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
