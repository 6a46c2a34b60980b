"""The text of an RFC 5545 recurrence rule, read and checked part by part."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from dateutil import rrule as dateutil_rrule

COUNT_MAX = 10_000
INTERVAL_MAX = 100_000
STEP_SECONDS = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}
"""Frequencies that step within a day, in seconds."""

_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NUMBERS = {
    "BYSECOND": (0, 59),
    "BYMINUTE": (0, 59),
    "BYHOUR": (0, 23),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYMONTH": (1, 12),
    "BYSETPOS": (-366, 366),
}
_WEEKDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")


class RecurrenceProblem(ValueError):  # noqa: N818  a sentence about a text, not a failure
    """What is wrong with a rule's text."""


class RecurrenceText(msgspec.Struct, frozen=True):
    """What a text says; `options` are the BY parts and WKST as dateutil takes them. Times are on the wall."""

    begins_at: datetime | None
    frequency: str
    interval: int
    until: datetime | None
    count: int | None
    options: dict[str, Any]


def read_recurrence(text: str, *, has_beginning: bool) -> RecurrenceText:
    """Read a rule; raises RecurrenceProblem with a sentence naming part and value.

    `has_beginning` says that one is known from elsewhere: COUNT needs it.
    """
    begins_at, parts = _read(text)
    interval = _whole("INTERVAL", parts.get("INTERVAL", "1"), 1, INTERVAL_MAX)
    until = _wall("UNTIL", parts["UNTIL"]) if "UNTIL" in parts else None
    options = _options(parts)
    _check(parts, has_start=has_beginning or begins_at is not None)
    count = _whole("COUNT", parts["COUNT"], 1, COUNT_MAX) if "COUNT" in parts else None
    return RecurrenceText(begins_at, parts["FREQ"], interval, until, count, options)


def _read(text: str) -> tuple[datetime | None, dict[str, str]]:
    start: datetime | None = None
    rule: str | None = None
    for line in text.replace("\\n", "\n").split():
        name, colon, value = line.partition(":")
        upper = name.upper()
        if upper.startswith("DTSTART"):
            if ";" in upper:
                raise RecurrenceProblem(f"'{line[:100]}' names a zone: put it into the field timezone.")
            start = _wall("DTSTART", value)
        elif upper in ("EXDATE", "RDATE", "EXRULE") or upper.partition(";")[0] in ("EXDATE", "RDATE"):
            raise RecurrenceProblem(f"{upper.partition(';')[0]} is not supported. Use pauses, or any of several rules.")
        elif colon and upper != "RRULE":
            raise RecurrenceProblem(
                f"'{name[:50]}' is not known here. Write DTSTART: and RRULE: lines, or the rule alone."
            )
        elif rule is not None:
            raise RecurrenceProblem("There is more than one rule. Use any of several schedules.")
        else:
            rule = value if colon else line
    if not rule:
        raise RecurrenceProblem("The rule is empty. Write one such as FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9.")
    return start, _parts(rule)


def _parts(rule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rule.upper().rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise RecurrenceProblem(f"'{part[:50]}' is no part of a rule: parts are NAME=VALUE, with ; between.")
        if name in parts:
            raise RecurrenceProblem(f"{name} is given twice.")
        if name not in (*_NUMBERS, "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"):
            raise RecurrenceProblem(f"'{name[:50]}' is no part of a rule (RFC 5545, 3.3.10).")
        parts[name] = value
    if parts.get("FREQ") not in _FREQUENCIES:
        raise RecurrenceProblem(f"FREQ is one of {', '.join(_FREQUENCIES)}, not '{parts.get('FREQ', '')[:50]}'.")
    return parts


def _options(parts: Mapping[str, str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, (low, high) in _NUMBERS.items():
        if name in parts:
            options[name.lower()] = _numbers(name, parts[name], low, high)
    if "BYDAY" in parts:
        options["byweekday"] = tuple(_weekday(term) for term in parts["BYDAY"].split(","))
    if "WKST" in parts:
        if parts["WKST"] not in _DAYS:
            raise RecurrenceProblem(f"WKST is one of {', '.join(_DAYS)}, not '{parts['WKST'][:20]}'.")
        options["wkst"] = _DAYS.index(parts["WKST"])
    return options


def _check(parts: Mapping[str, str], *, has_start: bool) -> None:
    frequency = parts["FREQ"]
    if "COUNT" in parts and "UNTIL" in parts:
        raise RecurrenceProblem("COUNT and UNTIL exclude each other. Remove one of them.")
    if "COUNT" in parts and not has_start:
        raise RecurrenceProblem("COUNT needs a beginning: give DTSTART before the rule, or valid_from.")
    if "BYSETPOS" in parts and frequency in STEP_SECONDS:
        raise RecurrenceProblem(f"BYSETPOS does not go with FREQ={frequency}. Name the times with BYHOUR and BYMINUTE.")
    forbidden = {"BYYEARDAY": ("WEEKLY", "DAILY", "MONTHLY"), "BYMONTHDAY": ("WEEKLY",)}
    for name, frequencies in forbidden.items():
        if name in parts and frequency in frequencies:
            raise RecurrenceProblem(f"{name} does not go with FREQ={frequency} (RFC 5545, 3.3.10).")
    if "BYWEEKNO" in parts and frequency != "YEARLY":
        raise RecurrenceProblem(f"BYWEEKNO goes with FREQ=YEARLY only, not with {frequency}.")
    if frequency not in ("YEARLY", "MONTHLY") and any(
        match is not None and match[1] for match in map(_WEEKDAY.fullmatch, parts.get("BYDAY", "").split(","))
    ):
        raise RecurrenceProblem(f"A number before a weekday goes with FREQ=MONTHLY or YEARLY, not with {frequency}.")


def _whole(name: str, text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text[:12]) <= high:
        raise RecurrenceProblem(f"{name} is a whole number from {low} to {high}, not '{text[:20]}'.")
    return int(text)


def _numbers(name: str, text: str, low: int, high: int) -> tuple[int, ...]:
    numbers = []
    for term in text.split(","):
        if not re.fullmatch(r"[+-]?\d{1,3}", term) or not low <= int(term) <= high or (low < 0 and int(term) == 0):
            raise RecurrenceProblem(f"{name} is a list of numbers from {low} to {high}, not '{text[:50]}'.")
        numbers.append(int(term))
    return tuple(numbers)


def _weekday(term: str) -> Any:
    match = _WEEKDAY.fullmatch(term)
    if match is None or (match[1] and not 1 <= abs(int(match[1])) <= 53):
        raise RecurrenceProblem(
            f"BYDAY is a list of {', '.join(_DAYS)}, with a number before as in 2MO, not '{term[:20]}'."
        )
    day = dateutil_rrule.weekday(_DAYS.index(match[2]))
    return day(int(match[1])) if match[1] else day


def _wall(name: str, text: str) -> datetime:
    upper = text.upper()
    if upper.endswith("Z"):
        remedy = "use valid_until for an instant" if name == "UNTIL" else "the field timezone names the zone"
        raise RecurrenceProblem(f"{name} is local time in the schedule's zone, without Z, not '{text[:30]}'; {remedy}.")
    for form in ("%Y%m%dT%H%M%S", "%Y%m%d"):
        try:
            found = datetime.strptime(upper, form)  # noqa: DTZ007  a wall-clock time
        except ValueError:
            continue
        if not 1970 <= found.year <= 9000:
            raise RecurrenceProblem(f"{name}: the year {found.year} is out of reach. Use 1970 to 9000.")
        # A day alone as an end includes that day.
        return found + timedelta(days=1, seconds=-1) if form == "%Y%m%d" and name == "UNTIL" else found
    raise RecurrenceProblem(f"{name} is a time such as 20270131T090000, not '{text[:30]}'.")
