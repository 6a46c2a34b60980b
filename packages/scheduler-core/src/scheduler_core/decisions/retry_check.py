"""Whether a retry policy can be accepted."""

import math
import re
from collections.abc import Iterator
from typing import Final

from scheduler_core.decisions.output_patterns import SIZE_MAX, pattern_problem, pattern_size
from scheduler_core.errors import Problem
from scheduler_core.models import RetryPolicy

RETRY_SECONDS_MAX: Final = 7 * 86_400.0
_LISTED_MAX: Final = 100
_DOTTED: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def check_retry(retry: RetryPolicy) -> Iterator[Problem]:
    """Everything that is wrong with it.

    >>> [problem.field for problem in check_retry(RetryPolicy(jitter=2, on_statuses=(99,), on_output=("(",)))]
    ['retry.jitter', 'retry.on_statuses', 'retry.on_output']
    """
    yield from _check_numbers(retry)
    yield from _check_delays(retry)
    for name in ("delays", "on_exit_codes", "on_statuses", "on_exceptions", "on_output"):
        if (count := len(getattr(retry, name))) > _LISTED_MAX:
            yield Problem(f"retry.{name}", f"{name} has {count} entries; at most {_LISTED_MAX} are allowed.")
    for code in retry.on_exit_codes[:_LISTED_MAX]:
        if not (1 <= code <= 255 or -64 <= code <= -1):
            yield Problem(
                "retry.on_exit_codes",
                f"on_exit_codes has {code}. Give exit codes of failures, 1 to 255, or a signal's number below 0, as "
                "in -9.",
            )
    for status in retry.on_statuses[:_LISTED_MAX]:
        if not 100 <= status <= 599:
            yield Problem("retry.on_statuses", f"on_statuses has {status}. Give HTTP statuses, 100 to 599.")
    for name in retry.on_exceptions[:_LISTED_MAX]:
        if not _DOTTED.fullmatch(name):
            yield Problem(
                "retry.on_exceptions",
                f"on_exceptions has '{name[:100]}'. Give the name of a class, such as TimeoutError or "
                "package.module.SomeError.",
            )
    yield from _check_patterns(retry.on_output[:_LISTED_MAX])


def _check_numbers(retry: RetryPolicy) -> Iterator[Problem]:
    for field, value, low, high in (
        ("delay_seconds", retry.delay_seconds, 0.0, RETRY_SECONDS_MAX),
        ("multiplier", retry.multiplier, 1.0, 100.0),
        ("max_delay_seconds", retry.max_delay_seconds, 0.0, RETRY_SECONDS_MAX),
        ("jitter", retry.jitter, 0.0, 1.0),
    ):
        if math.isnan(value) or not low <= value <= high:
            yield Problem(f"retry.{field}", f"{field} is from {low:g} to {high:.0f}, not {value:g}.")
    if retry.delay_seconds > retry.max_delay_seconds >= 0 and not retry.delays:
        yield _above_cap("delay_seconds", retry.delay_seconds, retry)


def _check_delays(retry: RetryPolicy) -> Iterator[Problem]:
    for delay in retry.delays[:_LISTED_MAX]:
        if not 0 <= delay <= RETRY_SECONDS_MAX:  # false for NaN, too
            yield Problem("retry.delays", f"delays are from 0 to {RETRY_SECONDS_MAX:.0f} seconds, not {delay:g}.")
        elif delay > retry.max_delay_seconds >= 0:
            yield _above_cap("delays", delay, retry)


def _check_patterns(patterns: tuple[str, ...]) -> Iterator[Problem]:
    size = 0
    for pattern in patterns:
        if (problem := pattern_problem(pattern)) is not None:
            yield Problem("retry.on_output", f"on_output: the pattern '{pattern[:100]}' {problem}.")
        else:
            size += pattern_size(pattern)
    if size > SIZE_MAX:
        yield Problem(
            "retry.on_output",
            f"on_output: the patterns together have {size} elements when what they repeat is written out; at most "
            f"{SIZE_MAX} are allowed. Give fewer patterns.",
        )


def _above_cap(field: str, delay: float, retry: RetryPolicy) -> Problem:
    return Problem(
        f"retry.{field}",
        f"{field} {delay:g} is above max_delay_seconds {retry.max_delay_seconds:g}. Raise max_delay_seconds too.",
    )
