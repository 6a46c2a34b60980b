"""Moments as people type them, and the range of time between two of them; for every command with --from and --to."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from scheduler_api.client.client_error import UsageError
from scheduler_core.errors import Problem

_REMEDY = "Write a date (2027-01-31), an instant (2027-01-31T09:00:00+03:00), now, today, or one from now (-1d, +12h)."
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_FROM_NOW = re.compile(r"(?:now)?\s*([+-])\s*(\S+)", re.IGNORECASE)


class TimeRange(NamedTuple):
    """The instants from `start` to `end`, the end excluded; both in UTC."""

    start: datetime
    end: datetime


def parse_moment(text: str, now: datetime) -> datetime:
    """The instant that is meant, in UTC; dates and times without an offset are UTC. Raises ValueError with the remedy.

    >>> now = datetime(2027, 1, 31, 12, tzinfo=UTC)
    >>> [parse_moment(each, now).isoformat() for each in ("2027-01-31", "-1d12h", "tomorrow")]
    ['2027-01-31T00:00:00+00:00', '2027-01-30T00:00:00+00:00', '2027-02-01T00:00:00+00:00']
    """
    word = text.strip()
    if word.lower() == "now":
        return now
    try:
        instant = _read(word, now)
    except (ValueError, OverflowError):
        raise ValueError(f"'{text[:50]}' is no moment. {_REMEDY}") from None
    if not 1970 <= instant.year <= 9000:
        raise ValueError(f"'{text[:50]}' is out of reach. Use the years 1970 to 9000.")
    return instant


def read_time_range(start: str, end: str | None, now: datetime) -> TimeRange:
    """What --from and --to mean, one day without --to; raises UsageError naming the flag, its value and the remedy."""
    problems = []
    moments = []
    for flag, text in (("--from", start), ("--to", end)):
        if text is None:
            continue
        try:
            moments.append(parse_moment(text, now))
        except ValueError as error:
            problems.append(Problem(flag, str(error)))
    if problems:
        raise UsageError(problems)
    if end is None:
        return TimeRange(moments[0], moments[0] + timedelta(days=1))
    if moments[0] >= moments[1]:
        told = "the same instant as" if moments[0] == moments[1] else "after"
        raise UsageError(
            [
                Problem(
                    "--from",
                    f"'{start[:50]}' ({_shown(moments[0])}) is {told} --to '{end[:50]}' ({_shown(moments[1])}). "
                    "Give a --to that is later.",
                )
            ]
        )
    return TimeRange(*moments)


def _shown(instant: datetime) -> str:
    return instant.isoformat(sep=" ", timespec="seconds")


def _read(word: str, now: datetime) -> datetime:
    from scheduler_core.decisions.duration_text import parse_duration

    if word.lower() in _DAYS:
        return datetime.combine(now.date() + timedelta(days=_DAYS[word.lower()]), time(), UTC)
    if match := _FROM_NOW.fullmatch(word):
        length = timedelta(seconds=parse_duration(match[2]))
        return now + length if match[1] == "+" else now - length
    if re.fullmatch(r"\d{4}-\d\d-\d\d", word):
        return datetime.combine(date.fromisoformat(word), time(), UTC)
    instant = datetime.fromisoformat(word)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
