"""When the runs of a flow ran: as bars for the terminal, and as an SVG picture."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from scheduler_api.client.flow_graph import Look
from scheduler_api.client.flow_words import by_head, look_of, note_words, span_of, status_colour, took_words
from scheduler_api.client.human_time import parse_instant, show_duration, show_instant
from scheduler_api.client.output import printable
from scheduler_api.client.text_width import cut_text, padded_text, text_width

_ROW, _BAR = 22, 14
_LEFT, _RIGHT, _TOP, _BOTTOM = 220, 190, 56, 34
_WIDTH = 1000
_ROWS_MAX = 2000
_ATTRIBUTES = 'role="img" font-family="sans-serif" font-size="12"'
_NOT_XML = re.compile(r"[\ud800-\udfff\ufffe\uffff]")
_SYMBOLS = str.maketrans({"█": "#", "▏": "|", "…": "."})
_STYLE = """\
  .paper { fill: #ffffff } text { fill: #303030 } .faint { fill: #707070 } .line { stroke: #b8b8b8; fill: none }
  .completed { fill: #2e7d4f } .running, .dispatched { fill: #2f6fb2 } .pending { fill: #8a8a8a }
  .failed, .timeout, .quarantined { fill: #b3382c } .cancelled, .skipped { fill: #b08612 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #16191d } text { fill: #e4e4e4 } .faint { fill: #a0a0a0 } .line { stroke: #4c5157 }
    .completed { fill: #5fb881 } .running, .dispatched { fill: #6ba6e3 } .pending { fill: #8a8a8a }
    .failed, .timeout, .quarantined { fill: #e8776b } .cancelled, .skipped { fill: #d9b23f }
  }"""


class _Bar(NamedTuple):
    """A run, how deep in sub-flows it stands, and from where to where of the whole it ran; None: it did not."""

    node: Mapping[str, Any]
    depth: int
    start: float | None
    end: float | None


class _Chart(NamedTuple):
    start: datetime
    seconds: float
    bars: list[_Bar]


def gantt_text(view: Mapping[str, Any], look: Look, now: str | None = None) -> str:
    """A line for each run with its bar, from the first start to the last end; no line is wider than `look.width`."""
    now = now or datetime.now(UTC).isoformat()
    chart = _chart(view, now)
    width = max(look.width, 60)
    names = ["  " * bar.depth + printable(str(bar.node["task_name"])) for bar in chart.bars]
    first = min(max(map(text_width, ["TASK", *names])), width // 3)
    durations = [took_words(bar.node, now) for bar in chart.bars]
    took = max(map(len, ["TOOK", *durations]))
    room = width - first - took - 11 - 6
    scale = f"0{show_duration(chart.seconds):>{room - 1}}"
    lines = [f"{padded_text('TASK', first)}  {'STATUS':<11}  {'TOOK':<{took}}  {scale}"]
    for bar, name, told in zip(chart.bars, names, durations, strict=True):
        status = str(bar.node["status"])
        shown = f"{status:<11}"
        colour = status_colour(status) if look.colour else None
        cell = f"\x1b[{colour}m{shown}\x1b[0m" if colour else shown
        drawn = _text_bar(bar, room)
        lines.append(f"{padded_text(cut_text(name, first), first)}  {cell}  {told:<{took}}  {drawn}".rstrip())
    text = "\n".join([*lines, ""])
    return text if look.unicode else text.translate(_SYMBOLS)


def gantt_svg(view: Mapping[str, Any], now: str | None = None) -> str:
    """The same as an SVG document: each bar has its run's words as a tooltip; readable on light and dark."""
    now = now or datetime.now(UTC).isoformat()
    chart = _chart(view, now)
    flow = view["flow"]
    bars = chart.bars[:_ROWS_MAX]
    height = _TOP + _ROW * len(bars) + _BOTTOM
    title = f"Flow {flow['id']} of {flow['task_name']}: {flow['status']}"
    end = show_duration(chart.seconds)
    plot = _WIDTH - _LEFT - _RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {_ATTRIBUTES}>',
        f"<title>{_text(title)}</title>",
        f"<desc>{_text(_description(view, chart))}</desc>",
        f"<style>\n{_STYLE}\n</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        f'<text x="12" y="22" font-size="14" font-weight="bold">{_text(cut_text(title, 120))}</text>',
        f'<text class="faint" x="{_LEFT}" y="{_TOP - 10}">{_text(_instant(chart.start))}</text>',
        f'<text class="faint" x="{_LEFT + plot}" y="{_TOP - 10}" text-anchor="end">+{_text(end)}</text>',
    ]
    parts += [
        f'<path class="line" d="M{_LEFT + plot * mark / 4:.1f} {_TOP - 4}V{height - _BOTTOM}"/>' for mark in range(5)
    ]
    for index, bar in enumerate(bars):
        parts += _svg_bar(bar, _TOP + _ROW * index, plot, now)
    return "\n".join([*parts, "</svg>\n"])


def _chart(view: Mapping[str, Any], now: str) -> _Chart:
    nodes = list(_nested(view["nodes"]))
    spans = [span_of(node, now) for node, _ in nodes]
    starts = [parse_instant(start) for start, _ in spans if start is not None]
    ends = [parse_instant(end) for _, end in spans if end is not None]
    start = min(starts, default=parse_instant(view["flow"].get("created_at") or now))
    seconds = max((max(ends, default=start) - start).total_seconds(), 0.001)
    bars = []
    for (node, depth), (begun, ended) in zip(nodes, spans, strict=True):
        first = None if begun is None else (parse_instant(begun) - start).total_seconds() / seconds
        last = None if ended is None else (parse_instant(ended) - start).total_seconds() / seconds
        bars.append(_Bar(node, depth, first, last if last is None or first is None else max(last, first)))
    return _Chart(start, seconds, bars)


def _nested(nodes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Each node with its depth, those of a sub-flow behind their head."""
    children = by_head(nodes)
    stack = [(node, 0) for node in reversed(children.get(None, []))]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        stack += [(child, depth + 1) for child in reversed(children.get(node["run_id"], []))]


def _text_bar(bar: _Bar, room: int) -> str:
    """At least a thin line for whatever ran."""
    if bar.start is None or bar.end is None:
        return ""
    first = min(int(bar.start * room), room - 1)
    length = round((bar.end - bar.start) * room)
    return " " * first + ("█" * min(length, room - first) if length else "▏")


def _svg_bar(bar: _Bar, top: float, plot: int, now: str) -> Iterator[str]:
    node = bar.node
    words = "; ".join([str(node["status"]).lower(), took_words(node, now), *note_words(node)])
    name = str(node["task_name"])
    x = 12 + 14 * bar.depth
    middle = top + _ROW - 7
    tooltip = f"{name} (run {node['run_id']}): {words}"
    yield f"<g><title>{_text(tooltip)}</title>"
    yield f'<text x="{x}" y="{middle}">{_text(cut_text(name, max(30 - 2 * bar.depth, 8)))}</text>'
    if bar.start is not None and bar.end is not None:
        left, width = _LEFT + plot * bar.start, max(plot * (bar.end - bar.start), 1.5)
        kind = _text(look_of(node).lower())
        yield (
            f'<rect class="{kind}" x="{left:.1f}" y="{top + (_ROW - _BAR) / 2:.1f}" width="{width:.1f}" '
            f'height="{_BAR}" rx="2"/>'
        )
    told = f"{str(node['status']).lower()}, {took_words(node, now)}"
    yield f'<text class="faint" x="{_WIDTH - _RIGHT + 10}" y="{middle}">{_text(told)}</text></g>'


def _description(view: Mapping[str, Any], chart: _Chart) -> str:
    shown = min(len(chart.bars), _ROWS_MAX)
    return f"{shown} of {view['node_count']} runs from {_instant(chart.start)} on, over {show_duration(chart.seconds)}."


def _instant(instant: datetime) -> str:
    return show_instant(instant.isoformat(), UTC)


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", printable(text)), {'"': "&quot;"})
