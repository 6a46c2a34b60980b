"""Whether a schedule can be accepted. Every problem is told at once."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from scheduler_core.decisions.cron_pattern import cron_problem
from scheduler_core.decisions.due_rule import instant_in
from scheduler_core.decisions.duration_text import duration_text
from scheduler_core.decisions.recurrence_pattern import recurrence_problem
from scheduler_core.decisions.schedule_rules import shortest_period, slots_between
from scheduler_core.decisions.time_zone import find_zone, unknown_zone_message
from scheduler_core.errors import Problem
from scheduler_core.models import OnGap, PauseWindow, Schedule

RULES = ("cron", "every", "after_end", "at", "rrule", "any")
SECONDS_MAX = 10 * 366 * 86_400
MEMBERS_MAX = 20
PAUSES_MAX = 50


def check_schedule(schedule: Schedule, field: str = "schedule") -> list[Problem]:
    """Everything that is wrong with a schedule; empty when it is fine.

    >>> check_schedule(Schedule(cron="0 3 * * *", timezone="Europe/Berlin"))
    []
    >>> check_schedule(Schedule(cron="0 3 31 2 *"))[0].message
    "No date matches: day of month '31' does not exist in month '2'."
    """
    problems = [*_check_rule(schedule, field), *_check_dst_rules(schedule, field), *_check_times(schedule, field)]
    problems += _check_pauses(schedule, field)
    if schedule.any is not None:
        problems += _check_members(schedule.any, field)
    # Slots can be computed only where everything that leads to them is right.
    return problems or [*_check_validity(schedule, field), *_check_jitter(schedule, field)]


def _check_rule(schedule: Schedule, field: str) -> Iterator[Problem]:
    given = [name for name in RULES if getattr(schedule, name) is not None]
    if not given:
        yield Problem(
            field,
            "A schedule needs a rule: cron (such as '*/5 * * * *'), every, after_end, at (one instant), rrule or any.",
        )
    elif len(given) > 1:
        yield Problem(
            field,
            f"A schedule has one rule, here it has {' and '.join(given)}. Keep one of them, or put both into any.",
        )
    if schedule.cron is not None and (problem := cron_problem(schedule.cron)):
        yield Problem(f"{field}.cron", problem)
    for name in ("every", "after_end"):
        seconds = getattr(schedule, name)
        if seconds is not None and not 0 < seconds <= SECONDS_MAX:
            yield Problem(
                f"{field}.{name}", f"{name} is from 1s to {duration_text(SECONDS_MAX)}, not {seconds} seconds."
            )
    if find_zone(schedule.timezone) is None:
        yield Problem(f"{field}.timezone", unknown_zone_message(schedule.timezone))
    elif schedule.rrule is not None:
        begins = _wall_of(schedule.valid_from)
        if problem := recurrence_problem(schedule.rrule, begins):
            yield Problem(f"{field}.rrule", problem)


def _wall_of(time: datetime | None) -> datetime | None:
    """Some beginning, for a check that does not depend on which."""
    return None if time is None else time.replace(tzinfo=None, microsecond=0)


def _check_dst_rules(schedule: Schedule, field: str) -> Iterator[Problem]:
    for name in ("on_gap", "on_overlap"):
        if getattr(schedule, name) is None:
            continue
        if schedule.any is not None:
            yield Problem(f"{field}.{name}", f"{name} belongs to the schedules of any, each by itself. Move it there.")
        elif schedule.every is not None or schedule.after_end is not None:
            yield Problem(f"{field}.{name}", f"{name} has no effect: elapsed time is not read from a clock. Remove it.")
        elif schedule.at is not None and schedule.at.tzinfo is not None:
            yield Problem(f"{field}.{name}", f"{name} has no effect on an instant with an offset. Remove one of them.")


def _check_times(schedule: Schedule, field: str) -> Iterator[Problem]:
    at = schedule.at
    if at is not None and at.tzinfo is None and schedule.on_gap is OnGap.SKIP and find_zone(schedule.timezone):
        only = Schedule(at=at, timezone=schedule.timezone, on_gap=OnGap.SKIP)
        if 1970 <= at.year <= 9000 and next(slots_between(only, *_around(at)), None) is None:
            yield Problem(
                f"{field}.at",
                f"{at.isoformat()} does not exist in {schedule.timezone}, where clocks skip it, and on_gap is skip. "
                "Choose another time, or run_after.",
            )
    for name in ("at", "valid_from", "valid_until"):
        yield from _check_year(getattr(schedule, name), f"{field}.{name}")


def _check_year(time: datetime | None, path: str) -> Iterator[Problem]:
    if time is not None and not 1970 <= time.year <= 9000:
        yield Problem(path, f"The year {time.year} is out of reach. Use 1970 to 9000.")


def _around(wall: datetime) -> tuple[datetime, datetime]:
    middle = wall.replace(tzinfo=UTC)
    return middle - timedelta(days=2), middle + timedelta(days=2)


def _check_members(members: tuple[Schedule, ...], field: str) -> Iterator[Problem]:
    if not 1 <= len(members) <= MEMBERS_MAX:
        yield Problem(f"{field}.any", f"any has from 1 to {MEMBERS_MAX} schedules, not {len(members)}.")
        return
    for index, member in enumerate(members):
        path = f"{field}.any.{index}"
        for name in ("any", "after_end"):
            if getattr(member, name) is not None:
                yield Problem(
                    f"{path}.{name}", f"{name} cannot stand within any. Give that task a schedule of its own."
                )
        for name, nothing in (("valid_from", None), ("valid_until", None), ("jitter", 0), ("pauses", ())):
            if getattr(member, name) != nothing:
                yield Problem(f"{path}.{name}", f"{name} counts for any as a whole. Move it beside any.")
        if member.any is None:
            yield from _check_rule(member, path)
            yield from _check_dst_rules(member, path)
            yield from _check_times(member, path)


def _check_pauses(schedule: Schedule, field: str) -> Iterator[Problem]:
    if len(schedule.pauses) > PAUSES_MAX:
        yield Problem(f"{field}.pauses", f"There are {len(schedule.pauses)} pauses; at most {PAUSES_MAX} are allowed.")
        return
    for index, window in enumerate(schedule.pauses):
        yield from _check_pause(window, schedule.timezone, f"{field}.pauses.{index}")


def _check_pause(window: PauseWindow, timezone: str, path: str) -> Iterator[Problem]:
    once = window.starts_at is not None or window.until is not None
    again = window.cron is not None or window.lasts is not None
    if once == again:
        yield Problem(path, "A pause has either from and until, or cron and lasts.")
    elif once and (window.starts_at is None or window.until is None):
        missing = "from" if window.starts_at is None else "until"
        yield Problem(
            f"{path}.{missing}",
            f"{missing} is missing. For a pause without an end, or until now, use scheduler task pause and resume, or "
            "valid_from and valid_until.",
        )
    elif again:
        if window.cron is None or window.lasts is None:
            missing = "cron" if window.cron is None else "lasts"
            yield Problem(f"{path}.{missing}", f"{missing} is missing: a repeated pause has cron and lasts.")
        elif problem := cron_problem(window.cron):
            yield Problem(f"{path}.cron", problem)
        elif not 0 < window.lasts <= SECONDS_MAX:
            yield Problem(
                f"{path}.lasts", f"lasts is from 1s to {duration_text(SECONDS_MAX)}, not {window.lasts} seconds."
            )
        elif find_zone(timezone) is not None and _is_never_over(window, timezone):
            yield Problem(
                f"{path}.lasts",
                f"The pause is never over: '{window.cron}' opens it again before {duration_text(window.lasts)} have "
                "passed. Shorten it, or use scheduler task pause.",
            )
    elif years := [*_check_year(window.starts_at, f"{path}.from"), *_check_year(window.until, f"{path}.until")]:
        yield from years
    elif (
        window.starts_at is not None
        and window.until is not None
        and find_zone(timezone) is not None
        and instant_in(window.starts_at, timezone) >= instant_in(window.until, timezone)
    ):
        yield Problem(
            path, f"The pause ends ({window.until.isoformat()}) before it begins ({window.starts_at.isoformat()})."
        )


def _is_never_over(window: PauseWindow, timezone: str) -> bool:
    openings = slots_between(
        Schedule(cron=window.cron, timezone=timezone),
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2050, 1, 1, tzinfo=UTC),
    )
    distances = (later - earlier for earlier, later in itertools.pairwise(openings))
    return max(itertools.islice(distances, 100), default=timedelta.max) <= timedelta(seconds=window.lasts or 0)


def _check_validity(schedule: Schedule, field: str) -> Iterator[Problem]:
    if schedule.valid_until is None or schedule.after_end is not None:
        return
    until = instant_in(schedule.valid_until, schedule.timezone)
    told = schedule.valid_until.isoformat()
    if schedule.valid_from is None:
        start = datetime(1970, 1, 1, tzinfo=UTC)
        if until - start > timedelta(days=366 * 60):
            start = until - timedelta(days=366 * 60)
        begins = "before"
    else:
        start = instant_in(schedule.valid_from, schedule.timezone) - timedelta(microseconds=1)
        begins = f"between {schedule.valid_from.isoformat()} and"
        if start >= until:
            yield Problem(
                f"{field}.valid_until",
                f"The validity is empty: it ends ({told}) before it begins ({schedule.valid_from.isoformat()}).",
            )
            return
    if next(slots_between(schedule, start, until), None) is None:
        yield Problem(f"{field}.valid_until", f"No slot lies {begins} {told}. Widen the validity, or change the rule.")


def _check_jitter(schedule: Schedule, field: str) -> Iterator[Problem]:
    if schedule.jitter == 0:
        return
    if not 0 < schedule.jitter <= SECONDS_MAX:
        yield Problem(f"{field}.jitter", f"jitter is from 0s to the schedule's period, not {schedule.jitter} seconds.")
        return
    period = timedelta(seconds=schedule.after_end) if schedule.after_end is not None else shortest_period(schedule)
    if period is not None and timedelta(seconds=schedule.jitter) > period:
        yield Problem(
            f"{field}.jitter",
            f"The jitter of {duration_text(schedule.jitter)} is longer than the shortest time between two slots, "
            f"{duration_text(int(period.total_seconds()))}. Shorten it.",
        )
