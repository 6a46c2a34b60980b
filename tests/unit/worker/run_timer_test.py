"""The clock of an attempt."""

import asyncio
from collections.abc import Callable
from functools import partial

from fixtures.worker import eventually
from scheduler_worker.run_timer import RunTimer, RunTimers


def started(*alarms: tuple[float, Callable[[], object]]) -> RunTimer:
    """A timer of its own."""
    return RunTimers().start(alarms)


async def test_run_timer_calls_each_alarm_once_in_order() -> None:
    """Alarms come in the order of their times, each once."""
    rung: list[str] = []
    timer = started((0.03, lambda: rung.append("late")), (0.01, lambda: rung.append("early")))

    await eventually(lambda: len(rung) == 2)

    timer.pause()
    timer.resume()
    await asyncio.sleep(0.05)
    assert rung == ["early", "late"]


async def test_run_timer_stands_still_while_paused() -> None:
    """What passes during a pause does not count, and what had passed before still does."""
    rung: list[str] = []
    timer = started((0.05, lambda: rung.append("alarm")))
    timer.pause()
    before = timer.seconds

    await asyncio.sleep(0.1)

    assert (rung, timer.seconds) == ([], before)
    timer.resume()
    await eventually(lambda: rung == ["alarm"])
    assert timer.seconds >= 0.05


async def test_run_timer_is_silent_after_its_stop() -> None:
    """A run that has ended is not stopped any more, not even by a resume that comes late."""
    rung: list[str] = []
    timer = started((0.01, lambda: rung.append("alarm")))
    timer.pause()

    timer.stop()
    timer.resume()

    await asyncio.sleep(0.03)
    assert rung == []


async def test_run_timer_rings_whenever_it_was_started() -> None:
    """Alarms that are set later than their timers were started come at their times, whichever were paused meanwhile."""
    timers = RunTimers()
    rung: list[str] = []
    long, paused, ended = (timers.start([(0.2, partial(rung.append, name))]) for name in ("long", "paused", "ended"))
    paused.pause()
    ended.stop()

    await eventually(lambda: rung == ["long"])

    assert long.seconds >= 0.2
    assert timers.start([(0.15, lambda: rung.append("next"))]).seconds < 0.15
    await eventually(lambda: rung == ["long", "next"])
    paused.resume()
    await eventually(lambda: rung == ["long", "next", "paused"])
