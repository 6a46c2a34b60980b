"""The figures of dispatch in a short form: shares, limits while workers are killed, and what is answered holds."""

import pytest

from benchmarks.dispatch_claims import head, parked
from benchmarks.dispatch_limits import AT_ONCE, changes, limits, successor
from benchmarks.dispatch_shares import GUARANTEED, background, fairness
from benchmarks.dispatch_strategies import strategies


@pytest.mark.timeout(120)
def test_fair_shares_follow_the_weights() -> None:
    """When half of the runs have ended, each tenant's share is its weight's, to within the window."""
    figures = fairness(runs_each=84, seconds=0.01)
    counts = figures["counts"]
    assert sum(counts.values()) == 126
    # Of 126 runs 18, 36 and 72 are due; a window of eight and seven running ones are on their way.
    assert abs(counts["a"] - 18) <= 5, figures
    assert abs(counts["b"] - 36) <= 6, figures
    assert abs(counts["c"] - 72) <= 8, figures


@pytest.mark.timeout(180)
def test_limits_hold_while_workers_are_killed() -> None:
    """By the record of all attempts no key ran more than two at once, and no window has too many starts."""
    figures = limits(runs=450, kills=4)
    assert figures["runs"] == {"COMPLETED": 450}
    assert figures["kills"] > 0
    assert figures["most_at_once"] == figures["most_at_once_by_lines"] == AT_ONCE
    # A kill may come between two runs.
    assert figures["starts_by_lines"] >= 450 + figures["killed_by_lines"]
    assert figures["windows_over_rate"] == 0


@pytest.mark.timeout(180)
def test_pauses_and_lowered_limits_hold_from_their_answer_on() -> None:
    """Nothing starts under the old rule once the change is answered, although it did until then."""
    figures = changes(rounds=3)
    assert figures["starts_before_each"] > 0
    assert figures["starts_under_old_rule"] == 0


@pytest.mark.timeout(180)
def test_a_background_batch_keeps_to_its_share() -> None:
    """Live runs start at most one run's duration later beside it, and under full load it has what is guaranteed."""
    figures = background(batch=600, seconds=5.0, job=0.3, backlog=400)
    assert figures["raised_by_run_durations"] <= 1, figures
    # One of ten places, of which a second one is held ready; some 160 runs end meanwhile.
    assert 0.8 * GUARANTEED <= figures["share_under_full_load"] <= 2.2 * GUARANTEED, figures


@pytest.mark.timeout(120)
def test_claims_do_not_read_what_nobody_takes() -> None:
    """A claim behind 20,000 runs of another type touches hardly more blocks than one on an empty queue."""
    empty, behind = head(runs=20_000, claims=100)["blocks"]
    assert behind <= 1.25 * empty


@pytest.mark.timeout(120)
def test_claims_do_not_read_what_is_parked() -> None:
    """Nor does one beside gated runs that wait for a worker with their tag, while others of many tenants go on."""
    figures = parked(runs=3000, tenants=150, claims=100, looks=5)
    empty, beside = figures["blocks"]
    assert beside <= 1.25 * empty
    assert figures["streams"] == 150


@pytest.mark.timeout(180)
def test_every_strategy_completes_its_runs_and_uses_all_workers() -> None:
    """Whatever chooses, all runs complete; in turns, by load and by chance each worker gets some."""
    figures = strategies(runs=1000, workers=4, repeat=1)
    for name in ("round_robin", "least_loaded", "power_of_two", "random"):
        assert figures["workers_used"][name] == 4, figures
    assert figures["fewest_of_a_worker"]["round_robin"] >= 100, figures


@pytest.mark.timeout(120)
def test_the_next_run_of_a_key_needs_no_poll() -> None:
    """The end of a run lets the next one of its key start by a ring: all are done though nobody looks by itself."""
    never = {f"SCHEDULER_{part}__POLL_INTERVAL_SECONDS": "600" for part in ("DISPATCHER", "WORKER")}
    assert successor(runs=20, settings=never)["runs"] == 20
