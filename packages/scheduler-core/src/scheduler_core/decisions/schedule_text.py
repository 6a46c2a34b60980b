"""A schedule as one line of text: options as KEY=value, then the rule.

`CRON_TZ=Europe/Berlin ON_GAP=skip 30 2 * * *`, `every 15m`, `after_end 10m`, `at 2027-01-31T09:00:00`,
`rrule FREQ=WEEKLY;BYDAY=MO;BYHOUR=9`, and several of these with ` | ` between. Pauses have no text.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from scheduler_core.decisions.duration_text import duration_text, parse_duration
from scheduler_core.decisions.nearest import hint
from scheduler_core.errors import InvalidInputError, Problem
from scheduler_core.models import OnGap, OnOverlap, Schedule

T = TypeVar("T")

_OPTIONS = {
    "CRON_TZ": "timezone",
    "ON_GAP": "on_gap",
    "ON_OVERLAP": "on_overlap",
    "VALID_FROM": "valid_from",
    "VALID_UNTIL": "valid_until",
    "JITTER": "jitter",
}
_OF_THE_WHOLE = ("timezone", "valid_from", "valid_until", "jitter")
_RULES = ("every", "after_end", "at", "rrule")
_DEFAULT_TIMEZONE = "UTC"


class _TextProblem(ValueError):  # noqa: N818  a sentence, not a failure
    pass


def schedule_text(schedule: Schedule) -> str:
    """The shortest text that reads as this schedule; its pauses are left out, and `any` of one is that one.

    >>> schedule_text(Schedule(cron="30 2 * * *", timezone="Europe/Berlin", on_gap=OnGap.SKIP))
    'CRON_TZ=Europe/Berlin ON_GAP=skip 30 2 * * *'
    """
    if schedule.any is None:
        return _text_of(schedule, _DEFAULT_TIMEZONE)
    outer = [f"{option}={text}" for option, text in _options_of(schedule, _DEFAULT_TIMEZONE)]
    first = schedule.any[0] if schedule.any else None
    if first is not None and first.timezone != schedule.timezone and schedule.timezone == _DEFAULT_TIMEZONE:
        outer.insert(0, f"CRON_TZ={_DEFAULT_TIMEZONE}")  # the second CRON_TZ is then the first member's
    return " ".join([*outer, " | ".join(_text_of(member, schedule.timezone) for member in schedule.any)])


def read_schedule_text(text: str, timezone: str | None = None, field: str = "schedule") -> Schedule:
    """The schedule of a text; `timezone` is what stands beside it, if anything does.

    Reads without judging: `check_schedule` says whether the result can be accepted. Raises InvalidInputError for what
    is no schedule text at all, and for two zones that disagree.

    >>> read_schedule_text("every 1h30m").every
    5400
    """
    try:
        texts = text.split(" | ")
        outer, rest = _take_options(texts[0], timezone)
        if len(texts) == 1:
            return Schedule(**outer, **_rule(rest))
        whole = {name: outer.pop(name) for name in _OF_THE_WHOLE if name in outer}
        inherited = whole.get("timezone", _DEFAULT_TIMEZONE)
        members = [{**outer, **_own_options(rest)}, *(_own_options(member) for member in texts[1:])]
        return Schedule(**whole, any=tuple(Schedule(**{"timezone": inherited, **member}) for member in members))
    except _TextProblem as problem:
        raise InvalidInputError([Problem(field, str(problem))]) from None


def _own_options(text: str) -> dict[str, Any]:
    options, rest = _take_options(text, None)
    return {**options, **_rule(rest)}


def _take_options(text: str, timezone: str | None) -> tuple[dict[str, Any], str]:
    """The leading KEY=value words, up to one that comes again, and what follows them."""
    found: dict[str, Any] = {}
    rest = text.strip()
    while "=" in (word := rest.partition(" ")[0]) and not word.upper().startswith("FREQ="):
        option, _, value = word.partition("=")
        if option.upper() == "TZ":
            option = "CRON_TZ"
        if option.upper() not in _OPTIONS:
            raise _TextProblem(f"'{word[:50]}' is no option of a schedule.{hint(option.upper(), _OPTIONS)}")
        name = _OPTIONS[option.upper()]
        if name in found:
            break
        found[name] = _option(option.upper(), name, value)
        rest = rest.partition(" ")[2].strip()
    if timezone is not None and found.setdefault("timezone", timezone) != timezone:
        raise _TextProblem(
            f"Two time zones disagree: CRON_TZ={found['timezone'][:50]} and timezone '{timezone[:50]}'. Give one."
        )
    return found, rest


def _option(option: str, name: str, value: str) -> Any:
    if name == "timezone":
        return value
    if name == "jitter":
        return _read(parse_duration, value)
    if name in ("on_gap", "on_overlap"):
        choices = OnGap if name == "on_gap" else OnOverlap
        try:
            return choices(value.lower())
        except ValueError:
            raise _TextProblem(
                f"{option} is {' or '.join(choice.value for choice in choices)}, not '{value[:50]}'."
            ) from None
    return _time(value, option)


def _rule(text: str) -> dict[str, Any]:
    word, _, rest = text.partition(" ")
    rest = rest.strip()
    if word.lower() not in _RULES:
        return {"cron": text} if not word.upper().startswith(("FREQ=", "RRULE:", "DTSTART")) else {"rrule": text}
    if not rest:
        raise _TextProblem(f"'{word}' needs a value, such as {_EXAMPLES[word.lower()]}.")
    if word.lower() == "at":
        return {"at": _time(rest, "at")}
    if word.lower() == "rrule":
        return {"rrule": rest}
    return {word.lower(): _read(parse_duration, rest)}


_EXAMPLES = {
    "every": "every 15m",
    "after_end": "after_end 10m",
    "at": "at 2027-01-31T09:00:00",
    "rrule": "rrule FREQ=DAILY;BYHOUR=9",
}


def _time(text: str, name: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _TextProblem(f"{name} is a time such as 2027-01-31T09:00:00+03:00, not '{text[:50]}'.") from None


def _read(read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise _TextProblem(str(error)) from None


def _text_of(schedule: Schedule, inherited: str) -> str:
    return " ".join([*(f"{option}={text}" for option, text in _options_of(schedule, inherited)), _rule_text(schedule)])


def _options_of(schedule: Schedule, inherited: str) -> Iterator[tuple[str, str]]:
    for option, name in _OPTIONS.items():
        value = getattr(schedule, name)
        if name == "timezone":
            if value != inherited:
                yield option, value
        elif name == "jitter":
            if value:
                yield option, duration_text(value)
        elif value is not None:
            yield option, value.isoformat() if isinstance(value, datetime) else value.value


def _rule_text(schedule: Schedule) -> str:
    if schedule.cron is not None:
        return schedule.cron
    for name in ("every", "after_end"):
        seconds = getattr(schedule, name)
        if seconds is not None:
            return f"{name} {duration_text(seconds)}"
    if schedule.at is not None:
        return f"at {schedule.at.isoformat()}"
    return f"rrule {schedule.rrule}"
