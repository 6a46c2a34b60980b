"""Schedules of bodies and task files into the value that core computes with: types first, then every rule of core."""

import re
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from scheduler_api.schemas.object_reader import kind_of, read_object
from scheduler_api.schemas.schedule_schema import PauseBody, RuleBody, ScheduleBody
from scheduler_core.decisions.duration_text import parse_duration
from scheduler_core.decisions.schedule_check import RULES, check_schedule
from scheduler_core.decisions.schedule_text import read_schedule_text
from scheduler_core.errors import InvalidInputError, Problem
from scheduler_core.models import PauseWindow, Schedule

_DEFAULT_TIMEZONE = "UTC"
_ZONE_PREFIX = re.compile(r"\s*CRON_TZ=(\S*)\s+(.*)", re.DOTALL)
# Without one of these the rest is judged as something else than it was meant to be.
_PARTS = frozenset({*RULES, "from", "until", "lasts"})


class ReadSchedule(NamedTuple):
    """A schedule, and everything that is wrong with it; None when there is none, or nothing of it could be read."""

    schedule: Schedule | None
    problems: list[Problem]


def read_schedule(document: Any, timezone: str | None = None, field: str = "schedule") -> ReadSchedule:
    """Read the text form or the structured form; `timezone` is the one that stands beside it.

    >>> schedule, problems = read_schedule({"every": "15m"})
    >>> schedule.every, problems
    (900, [])
    >>> [tuple(problem) for problem in read_schedule({"every": "15 parsecs"}).problems][0][0]
    'schedule.every'
    """
    if document is None:
        return ReadSchedule(None, timezone_problems(timezone))
    if isinstance(document, str):
        try:
            schedule = read_schedule_text(document, timezone, field)
        except InvalidInputError as error:
            return ReadSchedule(None, list(error.problems))
        return ReadSchedule(schedule, check_schedule(schedule, field))
    if not isinstance(document, dict):
        message = f"A schedule is text such as '0 3 * * *', an object, or null, not {kind_of(document)}."
        return ReadSchedule(None, [Problem(field, message)])
    values, problems = read_object(document, ScheduleBody, path=f"{field}.")
    reading = _Reading(problems)
    schedule = reading.schedule(values, timezone, field)
    told = [problem.field for problem in problems]
    problems += [problem for problem in check_schedule(schedule, field) if not _follows(problem.field, told)]
    return ReadSchedule(schedule, problems)


def timezone_problems(timezone: str | None) -> list[Problem]:
    """What is wrong with a time zone that stands alone."""
    if timezone is None:
        return []
    found = check_schedule(Schedule(cron="@daily", timezone=timezone))
    return [Problem("timezone", problem.message) for problem in found]


def in_timezone(schedule: Schedule, timezone: str) -> Schedule:
    """The same schedule in another zone, with those of its rules that were in its own."""
    rules = schedule.any and tuple(
        msgspec.structs.replace(rule, timezone=timezone) if rule.timezone == schedule.timezone else rule
        for rule in schedule.any
    )
    return msgspec.structs.replace(schedule, timezone=timezone, any=rules)


class _Reading:
    """Turns the fields that could be read into values and adds what cannot be used to the problems."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems

    def schedule(self, values: dict[str, Any], beside: str | None, field: str) -> Schedule:
        given = ScheduleBody(**values)
        cron, timezone = self._zone(given, field, beside, _DEFAULT_TIMEZONE)
        rules = None
        if given.any is not None:
            rules = tuple(self._rule(each, timezone, f"{field}.any.{place}") for place, each in enumerate(given.any))
        return Schedule(
            cron=cron,
            timezone=timezone,
            at=self._instant(given.at, f"{field}.at"),
            every=self._seconds(given.every, f"{field}.every"),
            after_end=self._seconds(given.after_end, f"{field}.after_end"),
            rrule=given.rrule,
            any=rules,
            on_gap=given.on_gap,
            on_overlap=given.on_overlap,
            valid_from=self._instant(given.valid_from, f"{field}.valid_from"),
            valid_until=self._instant(given.valid_until, f"{field}.valid_until"),
            jitter=self._seconds(given.jitter, f"{field}.jitter") or 0,
            pauses=tuple(
                self._pause(pause, f"{field}.pauses.{index}") for index, pause in enumerate(given.pauses or ())
            ),
        )

    def _rule(self, given: RuleBody, timezone: str, field: str) -> Schedule:
        cron, timezone = self._zone(given, field, None, timezone)
        return Schedule(
            cron=cron,
            timezone=timezone,
            at=self._instant(given.at, f"{field}.at"),
            every=self._seconds(given.every, f"{field}.every"),
            rrule=given.rrule,
            on_gap=given.on_gap,
            on_overlap=given.on_overlap,
        )

    def _pause(self, given: PauseBody, field: str) -> PauseWindow:
        return PauseWindow(
            starts_at=self._instant(given.starts_at, f"{field}.from"),
            until=self._instant(given.until, f"{field}.until"),
            cron=given.cron,
            lasts=self._seconds(given.lasts, f"{field}.lasts"),
        )

    def _zone(
        self, given: ScheduleBody | RuleBody, field: str, beside: str | None, default: str
    ) -> tuple[str | None, str]:
        """The cron text without its zone, and the zone; those that disagree are told with both their places."""
        cron, named = given.cron, None
        if given.cron is not None and (match := _ZONE_PREFIX.fullmatch(given.cron)):
            named, cron = match.groups()
        zones = [
            (place, zone)
            for place, zone in (
                (f"CRON_TZ in {field}.cron", named),
                (f"{field}.timezone", given.timezone),
                ("timezone", beside),
            )
            if zone is not None
        ]
        for place, zone in zones[1:]:
            if zone != zones[0][1]:
                told = f"{zones[0][0]} is '{zones[0][1][:50]}', {place} is '{zone[:50]}'. Give one."
                self._problems.append(Problem(place, told))
        return cron, zones[0][1] if zones else default

    def _instant(self, given: datetime | None, field: str) -> datetime | None:
        if given is None or 1970 <= given.year <= 9000:
            return given
        self._problems.append(Problem(field, f"The year {given.year} is out of reach. Use 1970 to 9000."))
        return None

    def _seconds(self, given: int | str | None, field: str) -> int | None:
        if not isinstance(given, str):
            return given
        try:
            return parse_duration(given)
        except ValueError as error:
            self._problems.append(Problem(field, str(error)))
            return None


def _follows(field: str, told: list[str]) -> bool:
    """Whether what a rule says of a field only follows from what could not be read: of itself, or of its parts."""
    for unread in told:
        if field == unread or field.startswith(f"{unread}."):
            return True
        if unread.startswith(f"{field}.") and unread.removeprefix(f"{field}.").partition(".")[0] in _PARTS:
            return True
    return False
