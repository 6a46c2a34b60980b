"""Moments and ranges of time as they are typed."""

from datetime import UTC, datetime

import pytest

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.time_range import TimeRange, parse_moment, read_time_range

NOW = datetime(2027, 1, 31, 12, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", NOW),
        (" NOW ", NOW),
        ("today", datetime(2027, 1, 31, tzinfo=UTC)),
        ("yesterday", datetime(2027, 1, 30, tzinfo=UTC)),
        ("+7d", datetime(2027, 2, 7, 12, 30, 15, tzinfo=UTC)),
        ("now-1h30m", datetime(2027, 1, 31, 11, 0, 15, tzinfo=UTC)),
        ("-90", datetime(2027, 1, 31, 12, 28, 45, tzinfo=UTC)),
        ("2027-02-01", datetime(2027, 2, 1, tzinfo=UTC)),
        ("2027-02-01T09:00", datetime(2027, 2, 1, 9, tzinfo=UTC)),
        ("2027-02-01 09:00:00+03:00", datetime(2027, 2, 1, 6, tzinfo=UTC)),
        ("2027-02-01T09:00:00Z", datetime(2027, 2, 1, 9, tzinfo=UTC)),
    ],
)
def test_parse_moment_takes_dates_instants_and_lengths(text: str, moment: datetime) -> None:
    """Each way to write a moment means one instant, in UTC where no offset is written."""
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize(
    "text", ["", "soon", "+", "+x", "2027-02-30", "7d", "-999999999w", "0001-01-01", "9999-12-31T23:00:00-05:00"]
)
def test_parse_moment_refuses_with_a_remedy(text: str) -> None:
    """What is no moment is named, with what could be written instead."""
    with pytest.raises(ValueError, match=r"Write a date|Use the years"):
        parse_moment(text, NOW)


def test_read_time_range_is_half_open_in_utc() -> None:
    """A range goes from one instant to a later one, a day later unless told otherwise."""
    assert read_time_range("2027-02-01", None, NOW).end == datetime(2027, 2, 2, tzinfo=UTC)
    assert read_time_range("now", "+1d", NOW) == TimeRange(NOW, datetime(2027, 2, 1, 12, 30, 15, tzinfo=UTC))


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("2027-02-02", "2027-02-01", "is after --to '2027-02-01'"),
        ("today", "2027-01-31", "is the same instant as --to '2027-01-31'"),
    ],
)
def test_read_time_range_refuses_an_empty_range(start: str, end: str, told: str) -> None:
    """A range that ends before it begins, or at once, is refused with both values and the remedy."""
    with pytest.raises(UsageError, match=told) as caught:
        read_time_range(start, end, NOW)
    assert "later" in str(caught.value)


def test_read_time_range_tells_both_flags_at_once() -> None:
    """One attempt shows all that is wrong."""
    with pytest.raises(UsageError) as caught:
        read_time_range("soon", "later", NOW)
    assert [problem.field for problem in caught.value.problems] == ["--from", "--to"]
