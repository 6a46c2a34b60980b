"""What two checkouts measure in turns, and that one of them does not."""

import sys
from collections.abc import Sequence

from benchmarks.guard_sides import Side, SideError
from benchmarks.guard_verdict import Pair
from benchmarks.results import Result, read_results

Figures = dict[str, list[Pair]]
"""Pairs by metric."""


class BrokenError(Exception):
    """This checkout gives no figures, twice, where the commit before does."""


def measured(sides: Sequence[Side], workload: str, turns: int) -> Figures:
    """So many pairs of each figure; fewer where one cannot be measured, which is said. Raises BrokenError."""
    here, before = sides
    found: Figures = {}
    for turn in range(turns):
        # Neither side always comes first, nor always after the other.
        order = (here, before) if turn % 2 == 0 else (before, here)
        results = {side.name: _results(side, workload) for side in order}
        if _errors(results[here.name]) and not _errors(results[before.name]):
            say(f"{workload} again, for {here.name} gives no figures: {'; '.join(_errors(results[here.name]))}")
            results = {side.name: _results(side, workload) for side in order}
            if (errors := _errors(results[here.name])) and not _errors(results[before.name]):
                raise BrokenError("; ".join(errors))
        if errors := [f"{name}: {error}" for name, told in results.items() for error in _errors(told)]:
            say(f"{workload} cannot be compared: {'; '.join(errors)}")
            break
        for mine, other in zip(results[here.name], results[before.name], strict=True):
            found.setdefault(mine.metric, []).append(Pair(mine, other))
    return found


def _results(side: Side, workload: str) -> list[Result]:
    try:
        return read_results(side.measure(workload))
    except SideError as error:
        return [Result(system=side.name, workload=workload, error=str(error))]


def _errors(results: Sequence[Result]) -> list[str]:
    return [result.error for result in results if result.error]


def say(text: str) -> None:
    """Tell whoever looks on."""
    print(f"bench-guard: {text}", file=sys.stderr, flush=True)
