"""Whether a limit can be accepted. Every problem is told at once."""

from collections.abc import Iterator

from scheduler_core.decisions.expression_text import expression_text_problem
from scheduler_core.decisions.label_rules import label_problem
from scheduler_core.decisions.templates import limit_key_problems
from scheduler_core.errors import Problem
from scheduler_core.models import LimitDefinition

NUMBER_MAX = 2**31 - 1
RATE_SECONDS_MIN = 0.001
RATE_SECONDS_MAX = 366 * 86_400.0
DESCRIPTION_LENGTH_MAX = 10_000

_PAUSE = "To stop runs, pause their tasks: `scheduler task pause NAME`."


def check_limit(definition: LimitDefinition) -> list[Problem]:
    """Everything that is wrong with a limit.

    >>> [p.field for p in check_limit(LimitDefinition(name="7", concurrent=0, burst=2))]
    ['name', 'concurrent', 'burst']
    """
    problems = list(_check_names(definition))
    problems += _check_numbers(definition)
    problems += _check_key(definition)
    if len(definition.description) > DESCRIPTION_LENGTH_MAX or "\0" in definition.description:
        problems.append(
            Problem("description", f"A description has at most {DESCRIPTION_LENGTH_MAX} characters and no NUL.")
        )
    return problems


def limit_name_problem(name: str) -> str | None:
    """Why a limit cannot have this name; None when it can."""
    if name.isdigit() and len(name) <= 50:
        return f"The name '{name}' is all digits and would be taken for an id. Add a letter."
    return label_problem("name", name)


def _check_names(definition: LimitDefinition) -> Iterator[Problem]:
    if (problem := limit_name_problem(definition.name)) is not None:
        yield Problem("name", problem)
    if (problem := label_problem("namespace", definition.namespace)) is not None:
        yield Problem("namespace", problem)


def _check_numbers(definition: LimitDefinition) -> Iterator[Problem]:
    concurrent, rate, burst = definition.concurrent, definition.rate, definition.burst
    if concurrent is None and rate is None:
        yield Problem(
            "concurrent",
            "A limit says how many runs may run at once, how many may start within a time, or both: give concurrent, "
            "such as 2, or rate, such as 100/min.",
        )
    for field, value in (("concurrent", concurrent), ("rate", rate), ("burst", burst)):
        if value == 0:
            yield Problem(field, f"{field} 0 would let no run start. {_PAUSE}")
        elif value is not None and not 1 <= value <= NUMBER_MAX:
            yield Problem(field, f"{field} is from 1 to {NUMBER_MAX}, not {value}. Null means no limit.")
    seconds = definition.rate_seconds
    if not RATE_SECONDS_MIN <= seconds <= RATE_SECONDS_MAX:  # false for NaN, too
        yield Problem(
            "rate" if seconds == 0 else "rate_seconds",
            f"The time of a rate is from {RATE_SECONDS_MIN:g} to {RATE_SECONDS_MAX:.0f} seconds (366 days), not "
            f"{seconds:g}. Write 100/min for 100 starts within 60 seconds.",
        )
    if burst is not None and rate is None:
        yield Problem(
            "burst",
            f"burst {burst} is how many runs may start together after a quiet time, as far as a rate lets them. Give "
            "rate, such as 100/min, or leave burst out.",
        )


def _check_key(definition: LimitDefinition) -> Iterator[Problem]:
    key = definition.key
    if key is None:
        return
    if (problem := expression_text_problem("key", key)) is not None:
        yield Problem("key", problem)
    else:
        yield from limit_key_problems(key)
