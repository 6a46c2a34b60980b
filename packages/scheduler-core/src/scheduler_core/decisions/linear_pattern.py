"""Regular expressions that are matched in a time that grows with the length of the text alone.

The states in which a match may be are all followed at once, character by character. Python's own way of trying one
after the other takes minutes for some patterns of a dozen characters, in which nothing can interrupt it. Of the
libraries that could do this one has no wheels for some systems that workers run on, and the other only gives up after a
time: what becomes of a run would depend on how busy its worker is.
"""

import re
from re import _compiler as compiler  # type: ignore[attr-defined]  # what fits one character is for it to say
from re import _parser as parser  # type: ignore[attr-defined]  # the only tree of a pattern there is
from typing import Any, Final, NamedTuple

_FOUND: Final = 0
_CHARACTERS: Final = frozenset({parser.LITERAL, parser.NOT_LITERAL, parser.ANY, parser.IN})
_LOOPS: Final = frozenset({parser.MAX_REPEAT, parser.MIN_REPEAT})
_REFERENCES: Final = frozenset({parser.GROUPREF, parser.GROUPREF_EXISTS})


class UnfitPatternError(ValueError):
    """A pattern that cannot be matched so; the text is the end of a sentence."""


class _State(NamedTuple):
    """Goes on to `after` at once; with a test only where that fits, and one that takes a character with the next."""

    after: tuple[int, ...]
    test: int = -1
    takes_character: bool = False


class LinearPattern:
    """What `re.search` would say of a pattern; raises UnfitPatternError, also where its size were above `size_max`.

    Its `size` is what it costs per character at most: each of its elements counts as often as its repetitions say, or
    all together once where it has neither repetitions nor alternatives.
    """

    def __init__(self, pattern: str, size_max: int) -> None:
        self.size = 0
        self._size_max = size_max
        self._tree = parser.parse(pattern)
        self._tests: list[re.Pattern[str]] = []
        self._numbers: dict[str, int] = {}
        self._states = [_State(())]
        self._start = self._sequence(self._tree, _FOUND, ())
        # Where there is nothing to choose from, there is nothing to try one after the other.
        self._plain = None if any(len(state.after) > 1 for state in self._states) else re.compile(pattern)
        if self._plain is not None:
            self.size = 1

    def is_in(self, text: str) -> bool:
        """Whether it fits any part of the text."""
        if self._plain is not None:
            return self._plain.search(text) is not None
        states, tests = self._states, self._tests
        reached: list[int] = []
        for place in range(len(text) + 1):
            fits: list[bool | None] = [None] * len(tests)
            seen = bytearray(len(states))
            waiting, reached = [self._start, *reached], []
            while waiting:
                number = waiting.pop()
                if seen[number]:
                    continue
                seen[number] = True
                after, test, takes_character = states[number]
                if test >= 0:
                    if fits[test] is None:
                        fits[test] = tests[test].match(text, place) is not None
                    if not fits[test]:
                        continue
                (reached if takes_character else waiting).extend(after)
            if seen[_FOUND]:
                return True
        return False

    # States are made from the end to the beginning, so that each knows where it goes on; only loops come back.

    def _sequence(self, tree: Any, after: int, flags: tuple[tuple[int, int], ...]) -> int:
        for kind, value in reversed(list(tree)):
            after = self._element(kind, value, after, flags)
        return after

    def _element(self, kind: Any, value: Any, after: int, flags: tuple[tuple[int, int], ...]) -> int:
        self._count()
        if kind in _CHARACTERS or kind is parser.AT:
            return self._add(_State((after,), self._test(kind, value, flags), kind is not parser.AT))
        if kind is parser.SUBPATTERN:
            _, added, removed, inside = value
            return self._sequence(inside, after, (*flags, (added, removed)) if added or removed else flags)
        if kind is parser.BRANCH:
            return self._add(_State(tuple(self._sequence(each, after, flags) for each in value[1])))
        if kind in _LOOPS:
            least, most, inside = value
            return self._repeat(least, most, inside, after, flags)
        if kind in _REFERENCES:
            raise UnfitPatternError("refers back to a group. Write it without that")
        raise UnfitPatternError(
            "looks ahead or back, or keeps what it has taken. Write it without (?=...), (?!...), (?<...), (?>...) and +"
            " after a repetition"
        )

    def _repeat(self, least: Any, most: Any, inside: Any, after: int, flags: tuple[tuple[int, int], ...]) -> int:
        end = after
        if most is parser.MAXREPEAT:
            after = self._add(_State(()))
            self._states[after] = _State((self._sequence(inside, after, flags), end))
        else:
            for _ in range(most - least):
                self._count()
                after = self._add(_State((self._sequence(inside, after, flags), end)))
        for _ in range(least):
            self._count()
            after = self._sequence(inside, after, flags)
        return after

    def _test(self, kind: Any, value: Any, flags: tuple[tuple[int, int], ...]) -> int:
        """The number of what tells at one place whether an element fits there; elements that are alike share it."""
        name = repr((kind, value, flags))
        if name not in self._numbers:
            tree = parser.SubPattern(self._tree.state, [(kind, value)])
            for added, removed in reversed(flags):
                tree = parser.SubPattern(self._tree.state, [(parser.SUBPATTERN, (None, added, removed, tree))])
            self._numbers[name] = len(self._tests)
            self._tests.append(compiler.compile(tree))
        return self._numbers[name]

    def _add(self, state: _State) -> int:
        self._states.append(state)
        return len(self._states) - 1

    def _count(self) -> None:
        self.size += 1
        if self.size > self._size_max:
            raise UnfitPatternError(
                f"has more than {self._size_max} elements when what it repeats is written out. Write it with smaller "
                "numbers"
            )
