"""How two versions are judged by what they measured in turns."""

from benchmarks.guard import verdicts
from benchmarks.results import Result, read_results, result_line


def _side(rates: list[float], delays: list[float]) -> list[Result]:
    lines = [result_line("W1-bulk", "total_per_s", rate, "1/s", 1) for rate in rates]
    return read_results([*lines, *(result_line("W2-latency", "p50", delay, "ms", 1) for delay in delays)])


def test_benchmarks_unit_more_cost_is_above_one_for_rates_and_for_times() -> None:
    """Half the rate and twice the time are both twice the cost, by the medians."""
    sides = {"this checkout": _side([1, 50, 60], [8, 9, 1]), "before": _side([100, 90, 110], [4, 3, 5])}
    assert [(verdict.workload, verdict.ratio, verdict.is_worse) for verdict in verdicts(sides)] == [
        ("W1-bulk", 2.0, True),
        ("W2-latency", 2.0, True),
    ]


def test_benchmarks_unit_thirty_per_cent_are_borne() -> None:
    """What machines do by themselves is no verdict, and who is better is not worse."""
    sides = {"this checkout": _side([100], [13]), "before": _side([129], [100])}
    assert [verdict.is_worse for verdict in verdicts(sides)] == [False, False]


def test_benchmarks_unit_what_one_side_alone_has_is_not_judged() -> None:
    """A figure that the commit before did not have has nothing to stand to."""
    assert verdicts({"this checkout": _side([1], [1]), "before": _side([], [])}) == []
