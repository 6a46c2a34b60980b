"""The figures of dispatch in a short form: shares, limits while workers are killed, and what is answered holds."""

import pytest

from benchmarks import dispatch


@pytest.mark.timeout(120)
def test_fair_shares_follow_the_weights() -> None:
    """When half of the runs have ended, each tenant's share is its weight's, to within the window."""
    figures = dispatch.fairness(runs_each=84, seconds=0.01)
    counts = figures["counts"]
    assert sum(counts.values()) == 126
    # Of 126 runs 18, 36 and 72 are due; a window of eight and seven running ones are on their way.
    assert abs(counts["a"] - 18) <= 5, figures
    assert abs(counts["b"] - 36) <= 6, figures
    assert abs(counts["c"] - 72) <= 8, figures


@pytest.mark.timeout(180)
def test_limits_hold_while_workers_are_killed() -> None:
    """By the record of all attempts no key ran more than two at once, and no window has too many starts."""
    figures = dispatch.limits(runs=150, kills=3)
    assert figures["runs"] == {"COMPLETED": 150}
    assert figures["kills"] > 0
    assert figures["most_at_once"] == 2
    assert figures["windows_over_rate"] == 0


@pytest.mark.timeout(180)
def test_pauses_and_lowered_limits_hold_from_their_answer_on() -> None:
    """Nothing starts under the old rule once the change is answered."""
    assert dispatch.changes(rounds=2, runs=3000)["starts_under_old_rule"] == 0
