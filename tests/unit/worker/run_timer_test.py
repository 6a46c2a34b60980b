"""The clock of an attempt."""

import asyncio

from fixtures.worker import eventually
from scheduler_worker.run_timer import RunTimer


async def test_run_timer_calls_each_alarm_once_in_order() -> None:
    """Alarms come in the order of their times, each once; one without a time never comes."""
    rung: list[str] = []
    timer = RunTimer(
        (0.03, lambda: rung.append("late")), (0.01, lambda: rung.append("early")), (None, lambda: rung.append("never"))
    )

    await eventually(lambda: len(rung) == 2)

    timer.pause()
    timer.resume()
    await asyncio.sleep(0.05)
    assert rung == ["early", "late"]


async def test_run_timer_stands_still_while_paused() -> None:
    """What passes during a pause does not count, and what had passed before still does."""
    rung: list[str] = []
    timer = RunTimer((0.05, lambda: rung.append("alarm")))
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
    timer = RunTimer((0.01, lambda: rung.append("alarm")))
    timer.pause()

    timer.stop()
    timer.resume()

    await asyncio.sleep(0.03)
    assert rung == []
