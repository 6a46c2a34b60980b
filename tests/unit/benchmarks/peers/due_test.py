"""The minute at which all schedules fall due."""

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers.due import next_minute


@given(st.integers(0, 4_000_000_000_000).map(lambda milliseconds: milliseconds / 1000))
def test_benchmarks_unit_the_next_minute_is_full_and_less_than_a_minute_away(moment: float) -> None:
    """And never in the past, which would have every schedule missed."""
    found = next_minute(moment)
    assert found % 60 == 0
    assert 0 <= found - moment < 60
