"""What is held here against what the database says."""

from fixtures.worker import build_claimed
from scheduler_core.models import HeldRun, RunKey
from scheduler_worker.live_runs import LiveRuns


def claimed_into(live_runs: LiveRuns, run_id: int, now: float = 10.0) -> None:
    """A claim with its reply."""
    live_runs.claim_started()
    live_runs.add(build_claimed(run_id), now)
    live_runs.claim_ended()


def test_compare_finds_nothing_when_both_agree() -> None:
    """A run that both sides know is left alone."""
    live_runs = LiveRuns()
    claimed_into(live_runs, 1)

    assert live_runs.compare([HeldRun(1, 1, False)], 20.0) == ([], [], [], [], [])


def test_compare_hands_back_at_the_second_sighting() -> None:
    """A row that nobody here holds is handed back after two renewals, not after one."""
    live_runs = LiveRuns()

    assert live_runs.compare([HeldRun(1, 1, False)], 20.0).to_hand_back == []
    assert live_runs.compare([HeldRun(1, 1, False)], 30.0).to_hand_back == [RunKey(1, 1)]


def test_compare_hands_back_at_once_after_an_ambiguous_error() -> None:
    """When no claim can be under way an unknown row is handed back at its first sighting."""
    assert LiveRuns().compare([HeldRun(1, 1, False)], 20.0, at_once=True).to_hand_back == [RunKey(1, 1)]


def test_compare_waits_for_a_claim_that_is_under_way() -> None:
    """A row whose claim has not been answered yet is not handed back, however often it is seen."""
    live_runs = LiveRuns()
    live_runs.claim_started()

    for _ in range(3):
        assert live_runs.compare([HeldRun(1, 1, False)], 20.0).to_hand_back == []

    live_runs.claim_ended()
    assert live_runs.compare([HeldRun(1, 1, False)], 30.0).to_hand_back == [RunKey(1, 1)]


def test_compare_is_not_held_up_by_later_claims() -> None:
    """A claim that began after the first sighting says nothing about that row."""
    live_runs = LiveRuns()
    live_runs.compare([HeldRun(1, 1, False)], 20.0)
    live_runs.claim_started()

    assert live_runs.compare([HeldRun(1, 1, False)], 30.0).to_hand_back == [RunKey(1, 1)]


def test_compare_forgets_rows_that_are_gone() -> None:
    """A row that was unknown once and gone the next time counts anew."""
    live_runs = LiveRuns()
    live_runs.compare([HeldRun(1, 1, False)], 20.0)
    live_runs.compare([], 30.0)

    assert live_runs.compare([HeldRun(1, 1, False)], 40.0).to_hand_back == []


def test_compare_kills_what_the_database_no_longer_lists() -> None:
    """A run that was taken away is killed; one that was claimed after the renewal was sent is not."""
    live_runs = LiveRuns()
    claimed_into(live_runs, 1, now=10.0)
    claimed_into(live_runs, 2, now=25.0)

    differences = live_runs.compare([], 20.0)

    assert [live.claimed.id for live in differences.to_kill] == [1]


def test_compare_leaves_runs_that_are_being_reported() -> None:
    """A run whose report is on its way may be gone from the list or still be in it: both are fine."""
    live_runs = LiveRuns()
    claimed_into(live_runs, 1)
    live = live_runs.get(1)
    assert live is not None
    live_runs.ended(live)

    assert live_runs.compare([], 20.0) == ([], [], [], [], [])
    assert live_runs.compare([HeldRun(1, 1, True)], 20.0) == ([], [], [], [], [])


def test_compare_tells_cancels() -> None:
    """A flagged run is to be cancelled."""
    live_runs = LiveRuns()
    claimed_into(live_runs, 1)

    assert [live.claimed.id for live in live_runs.compare([HeldRun(1, 1, True)], 20.0).to_cancel] == [1]


def test_compare_sees_another_attempt_as_another_run() -> None:
    """A later attempt in the database is unknown here, and the one held here was taken away."""
    live_runs = LiveRuns()
    claimed_into(live_runs, 1)

    differences = live_runs.compare([HeldRun(1, 2, False)], 20.0, at_once=True)

    assert [live.claimed.id for live in differences.to_kill] == [1]
    assert differences.to_hand_back == [RunKey(1, 2)]


def test_executing_counts_each_run_once() -> None:
    """The count of executing runs survives every order of ending and removing."""
    live_runs = LiveRuns()
    claimed_into(live_runs, 1)
    claimed_into(live_runs, 2)
    first = live_runs.get(1)
    assert first is not None

    live_runs.ended(first)
    live_runs.ended(first)
    live_runs.remove(first.key)
    live_runs.remove(RunKey(2, 99))

    assert (live_runs.executing, len(live_runs)) == (1, 1)


def test_compare_tells_who_is_to_stand_still_and_who_to_go_on() -> None:
    """Only runs whose state differs from the wish are told, and none that is being stopped."""
    live_runs = LiveRuns()
    for run_id in (1, 2, 3, 4):
        claimed_into(live_runs, run_id)
    lives = {live.claimed.id: live for live in live_runs}
    lives[2].is_paused = lives[3].is_paused = True

    wishes = {1: True, 2: False, 3: True, 4: True}
    rows = [HeldRun(run_id, 1, run_id == 4, wish) for run_id, wish in wishes.items()]
    differences = live_runs.compare(rows, 20.0)

    assert (differences.to_pause, differences.to_resume) == ([lives[1]], [lives[2]])
    assert differences.to_cancel == [lives[4]]
