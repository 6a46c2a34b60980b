"""Whether the time-outs of a task can be accepted."""

from collections.abc import Iterator
from typing import Final

from scheduler_core.errors import Problem
from scheduler_core.models import TaskDefinition

SECONDS_MAX: Final = 7 * 86_400.0
_LONG_SECONDS_MAX: Final = 366 * 86_400.0


def check_timeouts(definition: TaskDefinition) -> Iterator[Problem]:
    """Everything that is wrong with them.

    >>> [p.message for p in check_timeouts(TaskDefinition(name="a", task_type="shell", soft_timeout_seconds=300))]
    ['soft_timeout_seconds 300 is not before timeout_seconds 300: the job would never be told. Make it smaller.']
    """
    for field, most, days in (
        ("timeout_seconds", SECONDS_MAX, "7 days"),
        ("soft_timeout_seconds", SECONDS_MAX, "7 days"),
        ("queue_timeout_seconds", _LONG_SECONDS_MAX, "366 days"),
        ("total_timeout_seconds", _LONG_SECONDS_MAX, "366 days"),
    ):
        seconds = getattr(definition, field)
        if seconds is not None and not 0 < seconds <= most:  # false for NaN, too
            yield Problem(
                field, f"{field} is more than 0 and at most {most:.0f} ({days}), not {seconds:g}. Null means no limit."
            )
    soft = definition.soft_timeout_seconds
    for field in ("timeout_seconds", "total_timeout_seconds"):
        hard = getattr(definition, field)
        if soft is not None and hard is not None and soft >= hard > 0:
            yield Problem(
                "soft_timeout_seconds",
                f"soft_timeout_seconds {soft:g} is not before {field} {hard:g}: the job would never be told. Make it "
                "smaller.",
            )
