"""Whether a regular expression of a schema can be used: read by both engines, and not larger than it looks."""

import re
from collections.abc import Iterator
from re import _parser as parser  # type: ignore[attr-defined]  # the only tree of a pattern there is
from typing import Any

import regex

PATTERN_LENGTH_MAX = 1000
PATTERN_SIZE_MAX = 1000
"""How many elements a pattern may have, each as often as it is repeated at least: so many are written out."""

_REPETITIONS = frozenset({parser.MAX_REPEAT, parser.MIN_REPEAT, parser.POSSESSIVE_REPEAT})


def pattern_problem(pattern: str) -> str | None:
    """Why a pattern cannot be used, or None."""
    if len(pattern) > PATTERN_LENGTH_MAX:
        return f"The pattern has {len(pattern)} characters; at most {PATTERN_LENGTH_MAX} are allowed. Shorten it."
    try:
        # Only reading is cheap whatever is written: the engine that matches writes repetitions out.
        if _size(parser.parse(pattern)) > PATTERN_SIZE_MAX:
            return (
                f"{pattern[:100]!r} has more than {PATTERN_SIZE_MAX} elements when its repetitions are written out. "
                "Use smaller numbers, or minLength."
            )
        re.compile(pattern)  # the library reads the patterns of patternProperties with it
        regex.compile(pattern)
    except (regex.error, re.error, RecursionError, OverflowError) as error:
        return f"{pattern[:100]!r} is no regular expression: {error}."
    return None


def _size(tree: Any) -> int:
    """How many elements a parse tree has with its repetitions written out."""
    size = 0
    for kind, value in tree:
        times = max(1, int(value[0])) if kind in _REPETITIONS else 1
        size += times * max(1, sum(map(_size, _trees(value))))
    return size


def _trees(value: Any) -> Iterator[Any]:
    """The trees in what an element of a tree consists of."""
    if isinstance(value, parser.SubPattern):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _trees(each)
