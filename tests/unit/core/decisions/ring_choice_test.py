"""Rings go to as many different sessions as are of use, and to no more."""

from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.ring_choice import FreeSession, choose_sessions
from scheduler_core.models import Lane

A, B, C = (Lane("default", name) for name in ("a", "b", "c"))
BOTH = frozenset({A, B})


def test_choose_sessions_spreads_a_burst_and_takes_the_emptiest() -> None:
    """As many sessions as runs, those with the most places."""
    sessions = [FreeSession(number, places, BOTH) for number, places in ((1, 1), (2, 9), (3, 5))]
    assert choose_sessions({A: 2}, sessions) == [2, 3]
    assert choose_sessions({A: 50}, sessions) == [2, 3, 1]


def test_choose_sessions_does_not_ring_one_place_for_two_lanes() -> None:
    """Two lanes with a run each go to two sessions, though one of them is the emptiest for both."""
    assert sorted(choose_sessions({A: 1, B: 1}, [FreeSession(1, 2, BOTH), FreeSession(2, 1, BOTH)])) == [1, 2]


def test_choose_sessions_lets_the_lane_with_least_choice_choose_first() -> None:
    """The only session of one lane is not spent on another lane that has others."""
    only_a, both = FreeSession(1, 1, frozenset({A})), FreeSession(2, 1, BOTH)
    assert sorted(choose_sessions({A: 1, B: 1}, [both, only_a])) == [1, 2]
    assert sorted(choose_sessions({B: 1, A: 1}, [both, only_a])) == [1, 2]


def test_choose_sessions_without_a_place_rings_nobody() -> None:
    """Runs that nobody can take, or for which no place is left, cost no ring."""
    assert choose_sessions({C: 5}, [FreeSession(1, 9, BOTH)]) == []
    assert choose_sessions({A: 5}, [FreeSession(1, 0, BOTH)]) == []
    assert choose_sessions({A: 3, B: 3}, [FreeSession(1, 2, BOTH)]) == [1]


lanes = st.sampled_from([A, B, C])


@given(
    st.dictionaries(lanes, st.integers(1, 20)),
    st.lists(st.tuples(st.integers(0, 10), st.frozensets(lanes, min_size=1)), max_size=12),
)
def test_choose_sessions_rings_nobody_twice_or_in_vain(
    wanted: dict[Lane, int], drawn: list[tuple[int, frozenset[Lane]]]
) -> None:
    """Whatever there is: no session twice, none without a place or a lane, no more than runs; all, if runs abound."""
    sessions = [FreeSession(number, places, able) for number, (places, able) in enumerate(drawn)]
    chosen = choose_sessions(wanted, sessions)
    useful = {each.session_id for each in sessions if each.places and each.lanes & wanted.keys()}
    assert len(set(chosen)) == len(chosen) <= sum(wanted.values())
    assert set(chosen) <= useful
    for lane in wanted:
        able = {each.session_id for each in sessions if each.places and lane in each.lanes}
        assert len(able & set(chosen)) >= min(len(able), 1)
    if all(runs >= sum(each.places for each in sessions) for runs in wanted.values()):
        assert set(chosen) == useful
