"""Regular expressions that the output of a failed run may fit: bounded, since no job may hold up its worker."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from scheduler_core.decisions.linear_pattern import LinearPattern, UnfitPatternError

_PATTERN_LENGTH_MAX: Final = 200
_OUTPUT_CHARS_MAX: Final = 4097  # the ends of two streams, and what is between them
SIZE_MAX: Final = 500
"""So many states are followed at most, by all patterns of a task together, at each character of the output."""


def pattern_problem(pattern: str) -> str | None:
    """Why a pattern cannot be used, as the end of a sentence, or None.

    >>> pattern_problem("connection (reset|refused)")
    >>> pattern_problem(r"(a)\\1")
    'refers back to a group. Write it without that'
    """
    if not 1 <= len(pattern) <= _PATTERN_LENGTH_MAX:
        return f"has {len(pattern)} characters; 1 to {_PATTERN_LENGTH_MAX} are allowed. Shorten it"
    try:
        _linear(pattern)
    except UnfitPatternError as error:
        return str(error)
    except (re.error, ValueError, RecursionError, OverflowError) as error:
        return f"is no regular expression: {error}. Correct it"
    return None


def pattern_size(pattern: str) -> int:
    """How many states of a pattern without a problem are followed at most.

    >>> pattern_size("a?(bc|d).*")
    10
    """
    return _linear(pattern).size


def is_in_output(patterns: Iterable[str], output: str) -> bool:
    """Whether a line of the output, as far as it is within the last 4097 characters, has one of the patterns in it."""
    lines = output[-_OUTPUT_CHARS_MAX:].splitlines()
    return any(linear.is_in(line) for linear in map(_linear, patterns) for line in lines)


@lru_cache(maxsize=256)
def _linear(pattern: str) -> LinearPattern:
    return LinearPattern(pattern, SIZE_MAX)
