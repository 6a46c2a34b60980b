"""Figures as a plain SVG: a panel for each unit, in it a group for each figure and a bar for each system."""

import math
from collections.abc import Mapping
from html import escape

from benchmarks.results import OURS, RATE, Key, Median, number_text

_WIDTH = 860
_LEFT = 170
"""Where bars begin; the names of systems end before it."""

_RIGHT = 90
"""Room for the number behind the longest bar."""

_BAR = 16
_GAP = 26
_AXIS = 34

_STYLE = """
text { font: 12px sans-serif; fill: #24292f; }
.title { font-weight: bold; }
.quiet { fill: #6e7781; }
.line { stroke: #d0d7de; }
.bar { fill: #9aa4ae; }
.ours { fill: #1f7a4d; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .quiet { fill: #8d96a0; }
  .line { stroke: #3d444d; }
  .bar { fill: #6e7681; }
  .ours { fill: #3fb978; }
}
"""


def svg_chart(found: Mapping[Key, Median], title: str = "") -> str:
    """A chart of these medians, on a logarithmic scale, without a background; it adapts to light and to dark pages."""
    parts: list[str] = []
    top = 10.0
    if title:
        top += 20
        parts.append(_text(10, top, title, "title"))
    # A panel of nothing but zeros, such as of slots that nobody missed, has nothing to show.
    for unit in dict.fromkeys(median.unit for median in found.values() if median.value > 0):
        panel, top = _panel({key: median for key, median in found.items() if median.unit == unit}, unit, top + 24)
        parts += panel
    height = math.ceil(top + 10)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">'
    )
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>"]) + "\n"


def _panel(found: Mapping[Key, Median], unit: str, top: float) -> tuple[list[str], float]:
    shown = [median.value for median in found.values() if median.value > 0]
    first, last = decades(shown)
    better = "more is better" if unit == RATE else "less is better"
    bars: list[str] = []
    below = top + 14
    for workload, metric in dict.fromkeys(key[1:] for key in found):
        below += _GAP - 8
        bars.append(_text(10, below, f"{workload} · {metric}", "title"))
        below += 6
        group = {key[0]: median for key, median in found.items() if key[1:] == (workload, metric)}
        for system in sorted(group, key=lambda system: (system != OURS, _rank(group[system]))):
            bars += _bar(system, group[system], below, first, last)
            below += _BAR + 4
    axis = []
    for decade in range(first, last + 1):
        x = _LEFT + (decade - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)
        axis.append(f'<line class="line" x1="{x:.1f}" x2="{x:.1f}" y1="{top + 16:.1f}" y2="{below + 4:.1f}"/>')
        axis.append(_text(x, below + 18, f"{10.0**decade:,g}", "quiet", "middle"))
    head = _text(10, top, f"{unit}, logarithmic ({better})", "quiet")
    return [head, *axis, *bars], below + _AXIS


def decades(values: list[float]) -> tuple[int, int]:
    """Powers of ten between which all values lie, the lower one below the least, so that every bar can be seen."""
    first = math.floor(math.log10(min(values)))
    if math.log10(min(values)) - first < 0.15:
        first -= 1
    return first, max(first + 1, math.ceil(math.log10(max(values))))


def _bar(system: str, median: Median, y: float, first: int, last: int) -> list[str]:
    share = (math.log10(median.value) - first) / (last - first) if median.value > 0 else 0.0
    width = max(1.0, share * (_WIDTH - _LEFT - _RIGHT))
    kind = "ours" if system == OURS else "bar"
    return [
        _text(_LEFT - 8, y + 12, system, "", "end"),
        f'<rect class="{kind}" x="{_LEFT}" y="{y:.1f}" width="{width:.1f}" height="{_BAR}"/>',
        _text(_LEFT + width + 6, y + 12, number_text(median.value)),
    ]


def _rank(median: Median) -> float:
    return -median.value if median.unit == RATE else median.value


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
