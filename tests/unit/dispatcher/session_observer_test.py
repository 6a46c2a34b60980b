"""When a worker session is lost."""

from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.models import SessionSighting
from scheduler_dispatcher.session_observer import SessionObserver


def sighting(renewals: int, *, expired: bool, session_id: int = 1) -> SessionSighting:
    """A session with a lease of 30 seconds."""
    return SessionSighting(session_id, f"worker-{session_id}", renewals, 30.0, expired)


def test_observe_needs_a_whole_lease_of_its_own_time() -> None:
    """A lease that the database calls expired is not enough: the observer must have watched it for a lease."""
    observer = SessionObserver()
    assert observer.observe([sighting(5, expired=True)], 0.0, 0.1) == []
    assert observer.observe([sighting(5, expired=True)], 30.0, 30.1) == []
    assert observer.observe([sighting(5, expired=True)], 30.1, 30.2) == [1]


def test_observe_spares_a_session_that_renews() -> None:
    """A step of the database's clock makes leases look expired; whoever still renews keeps its runs."""
    observer = SessionObserver()
    for second in range(0, 300, 10):
        assert observer.observe([sighting(second // 10, expired=True)], float(second), float(second)) == []


def test_observe_spares_a_session_whose_lease_runs() -> None:
    """A dispatcher that was frozen sees a counter stand still; the database's clock says that the lease runs."""
    observer = SessionObserver()
    observer.observe([sighting(5, expired=False)], 0.0, 0.0)
    assert observer.observe([sighting(5, expired=False)], 1000.0, 1000.0) == []


def test_observe_counts_a_slow_answer_against_itself() -> None:
    """A first look that took a minute does not count as a minute of stillness."""
    observer = SessionObserver()
    observer.observe([sighting(5, expired=True)], 0.0, 60.0)
    assert observer.observe([sighting(5, expired=True)], 61.0, 61.0) == []
    assert observer.observe([sighting(5, expired=True)], 90.0, 90.0) == [1]


def test_observe_forgets_sessions_that_are_gone() -> None:
    """A session that ended and appears again is watched from the beginning."""
    observer = SessionObserver()
    observer.observe([sighting(5, expired=True)], 0.0, 0.0)
    observer.observe([], 10.0, 10.0)
    assert observer.observe([sighting(5, expired=True)], 100.0, 100.0) == []


def test_seconds_to_verdict_is_the_rest_of_the_shortest_stillness() -> None:
    """The next verdict can fall when the first session has stood still for its lease."""
    observer = SessionObserver()
    assert observer.seconds_to_verdict([], 0.0) is None
    both = [sighting(1, expired=False), sighting(1, expired=False, session_id=2)]
    observer.observe(both[:1], 0.0, 0.0)
    observer.observe(both, 10.0, 10.0)
    assert observer.seconds_to_verdict(both, 12.0) == 18.0
    assert observer.seconds_to_verdict(both, 99.0) == 0.0


@given(st.lists(st.tuples(st.floats(0.1, 20), st.booleans(), st.booleans()), max_size=60))
def test_observe_never_loses_a_session_that_renewed_within_its_lease(steps: list[tuple[float, bool, bool]]) -> None:
    """Whatever the database's clock claims, only a counter that stood still for a whole lease is a loss."""
    observer, now, renewals, renewed_at = SessionObserver(), 0.0, 0, 0.0
    for seconds, renews, expired in steps:
        now += seconds
        if renews:
            renewals, renewed_at = renewals + 1, now
        lost = observer.observe([sighting(renewals, expired=expired)], now, now)
        assert not lost or (expired and now - renewed_at >= 30.0)
