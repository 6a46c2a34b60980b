"""The minute at which all schedules fall due."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers.due import due_time, next_minute


@given(st.integers(0, 4_000_000_000_000).map(lambda milliseconds: milliseconds / 1000))
def test_benchmarks_unit_the_next_minute_is_full_and_less_than_a_minute_away(moment: float) -> None:
    """And never in the past, which would have every schedule missed."""
    found = next_minute(moment)
    assert found % 60 == 0
    assert 0 <= found - moment < 60


def test_benchmarks_unit_schedules_name_the_due_minute_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the zone of the machine is: systems are run in UTC."""
    monkeypatch.setenv("PEER_DUE", "1764186240")
    assert due_time() == datetime(2025, 11, 26, 19, 44, tzinfo=UTC)
