"""What the chart of figures shows."""

import xml.etree.ElementTree as ET

import pytest

from benchmarks.chart import decades, svg_chart
from benchmarks.results import medians, read_results, result_line

_SVG = "{http://www.w3.org/2000/svg}"


def test_benchmarks_unit_a_chart_has_a_bar_for_each_figure_of_each_system() -> None:
    """Ten times as fast is as much longer at either end of the scale, ours is told apart, names are text."""
    lines = [
        result_line("W1", "rate", 15000.0, "1/s", 1),
        result_line("W1", "rate", 1500.0, "1/s", 1, system="a & b"),
        result_line("W1", "rate", 150.0, "1/s", 1, system="slow"),
        result_line("W2", "p50", 2.0, "ms", 1),
        result_line("W3", "missed", 0.0, "slots", 1),
    ]
    drawn = ET.fromstring(svg_chart(medians(read_results(lines)), "Figures"))  # noqa: S314  our own text
    bars = [(bar.get("class"), float(bar.get("width", 0))) for bar in drawn.iter(f"{_SVG}rect")]
    assert [kind for kind, _ in bars] == ["ours", "bar", "bar", "ours"]
    first, second, third = (width for _, width in bars[:3])
    assert first - second == pytest.approx(second - third, abs=0.2)
    texts = [text.text or "" for text in drawn.iter(f"{_SVG}text")]
    assert not any("slots" in text for text in texts)
    assert {"Figures", "a & b", "15,000", "W2 · p50", "ms, logarithmic (less is better)"} <= set(texts)


def test_benchmarks_unit_a_scale_begins_below_its_least_value() -> None:
    """The shortest bar can be seen, the longest one fits, and one value alone has a scale."""
    assert [decades(values) for values in ([1000.0], [1.1, 90.0], [5.0, 500.0], [0.3, 0.4])] == [
        (2, 3),
        (-1, 2),
        (0, 3),
        (-1, 0),
    ]
