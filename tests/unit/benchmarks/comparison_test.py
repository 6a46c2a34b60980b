"""Who is measured when, and what the tables of a comparison say."""

import pytest

from benchmarks.comparison import (
    Turn,
    charted,
    comparison_tables,
    failures,
    ratio_to_ours,
    remaining_seconds,
    turns,
    with_section,
)
from benchmarks.results import OURS, Result, error_line, medians, read_results, result_line


def _results() -> list[Result]:
    lines = [
        result_line("W1-bulk", "total_per_s", 15_000.0, "1/s", 1),
        result_line("W1-bulk", "total_per_s", 17_000.0, "1/s", 2),
        result_line("W1-bulk", "own_per_s", 1.0, "1/s", 1),
        result_line("W1-bulk", "total_per_s", 8_000.0, "1/s", 1, system="peer"),
        result_line("W2-latency", "p50", 2.0, "ms", 1),
        result_line("W2-latency", "p50", 4.0, "ms", 1, system="peer"),
        error_line("W2-latency", "no queue", 1, system="broken"),
        result_line("W3-due", "1000_missed", 0.0, "slots", 1),
        result_line("W3-due", "1000_missed", 0.0, "slots", 1, system="peer"),
    ]
    return read_results(lines)


def test_benchmarks_unit_systems_take_turns_in_an_order_that_is_reversed_every_other_time() -> None:
    """Those of one workload follow each other, ours is among them, and who cannot do it is left out."""
    offers = {"a": ("W1", "W2"), "b": ("W1",)}
    found = turns(offers, ["W1", "W2"], 2)
    assert [(turn.repetition, turn.workload, turn.system) for turn in found] == [
        (1, "W1", OURS),
        (1, "W1", "a"),
        (1, "W1", "b"),
        (1, "W2", OURS),
        (1, "W2", "a"),
        (2, "W1", "b"),
        (2, "W1", "a"),
        (2, "W1", OURS),
        (2, "W2", "a"),
        (2, "W2", OURS),
    ]


def test_benchmarks_unit_ours_is_not_measured_where_no_peer_has_the_workload() -> None:
    """There would be nothing to compare it with."""
    assert turns({"a": ("W1",)}, ["W2"], 3) == []


def test_benchmarks_unit_the_time_left_follows_what_the_same_turns_took() -> None:
    """Another system stands in for one that was not measured yet; only what none has done is guessed."""
    done = [(Turn(1, "W1", "a"), 10.0), (Turn(2, "W1", "a"), 20.0)]
    assert remaining_seconds(done, [Turn(3, "W1", "a"), Turn(4, "W1", "a")]) == 30.0
    done.append((Turn(1, "W1", "b"), 60.0))
    assert remaining_seconds(done, [Turn(3, "W1", "b"), Turn(3, "W1", "c")]) == 90.0
    assert remaining_seconds(done, [Turn(1, "W3-due", "a")]) > remaining_seconds(done, [Turn(1, "W2", "a")]) > 0


def test_benchmarks_unit_ratios_are_ours_over_theirs_from_medians() -> None:
    """None for ourselves, for a figure that one of both lacks, and where there is nothing to divide by."""
    found = medians(_results())
    assert ratio_to_ours(found, ("peer", "W1-bulk", "total_per_s")) == 2.0
    assert ratio_to_ours(found, ("peer", "W2-latency", "p50")) == 0.5
    assert ratio_to_ours(found, (OURS, "W1-bulk", "total_per_s")) is None
    assert ratio_to_ours(found, ("peer", "W3-due", "1000_missed")) is None
    assert ratio_to_ours(found, ("peer", "W9", "p50")) is None


def test_benchmarks_unit_a_table_a_workload_shows_records_ranges_ratios_and_failures() -> None:
    """Ours comes first; what only ours has is no comparison and stays out."""
    tables = comparison_tables(_results(), {OURS: "all", "peer": "nothing"})
    assert tables.splitlines() == [
        "| W1-bulk | on record | total_per_s, 1/s (more is better) |",
        "|---|---|---:|",
        "| scheduler | all | 16,000 (15,000–17,000) |",
        "| peer | nothing | 8,000 · 2 × |",
        "",
        "| W2-latency | on record | p50, ms |",
        "|---|---|---:|",
        "| scheduler | all | 2 |",
        "| broken |  | failed |",
        "| peer | nothing | 4 · 0.5 × |",
        "",
        "| W3-due | on record | 1000_missed, slots |",
        "|---|---|---:|",
        "| scheduler | all | 0 |",
        "| peer | nothing | 0 |",
    ]


def test_benchmarks_unit_a_workload_that_failed_everywhere_is_still_told() -> None:
    """A table without figures names those that failed."""
    tables = comparison_tables(read_results([error_line("W4-fan", "no", 1, system="peer")]), {})
    assert tables.splitlines()[2:] == ["| peer |  |"]
    assert failures(read_results([error_line("W4-fan", "no", 3, system="peer")])) == ["peer, W4-fan, repetition 3: no"]


def test_benchmarks_unit_a_chart_shows_what_was_chosen_in_its_order() -> None:
    """Figures that say little in a bar are left out."""
    assert list(charted(medians(reversed(_results())))) == [
        ("peer", "W1-bulk", "total_per_s"),
        (OURS, "W1-bulk", "total_per_s"),
        ("peer", "W2-latency", "p50"),
        (OURS, "W2-latency", "p50"),
    ]


def test_benchmarks_unit_a_page_keeps_everything_outside_the_markers() -> None:
    """Writing twice gives what writing once gives."""
    page = "before\n<!-- x: begin -->\nold\n<!-- x: end -->\nafter\n"
    once = with_section(page, "x", "new\n")
    assert once == "before\n<!-- x: begin -->\nnew\n<!-- x: end -->\nafter\n"
    assert with_section(once, "x", "new\n") == once


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<!-- x: begin -->\n",
        "<!-- x: end -->\n<!-- x: begin -->\n",
        "<!-- x: begin -->\n" * 2 + "<!-- x: end -->\n",
    ],
)
def test_benchmarks_unit_a_page_without_both_markers_is_refused(page: str) -> None:
    """Nothing is written into a page that has no place for it."""
    with pytest.raises(ValueError, match="no place for the table"):
        with_section(page, "x", "new")
