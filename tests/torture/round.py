"""What is counted in torture: rounds, which add up, and the figures that are made of their sum."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from fixtures.history_checker import Violation


class Turn(NamedTuple):
    """What a round is asked for: its seed, how many cycles at most, and when (monotonic) to begin no more of them.

    `done` are the names of the cycles of earlier rounds, where cycles have names.
    """

    seed: int
    cycles: int
    deadline: float
    done: frozenset[str] = frozenset()


class Tally(msgspec.Struct):
    """Rounds that have been played, added up; kept in a file, so that a section can go on where it was stopped."""

    seed: int
    rounds: int = 0
    cycles: int = 0
    seconds: float = 0.0
    counts: dict[str, float] = {}
    samples: dict[str, list[float]] = {}
    violations: list[str] = []
    done: list[str] = []
    commits: list[str] = []
    is_over: bool = False
    """Whether there is nothing more to do, however many cycles it was to be."""

    def add(self, other: "Tally") -> None:
        """Take in another one."""
        self.rounds += other.rounds
        self.cycles += other.cycles
        self.seconds += other.seconds
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        for name, samples in other.samples.items():
            self.samples.setdefault(name, []).extend(samples)
        self.violations += other.violations
        self.done += other.done
        self.commits = sorted({*self.commits, *other.commits})
        self.is_over = other.is_over

    def count(self, name: str) -> int:
        """How many there were of something."""
        return round(self.counts.get(name, 0))

    def percentile(self, name: str, share: float) -> float:
        """The sample that `share` of them do not exceed; 0 without samples."""
        ordered = sorted(self.samples.get(name, ()))
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Figure(NamedTuple):
    """A measured value, what it may be at most (None: it is only stated), its unit, and what it has to be at least.

    The latter is for what has to have happened: without it all else holds for nothing.
    """

    name: str
    value: float
    bound: float | None = None
    unit: str = ""
    least: float | None = None

    @property
    def holds(self) -> bool:
        """Whether it is within its bounds."""
        return (self.bound is None or self.value <= self.bound) and (self.least is None or self.value >= self.least)

    def as_json(self) -> dict[str, Any]:
        """The figure for a line of JSON."""
        return {
            "figure": self.name,
            "value": self.value,
            "bound": self.bound,
            "least": self.least,
            "unit": self.unit,
            "holds": self.holds,
        }


UNBOUNDED = 10_000
"""As many cycles as there is time for, or as there are."""


class Section(NamedTuple):
    """A part of torture: how many cycles it is to reach, and in how many of the ninety minutes."""

    name: str
    what: str
    cycles: int
    minutes: float
    cycles_of_a_round: int
    play: Callable[[Turn], Tally]
    figures: Callable[[Tally], list[Figure]]


def judged(turn: Turn, cycles: int, found: Iterable[Violation], **counts: float) -> Tally:
    """A round with its violations counted by rule."""
    told = list(found)
    by_rule = Counter(violation.rule for violation in told)
    return Tally(
        seed=turn.seed,
        rounds=1,
        cycles=cycles,
        counts={**{f"violations: {rule}": count for rule, count in by_rule.items()}, **counts},
        violations=[f"seed {turn.seed}: {violation}" for violation in told[:20]],
    )


def broken(tally: Tally, *rules: str) -> int:
    """How many violations there were of these rules."""
    return sum(tally.count(f"violations: {rule}") for rule in rules)


def load_figures(tally: Tally) -> list[Figure]:
    """What there was to do, of each kind some: see TortureSystem.load_of."""
    return [
        Figure("runs", tally.count("runs"), least=1),
        Figure("runs with a chosen worker", tally.count("chosen"), least=1),
        Figure("triggers without a key", tally.count("without key"), least=1),
    ]


def others(tally: Tally, *rules: str) -> Figure:
    """How many violations there were of any other rule: none may be."""
    every = sum(count for name, count in tally.counts.items() if name.startswith("violations: "))
    return Figure("other violations", round(every) - broken(tally, *rules), 0)
