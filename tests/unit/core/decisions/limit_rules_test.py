"""Permits: all or none, in order, and never more starts than a token bucket lets through."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.limit_rules import capacity, grant, headroom, is_idle, seconds_to_start, tokens_at
from scheduler_core.models import LimitKeyState

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def key(key_id: int = 1, **changes: object) -> LimitKeyState:
    """A key at noon."""
    return msgspec.structs.replace(LimitKeyState(id=key_id, now=NOON), **changes)


def test_core_unit_grant_gives_all_permits_or_none() -> None:
    """A run that lacks one of its permits takes none of the others with it, and holds up nobody."""
    keys = {1: key(1, concurrent=1), 2: key(2, concurrent=1, running=1)}
    grants = grant([(10, (1, 2)), (11, (1,)), (12, (1,)), (13, (9,))], keys)
    assert (grants.granted, grants.refused) == ((11, 13), (10, 12))
    assert grants.tokens == {}


def test_core_unit_grant_leaves_those_behind_the_last_it_may_grant_as_they_are() -> None:
    """Who is refused before does not count, and who comes after is neither granted nor refused."""
    keys = {1: key(1, concurrent=9), 2: key(2, concurrent=1, running=1)}
    grants = grant([(10, (2,)), (11, (1,)), (12, (1,)), (13, (2,))], keys, at_most=1)
    assert (grants.granted, grants.refused) == ((11,), (10,))
    assert grant([(10, (2,)), (11, (1,))], keys, at_most=0) == ((), (), {})


def test_core_unit_a_key_is_idle_once_nothing_runs_and_its_bucket_is_full() -> None:
    """Then it may be forgotten: it would come back as it is."""
    drained = key(rate=2, rate_seconds=10.0, burst=3, tokens=1.0, refilled_at=NOON - timedelta(seconds=9))
    assert not is_idle(drained)
    assert is_idle(msgspec.structs.replace(drained, now=NOON + timedelta(seconds=1)))
    assert is_idle(key(concurrent=1))
    assert not is_idle(key(concurrent=2, running=1))


def test_core_unit_grant_draws_from_every_rate_of_a_run() -> None:
    """What is left is told of each rate that was drawn from, filled up to now first."""
    quiet = key(1, rate=2, rate_seconds=10.0, tokens=0.5, refilled_at=NOON - timedelta(seconds=5))
    grants = grant([(1, (1, 2)), (2, (1,))], {1: quiet, 2: key(2, rate=5, burst=3)})
    assert (grants.granted, grants.refused) == ((1,), (2,))
    assert grants.tokens == {1: 0.5, 2: 2.0}


def test_core_unit_tokens_are_never_more_than_the_burst_and_a_clock_set_back_fills_none() -> None:
    """However long nothing started, and whatever the clock does."""
    full = key(rate=100, rate_seconds=60.0, burst=20, tokens=0.0, refilled_at=NOON - timedelta(days=1))
    assert tokens_at(full, NOON) == capacity(full) == 20
    ahead = key(rate=100, rate_seconds=60.0, tokens=3.0, refilled_at=NOON + timedelta(hours=1))
    assert tokens_at(ahead, NOON) == 3.0


def test_core_unit_headroom_is_the_least_of_what_bounds_it() -> None:
    """Places, starts, or nothing at all; a limit that was lowered below what runs leaves none."""
    assert headroom(key(concurrent=3, running=5)) == 0
    assert headroom(key(concurrent=5, running=2, rate=9, tokens=1.9, refilled_at=NOON)) == 1
    assert headroom(key()) == float("inf")


def test_core_unit_seconds_to_start_counts_what_will_start_before() -> None:
    """Half a start is left of one in ten seconds: five more for the first, ten more for each that goes before."""
    slow = key(rate=1, rate_seconds=10.0, burst=4, tokens=0.5, refilled_at=NOON)
    assert seconds_to_start(slow) == 5.0
    assert seconds_to_start(slow, already=1) == 15.0
    assert seconds_to_start(key(rate=1, tokens=1.0, refilled_at=NOON)) is None
    assert seconds_to_start(key(concurrent=1, running=1)) is None


@given(
    rate=st.integers(1, 50),
    rate_seconds=st.sampled_from([0.5, 1.0, 7.0, 60.0]),
    burst=st.integers(1, 30),
    gaps=st.lists(st.floats(0, 20), min_size=1, max_size=60),
)
def test_core_unit_no_window_has_more_starts_than_burst_and_rate(
    rate: int, rate_seconds: float, burst: int, gaps: list[float]
) -> None:
    """Greedy claims at any instants: each stretch of T seconds has at most burst + rate x T / rate_seconds starts."""
    state = key(rate=rate, rate_seconds=rate_seconds, burst=burst)
    starts: list[float] = []
    elapsed = 0.0
    for number, gap in enumerate(gaps):
        elapsed += gap
        now = NOON + timedelta(seconds=elapsed)
        state = msgspec.structs.replace(state, now=now)
        grants = grant([(number * 100 + each, (1,)) for each in range(40)], {1: state})
        starts += [elapsed] * len(grants.granted)
        if grants.tokens:
            state = msgspec.structs.replace(state, tokens=grants.tokens[1], refilled_at=now)
    for first in range(len(starts)):
        for last in range(first, len(starts)):
            stretch = starts[last] - starts[first]
            # Instants are whole microseconds, so a stretch may be shorter by one than it was.
            assert last - first + 1 <= burst + rate * (stretch + 2e-6) / rate_seconds + 1e-6
