"""The flags that say when a task runs, and the schedule that they make together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from scheduler_api.client.client_error import UsageError
from scheduler_core.errors import Problem

WHEN = Group("When", sort_key=20)
_LATE = Group("Slots that cannot simply run", sort_key=25)

_RULES = ("schedule", "every", "after_end", "at", "rrule")
_OPTIONS = ("on_gap", "on_overlap", "valid_from", "valid_until", "jitter")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ScheduleFlags:
    """The fields of a schedule that can be given as flags; None means that the flag was not given."""

    schedule: Annotated[
        str | None,
        Parameter(
            group=WHEN,
            help="Cron with five fields, six with seconds first, or an alias as @daily; or any other schedule as text, "
            'such as "every 15m" or several with " | " between.',
        ),
    ] = None
    every: Annotated[str | None, Parameter(group=WHEN, help="Run at a fixed rate, such as 15m or 1h30m.")] = None
    after_end: Annotated[
        str | None, Parameter(group=WHEN, help="Run so long after the end of the last run, such as 10m.")
    ] = None
    at: Annotated[
        str | None, Parameter(group=WHEN, help="Run once, at an instant such as 2027-01-31T09:00:00+03:00.")
    ] = None
    rrule: Annotated[
        str | None, Parameter(group=WHEN, help="Run by a recurrence rule (RFC 5545), such as FREQ=DAILY;BYHOUR=9.")
    ] = None
    timezone: Annotated[
        str | None, Parameter(group=WHEN, help="Zone of the schedule, such as Europe/Istanbul [UTC].")
    ] = None
    on_gap: Annotated[
        Literal["run_after", "skip"] | None,
        Parameter(group=WHEN, help="What becomes of local times that the clocks skip [the rule decides]."),
    ] = None
    on_overlap: Annotated[
        Literal["first", "second", "both"] | None,
        Parameter(group=WHEN, help="When local times that the clocks show twice are due [the rule decides]."),
    ] = None
    valid_from: Annotated[str | None, Parameter(group=WHEN, help="No slot comes before this instant.")] = None
    valid_until: Annotated[str | None, Parameter(group=WHEN, help="No slot comes after this instant.")] = None
    jitter: Annotated[
        str | None, Parameter(group=WHEN, help="Start each run later by up to this time, such as 30s.")
    ] = None
    misfire: Annotated[
        Literal["skip", "latest", "all"] | None,
        Parameter(group=_LATE, help="Which slots run that are late because nothing was there to plan them [latest]."),
    ] = None
    misfire_grace: Annotated[
        str | None,
        Parameter(group=_LATE, help="How late a slot may be and still run, such as 10m, or none for any time [none]."),
    ] = None
    misfire_runs_max: Annotated[
        int | None, Parameter(group=_LATE, help="How many late slots run at most with --misfire all [100].")
    ] = None
    overlap: Annotated[
        Literal["allow", "skip", "queue", "cancel_previous"] | None,
        Parameter(group=_LATE, help="What becomes of a slot while an earlier run has not ended [allow]."),
    ] = None

    def schedule_fields(self) -> dict[str, Any]:
        """The given fields as the API names them; raises UsageError for flags that contradict each other."""
        fields: dict[str, Any] = {}
        schedule = self._schedule()
        if schedule is not None:
            fields["schedule"] = schedule
        if self.timezone is not None:
            fields["timezone"] = self.timezone
        if self.misfire_grace is not None:
            fields["misfire_grace_seconds"] = _grace(self.misfire_grace)
        for name in ("misfire", "misfire_runs_max", "overlap"):
            if (value := getattr(self, name)) is not None:
                fields[name] = value
        return fields

    def _schedule(self) -> str | dict[str, Any] | None:
        rules = [name for name in _RULES if getattr(self, name) is not None]
        options = {name: getattr(self, name) for name in _OPTIONS if getattr(self, name) is not None}
        if len(rules) > 1:
            raise UsageError(f"{' and '.join(map(_flag, rules))} exclude each other: a task has one schedule.")
        if not rules and options:
            told = "is a part of a schedule, which is replaced as a whole: give its rule, too (--schedule)."
            raise UsageError([Problem(_flag(name), told) for name in options])
        if not rules:
            return None
        rule: str = getattr(self, rules[0])
        if rules[0] != "schedule":
            return {rules[0]: rule, **options}
        if problems := list(_text_problems(rule, options)):
            raise UsageError(problems)
        return " ".join([*(f"{name.upper()}={value.strip()}" for name, value in options.items()), rule])


def _text_problems(rule: str, options: dict[str, str]) -> Iterator[Problem]:
    """What cannot be said by putting the options before the text."""
    for name, value in options.items():
        if len(value.split()) != 1:
            yield Problem(_flag(name), f"'{value[:50]}' has a space. Write an instant with T between date and time.")
        elif name in ("on_gap", "on_overlap") and " | " in rule:
            told = f"belongs to each rule of several: write {name.upper()}={value} before those it is for."
            yield Problem(_flag(name), told)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _grace(text: str) -> float | None:
    from scheduler_core.decisions.duration_text import parse_duration

    if text.lower() == "none":
        return None
    try:
        return float(parse_duration(text))
    except ValueError as error:
        raise UsageError([Problem("--misfire-grace", f"{error} Or write none for no limit.")]) from error
