"""How two versions are judged by what they measured in turns."""

from collections.abc import Callable
from typing import cast

import pytest

from benchmarks import guard
from benchmarks.guard_sides import BEFORE, HERE, Side, SideError, wait_for
from benchmarks.guard_verdict import CPU, Pair, is_suspect, verdict
from benchmarks.results import RATE, Result, error_line, result_line


def _pairs(unit: str, *values: tuple[float, float]) -> list[Pair]:
    def result(value: float) -> Result:
        return Result(system="scheduler", workload="W1-bulk", metric="figure", value=value, unit=unit)

    return [Pair(here=result(here), before=result(before)) for here, before in values]


def test_benchmarks_unit_more_cost_is_above_one_for_rates_and_for_times() -> None:
    """Half the rate and twice the time are both twice the cost, by the median of what was measured together."""
    assert verdict(_pairs(RATE, (50, 100), (1, 90), (120, 240)), []).ratio == 2.0
    assert verdict(_pairs("ms", (8, 4), (9, 1), (2, 1)), []).ratio == 2.0


def test_benchmarks_unit_thirty_per_cent_are_borne() -> None:
    """What machines do by themselves is no verdict, and who is better is not worse."""
    assert not is_suspect(_pairs(CPU, (1.29, 1.0), (1.29, 1.0)))
    assert not is_suspect(_pairs(CPU, (0.1, 1.0)))
    assert not is_suspect([])


def test_benchmarks_unit_second_round_has_to_confirm_the_first_one() -> None:
    """One bad minute of a machine refuses nobody's change."""
    slow, even = _pairs(CPU, (1.6, 1.0), (1.5, 1.0)), _pairs(CPU, (1.0, 1.0), (1.1, 1.0))

    assert verdict(slow, slow).is_worse
    assert not verdict(slow, even).is_worse
    assert not verdict(slow, []).is_worse


def test_benchmarks_unit_times_on_the_clock_are_worse_when_all_are() -> None:
    """Where one measurement before was as slow as one now, it was the machine, of which a processor tells little."""
    first, second = ((2.0, 1.0), (9.0, 3.0)), ((2.0, 1.0), (2.1, 1.0))

    assert not verdict(_pairs("ms", *first), _pairs("ms", *second)).is_worse
    assert verdict(_pairs(CPU, *first), _pairs(CPU, *second)).is_worse
    assert verdict(_pairs("ms", *second), _pairs("ms", *second)).is_worse
    assert verdict(_pairs(RATE, (1, 2), (1, 2)), _pairs(RATE, (1, 2))).is_worse


def test_benchmarks_unit_verdict_says_whether_it_was_confirmed() -> None:
    """Somebody who reads of 1.6 times the cost is told why that was let pass."""
    slow, even = _pairs(CPU, (1.6, 1.0)), _pairs(CPU, (1.0, 1.0))

    assert str(verdict(slow, slow)) == "W1-bulk figure: 1.60 times the cost (1 before, 1.6 now) WORSE"
    assert str(verdict(slow, [])).endswith("ok: not confirmed")
    assert str(verdict(even, [])).endswith("ok")


class _Side:
    """One that answers as it is told, one answer after another, the last one again and again."""

    def __init__(self, name: str, *answers: Callable[[str], list[str]]) -> None:
        self.name = name
        self._answers = list(answers)

    def measure(self, workload: str) -> list[str]:
        """See Side."""
        return (self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])(workload)


def _figure(workload: str) -> list[str]:
    return [result_line(workload, "figure", 10.0, CPU, 1)]


def _missing(workload: str) -> list[str]:
    return [error_line(workload, "AssertionError: 3 of 2000 runs are missing", 1)]


def _gone(_: str) -> list[str]:
    raise SideError(HERE, "ended with exit code 1")


def _verdicts(here: _Side, before: _Side) -> list[tuple[bool, str]]:
    sides = cast(list[Side], [here, before])
    return [(each.is_worse, str(each)) for each in guard._judged(sides)]


@pytest.mark.parametrize(("answer", "reason"), [(_missing, "3 of 2000 runs are missing"), (_gone, "exit code 1")])
def test_benchmarks_unit_checkout_that_gives_no_figures_is_refused(
    answer: Callable[[str], list[str]], reason: str
) -> None:
    """Who loses runs that the commit before did not lose is worse than any slow one."""
    found = _verdicts(_Side(HERE, answer), _Side(BEFORE, _figure))

    assert len(found) == 3
    assert all(is_worse and reason in told for is_worse, told in found)


def test_benchmarks_unit_error_has_to_be_confirmed_and_to_be_of_this_checkout() -> None:
    """An error that is gone at once is the machine's; where the commit before has one too, nothing can be said."""
    found = _verdicts(_Side(HERE, _missing, _figure), _Side(BEFORE, _figure))
    assert [is_worse for is_worse, _ in found] == [False] * 3
    assert _verdicts(_Side(HERE, _missing), _Side(BEFORE, _missing)) == []
    assert _verdicts(_Side(HERE, _figure), _Side(BEFORE, _missing)) == []


class _Starting:
    """One that starts, or does not."""

    def __init__(self, name: str, *, starts: bool) -> None:
        self.name = name
        self._starts = starts

    def answer(self) -> str:
        """See Side."""
        if self._starts:
            return "ready"
        raise SideError(self.name, "ended with exit code 1")


@pytest.mark.parametrize(("before_starts", "side"), [(True, HERE), (False, BEFORE)])
def test_benchmarks_unit_checkout_that_does_not_start_is_told_from_a_machine_that_cannot(
    before_starts: bool,
    side: str,
) -> None:
    """It is this checkout's fault only where the commit before starts."""
    sides = [_Starting(HERE, starts=False), _Starting(BEFORE, starts=before_starts)]
    with pytest.raises(SideError) as raised:
        wait_for(cast(list[Side], sides))
    assert raised.value.side == side
