"""Regular expressions that the output of a failed run may fit: a bounded kind, since no job may hold up its worker."""

import math
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from re import _parser as parser  # type: ignore[attr-defined]  # the only tree of a pattern there is
from typing import Any, Final

_PATTERN_LENGTH_MAX: Final = 200
_OPEN_REPEATS_MAX: Final = 2
_TIMES_MAX: Final = 20
_LINE_CHARS_MAX: Final = 300
WAYS_MAX: Final = 2 * _LINE_CHARS_MAX**2
"""In so many ways, about, all patterns of a task together may have to be tried at each place of a line."""
_REPEATS: Final = frozenset({parser.MAX_REPEAT, parser.MIN_REPEAT, parser.POSSESSIVE_REPEAT})
_REFERENCES: Final = frozenset({parser.GROUPREF, parser.GROUPREF_EXISTS})


def pattern_problem(pattern: str) -> str | None:
    """Why a pattern cannot be used, as the end of a sentence, or None.

    What remains is matched against a line in a time that grows with its length by a small power, never doubling with
    each character.

    >>> pattern_problem("connection (reset|refused)")
    >>> pattern_problem("(a+)+b")
    'repeats something that is repeated or chosen from alternatives itself. Write it without one of the two'
    """
    if not 1 <= len(pattern) <= _PATTERN_LENGTH_MAX:
        return f"has {len(pattern)} characters; 1 to {_PATTERN_LENGTH_MAX} are allowed. Shorten it"
    try:
        tree = parser.parse(pattern)
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"is no regular expression: {error}. Correct it"
    elements = list(_elements(tree, repeated=False))
    if any(kind in _REFERENCES for kind, _, _ in elements):
        return "refers back to a group. Write it without that"
    if any(repeated and (kind in _REPEATS or kind is parser.BRANCH) for kind, _, repeated in elements):
        return "repeats something that is repeated or chosen from alternatives itself. Write it without one of the two"
    if sum(kind in _REPEATS and int(value[1]) > _TIMES_MAX for kind, value, _ in elements) > _OPEN_REPEATS_MAX:
        return f"has more than {_OPEN_REPEATS_MAX} repetitions such as .* in it. Write it with fewer"
    if _ways(elements) > WAYS_MAX:
        return (
            "has repetitions and alternatives that multiply to too many ways in which it may fit. Write it with fewer"
        )
    return None


def ways_to_fit(pattern: str) -> int:
    """In how many ways a pattern without a problem may have to be tried at one place of a line, at most.

    >>> ways_to_fit("a?(bc|d).*")
    1204
    """
    return _ways(_elements(parser.parse(pattern), repeated=False))


def is_in_output(patterns: Iterable[str], output: str) -> bool:
    """Whether a line of the output, as far as its first 300 characters, has one of the patterns in it."""
    lines = [line[:_LINE_CHARS_MAX] for line in output.splitlines()]
    return any(compiled.search(line) for compiled in map(_compiled, patterns) for line in lines)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _ways(elements: Iterable[tuple[Any, Any, bool]]) -> int:
    """What each element leaves open multiplies with what the others do, in a row or within each other."""
    return math.prod(_choices(kind, value) for kind, value, _ in elements)


def _choices(kind: Any, value: Any) -> int:
    if kind in _REPEATS:
        fewest, most = min(int(value[0]), _LINE_CHARS_MAX), min(int(value[1]), _LINE_CHARS_MAX)
        return most - fewest + 1
    return len(value[1]) if kind is parser.BRANCH else 1


def _elements(tree: Any, *, repeated: bool) -> Iterator[tuple[Any, Any, bool]]:
    """All elements of a parse tree, each with what it holds and whether it may come several times."""
    for kind, value in tree:
        yield kind, value, repeated
        inside = repeated or (kind in _REPEATS and int(value[1]) > 1)
        for each in _trees(value):
            yield from _elements(each, repeated=inside)


def _trees(value: Any) -> Iterator[Any]:
    if isinstance(value, parser.SubPattern):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _trees(each)
