"""What is written about a dependency on intervals, read and told in words."""

import re
from enum import StrEnum
from typing import Final, NamedTuple

from scheduler_core.decisions.duration_text import duration_text, parse_duration
from scheduler_core.errors import Problem
from scheduler_core.models import Dependency
from scheduler_core.models.interval_wait import SLOTS_AWAITED_MAX

SECONDS_MAX: Final = 366 * 86_400
"""How far back `within` reaches, and how long a deadline is, at most."""

_COUNTED: Final = re.compile(r"(previous|at_least)\s*:\s*(\d{1,6})")
_WITHIN: Final = re.compile(r"within\s*:\s*(.{1,50})")
_INTERVALS: Final = ("same", "contained", "covering", "previous:K", "latest", "within:DURATION")
_CONDITIONS: Final = ("success", "failure", "finished", "at_least:N")


class IntervalKind(StrEnum):
    """How the slots of an interval are found."""

    SAME = "same"
    CONTAINED = "contained"
    COVERING = "covering"
    PREVIOUS = "previous"
    LATEST = "latest"
    WITHIN = "within"


class Interval(NamedTuple):
    """`number` is how many slots of PREVIOUS, and how many seconds of WITHIN."""

    kind: IntervalKind
    number: int = 0


def parse_interval(text: str) -> Interval:
    """Read `interval` of a dependency; raises ValueError with a sentence.

    >>> parse_interval("within:6h")
    Interval(kind=<IntervalKind.WITHIN: 'within'>, number=21600)
    """
    stripped = text.strip()
    if match := _WITHIN.fullmatch(stripped):
        seconds = parse_duration(match[1])
        if not 1 <= seconds <= SECONDS_MAX:
            raise ValueError(f"within reaches back from 1s to {duration_text(SECONDS_MAX)}, not {match[1]}.")
        return Interval(IntervalKind.WITHIN, seconds)
    match = _COUNTED.fullmatch(stripped)
    if match and match[1] == "previous":
        if not 1 <= int(match[2]) <= SLOTS_AWAITED_MAX:
            raise ValueError(f"previous counts from 1 to {SLOTS_AWAITED_MAX} slots, not {match[2]}.")
        return Interval(IntervalKind.PREVIOUS, int(match[2]))
    if stripped in ("same", "contained", "covering", "latest"):
        return Interval(IntervalKind(stripped))
    if stripped in ("previous", "within"):
        example = {"previous": "previous:1", "within": "within:6h"}[stripped]
        raise ValueError(f"'{stripped}' needs a number. Write, for example, {example}.")
    raise ValueError(f"There is no interval '{text[:50]}'.{_hint(stripped, _INTERVALS)}")


def parse_condition(text: str) -> tuple[str, int]:
    """The word of `condition`, and the number of `at_least`, else 0; raises ValueError with a sentence.

    >>> parse_condition("at_least:20")
    ('at_least', 20)
    """
    stripped = text.strip()
    match = _COUNTED.fullmatch(stripped)
    if match and match[1] == "at_least":
        if not 1 <= int(match[2]) <= SLOTS_AWAITED_MAX:
            raise ValueError(f"at_least counts from 1 to {SLOTS_AWAITED_MAX} slots, not {match[2]}.")
        return "at_least", int(match[2])
    if stripped in ("success", "failure", "finished"):
        return stripped, 0
    if stripped == "at_least":
        raise ValueError("'at_least' needs a number. Write, for example, at_least:1.")
    raise ValueError(f"There is no condition '{text[:50]}'.{_hint(stripped, _CONDITIONS)}")


def dependency_problems(dependency: Dependency) -> list[Problem]:
    """Everything that is wrong with a dependency by itself; fields are those of the dependency.

    >>> [problem.field for problem in dependency_problems(Dependency("hourly", "containd", deadline=0))]
    ['interval', 'deadline']
    """
    problems = []
    interval, needed = None, 0
    try:
        interval = parse_interval(dependency.interval)
    except ValueError as error:
        problems.append(Problem("interval", str(error)))
    try:
        _, needed = parse_condition(dependency.condition)
    except ValueError as error:
        problems.append(Problem("condition", str(error)))
    given = None if interval is None else _slots_max(interval)
    if given is not None and needed > given:
        word = "slot" if given == 1 else "slots"
        problems.append(
            Problem(
                "condition",
                f"at_least:{needed} can never hold: interval '{dependency.interval}' gives at most {given} {word}. "
                "Lower the number, or choose another interval.",
            )
        )
    if dependency.deadline is not None and not 1 <= dependency.deadline <= SECONDS_MAX:
        problems.append(
            Problem(
                "deadline",
                f"A deadline is from 1s to {duration_text(SECONDS_MAX)} after the slot, not "
                f"{dependency.deadline} seconds. Leave it out to wait without end.",
            )
        )
    return problems


def interval_words(dependency: Dependency) -> str:
    """Which slots are waited for.

    >>> interval_words(Dependency("hourly", "contained"))
    "all slots of 'hourly' within the interval"
    """
    task = f"'{dependency.task}'"
    kind, number = parse_interval(dependency.interval)
    if kind is IntervalKind.PREVIOUS:
        return (
            f"the slot of {task} before the interval"
            if number == 1
            else f"the {number} slots of {task} before the interval"
        )
    return {
        IntervalKind.SAME: f"the slot of {task} with the same interval",
        IntervalKind.CONTAINED: f"all slots of {task} within the interval",
        IntervalKind.COVERING: f"the slot of {task} whose interval covers this one",
        IntervalKind.LATEST: f"the latest slot of {task}",
        IntervalKind.WITHIN: f"all slots of {task} in the {duration_text(number)} up to the slot",
    }[kind]


def _slots_max(interval: Interval) -> int | None:
    if interval.kind in (IntervalKind.SAME, IntervalKind.COVERING, IntervalKind.LATEST):
        return 1
    return interval.number if interval.kind is IntervalKind.PREVIOUS else None


def _hint(text: str, known: tuple[str, ...]) -> str:
    from scheduler_core.decisions.nearest import hint  # what every process loads has no use for it

    # The nearest is looked for by the word alone, so that what stands behind a colon does not matter.
    by_word = {each.partition(":")[0]: each for each in known}
    told = hint(text.partition(":")[0], by_word)
    if told.startswith(" Did you mean "):
        return f" Did you mean {by_word[told.removeprefix(' Did you mean ').rstrip('?')]}?"
    return f" Use one of {', '.join(known)}."
