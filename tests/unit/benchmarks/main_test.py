"""How `make bench` goes through its workloads."""

import signal
from collections.abc import Iterator

import pytest

from benchmarks import __main__ as bench
from benchmarks.results import read_results
from benchmarks.workloads.figure import QUICK, Figure, Size, Workload


def _works(size: Size) -> Iterator[Figure]:
    yield Figure("rate", size.runs, "1/s", {"metric": "rate", "places": 7})
    yield Figure("p50", 3, "ms")


def _fails(size: Size) -> Iterator[Figure]:
    yield Figure("rate", 1, "1/s")
    raise AssertionError("a run is missing")


def _lasts(size: Size) -> Iterator[Figure]:
    signal.pause()
    yield Figure("rate", 1, "1/s")


def test_benchmarks_unit_a_workload_that_fails_or_lasts_keeps_no_other_from_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All workloads take turns, each failure is a line, and what was measured before it stays."""
    known = {"fails": Workload(_fails, 60, ""), "lasts": Workload(_lasts, 0.01, ""), "works": Workload(_works, 60, "")}
    monkeypatch.setattr(bench, "WORKLOADS", known)
    found = read_results(bench.measured(list(known), QUICK, 2))
    assert [(each.repetition, each.workload, each.metric, each.value, each.error) for each in found] == [
        row
        for repetition in (1, 2)
        for row in (
            (repetition, "fails", "rate", 1.0, ""),
            (repetition, "fails", "", None, "a run is missing"),
            (repetition, "lasts", "", None, "not within 0.01 s"),
            (repetition, "works", "rate", 2000.0, ""),
            (repetition, "works", "p50", 3.0, ""),
        )
    ]
