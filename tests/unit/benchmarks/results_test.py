"""What is made of the lines that benchmarks print."""

from pathlib import Path

from benchmarks.results import OURS, Median, error_line, markdown_table, medians, number_text, read_results, result_line


def test_benchmarks_unit_a_line_is_read_back_with_what_it_said(tmp_path: Path) -> None:
    """A figure survives its line, whatever else stands in that or around it."""
    file = tmp_path / "lines"
    file.write_text(result_line("W1-bulk", "total_per_s", 15321.23456, "1/s", 2, places=500) + "\nnot a figure\n\n{}\n")
    (found,) = read_results(file)
    assert (found.system, found.workload, found.metric) == (OURS, "W1-bulk", "total_per_s")
    assert (found.value, found.unit, found.repetition, found.error) == (15321.2346, "1/s", 2, "")


def test_benchmarks_unit_a_median_is_taken_per_system_workload_and_metric() -> None:
    """Figures of other systems, workloads and metrics do not meet, and errors count for none."""
    lines = [result_line("W2", "p50", value, "ms", number) for number, value in enumerate((3.0, 1.0, 8.0), 1)]
    lines += [result_line("W2", "p99", 9.0, "ms", 1), result_line("W2", "p50", 4.0, "ms", 1, system="other")]
    lines.append(error_line("W2", "it broke", 4))
    assert medians(read_results(lines)) == {
        (OURS, "W2", "p50"): Median(value=3.0, lowest=1.0, highest=8.0, repetitions=3, unit="ms"),
        (OURS, "W2", "p99"): Median(value=9.0, lowest=9.0, highest=9.0, repetitions=1, unit="ms"),
        ("other", "W2", "p50"): Median(value=4.0, lowest=4.0, highest=4.0, repetitions=1, unit="ms"),
    }


def test_benchmarks_unit_the_table_has_a_row_a_figure_and_a_column_a_system() -> None:
    """Ours stands first, ranges stand where there are several repetitions, and what failed says so."""
    lines = [
        result_line("W1-bulk", "total_per_s", 7000.0, "1/s", 1, system="peer"),
        result_line("W1-bulk", "total_per_s", 15000.0, "1/s", 1),
        result_line("W1-bulk", "total_per_s", 17000.0, "1/s", 2),
        result_line("W2", "p50", 2.345, "ms", 1),
        error_line("W2", "no queue", 1, system="peer"),
        error_line("W3", "too late", 1, system="peer"),
    ]
    assert markdown_table(read_results(lines)).splitlines() == [
        "| workload | figure | unit | scheduler | peer |",
        "|---|---|---|---:|---:|",
        "| W1-bulk | total_per_s | 1/s | 16,000 (15,000–17,000) | 7,000 |",
        "| W2 | p50 | ms | 2.35 | failed |",
        "| W3 |  |  | – | failed |",
    ]


def test_benchmarks_unit_a_number_has_the_digits_that_say_something() -> None:
    """Neither a rate has decimals nor a latency twelve."""
    assert [number_text(value) for value in (15321.2, 99.96, 2.3456, 0.0071, 0)] == [
        "15,321",
        "100",
        "2.35",
        "0.0071",
        "0",
    ]
