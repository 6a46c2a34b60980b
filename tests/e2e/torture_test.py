"""`make torture` in a short form: the same sections, a few faults of each; every figure of theirs has to hold.

Frozen workers, RabbitMQ's outages and kills of dispatchers have short forms of their own in the tests beside this one.
"""

import time
from collections.abc import Callable

import pytest

from torture.crashes import crash_figures, crash_points
from torture.kills import worker_figures, worker_kills
from torture.postgresql import postgresql_figures, postgresql_stops
from torture.replies import KINDS, commit_replies, reply_figures
from torture.rolling import rolling_figures, rolling_restart
from torture.round import Figure, Tally, Turn

_SECONDS = 40.0


def _assert_holds(
    play: Callable[[Turn], Tally],
    figures: Callable[[Tally], list[Figure]],
    cycles: int,
    seed: int = 7,
    seconds: float = _SECONDS,
) -> Tally:
    tally = play(Turn(seed, cycles, time.monotonic() + seconds))
    assert tally.violations == []
    assert tally.cycles == cycles
    assert [figure for figure in figures(tally) if not figure.holds] == []
    return tally


@pytest.mark.timeout(180)
def test_killed_workers_lose_no_run() -> None:
    """What killed workers held is started again, once for each loss."""
    tally = _assert_holds(worker_kills, worker_figures, 4)
    assert tally.count("losses") > 0


@pytest.mark.timeout(180)
def test_stopped_postgresql_loses_nothing_that_was_answered() -> None:
    """Calls, runs and slots are all there after it was stopped at once."""
    _assert_holds(postgresql_stops, postgresql_figures, 2)


@pytest.mark.timeout(180)
def test_dropped_answers_have_no_double_effect() -> None:
    """Claims, grants, finishes, slots and creates whose answer is lost happen once, and no run is stuck for it."""
    # Grants are the rarest: on a busy machine they take the longest to come by.
    tally = _assert_holds(commit_replies, reply_figures, 42, seconds=100)
    assert [tally.count(f"dropped {kind}") for kind in KINDS] == [6] * len(KINDS)


@pytest.mark.timeout(180)
def test_crashes_at_points_of_flows_break_no_promise() -> None:
    """A part that ends where a statement of its own passes leaves nothing half done."""
    tally = crash_points(Turn(7, 5, time.monotonic() + _SECONDS), flows=["single-plain", "chosen", "limited"])
    assert tally.violations == []
    assert tally.cycles > 0
    assert all(figure.holds for figure in crash_figures(tally))


@pytest.mark.timeout(180)
def test_replaced_workers_count_nothing_against_runs() -> None:
    """A rolling restart under load has no failure, no loss and no exit but 0."""
    _assert_holds(lambda turn: rolling_restart(turn, workers=3), rolling_figures, 3)
