"""How two versions are judged by what they measured in turns."""

from benchmarks.guard_verdict import CPU, Pair, is_suspect, verdict
from benchmarks.results import RATE, Result


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
