"""A flow as a drawing for the terminal: its lanes, and beside them how each run stands."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from scheduler_api.client.flow_lanes import NODE, LaneRow, draw_lanes, ordered
from scheduler_api.client.flow_words import by_head, edge_words, look_of, note_words, status_colour, took_words
from scheduler_api.client.output import printable
from scheduler_api.client.text_width import cut_text, padded_text, text_width

_SIGNS = {
    "COMPLETED": "●", "RUNNING": "◐", "PENDING": "○", "DISPATCHED": "○", "FAILED": "✗", "TIMEOUT": "✗",
    "QUARANTINED": "✗", "CANCELLED": "⊘", "SKIPPED": "⊘",
}  # fmt: skip
_ASCII = str.maketrans(
    {"│": "|", "─": "-", **dict.fromkeys("┌┐└┘├┤┬┴┼", "+"), "●": "*", "◐": ">", "○": "o", "✗": "x", "⊘": "-", "…": "."}
)
_HEADINGS = ("TASK", "STATUS", "RUN", "TOOK", "WORKER")
_WIDTH_MIN = 40


class Look(NamedTuple):
    """How a drawing may look: how wide it is, whether in colour, and whether with more than ASCII."""

    width: int = 80
    colour: bool = False
    unicode: bool = True


class _Levels(NamedTuple):
    """The runs by the head of their sub-flow, and what each waits for."""

    nodes: Mapping[int | None, Sequence[Mapping[str, Any]]]
    edges: Mapping[int, Sequence[Mapping[str, Any]]]
    lanes_max: int


class _Line(NamedTuple):
    """A line before its columns are aligned; without a node only `left` is shown."""

    left: str
    below: str
    node: Mapping[str, Any] | None
    notes: Sequence[str] = ()


def draw_flow(view: Mapping[str, Any], look: Look, now: str | None = None) -> str:
    """The flow's runs, each on a line behind those that it waits for; sub-flows stand below their head, indented.

    No line is wider than `look.width`, of at least 40. `now` stands in for the clock.
    """
    look = look._replace(width=max(look.width, _WIDTH_MIN))
    levels = _Levels(by_head(view["nodes"]), _by_run(view["edges"]), look.width // 6)
    lines = list(_lines(levels, None, ""))
    text = "".join(f"{line}\n" for line in _aligned(lines, look, now))
    return text if look.unicode else text.translate(_ASCII)


def _by_run(edges: Sequence[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    found: dict[int, list[Mapping[str, Any]]] = {}
    for edge in edges:
        found.setdefault(edge["run_id"], []).append(edge)
    return found


def _lines(levels: _Levels, head: int | None, indent: str) -> Iterator[_Line]:
    """The drawing of one level, in it those of the levels below."""
    nodes = {node["run_id"]: node for node in levels.nodes.get(head, ())}
    upstreams = {
        run_id: [e["upstream_run_id"] for e in levels.edges.get(run_id, ()) if e["upstream_run_id"] in nodes]
        for run_id in nodes
    }
    inside = [(upstream, run_id) for run_id, found in upstreams.items() for upstream in found]
    order = ordered(list(nodes), inside)
    drawing = draw_lanes(order, inside, levels.lanes_max)
    for row in drawing.rows if drawing is not None else [LaneRow(node, NODE, "") for node in order]:
        if row.node is None:
            yield _Line(indent + row.cells, indent + row.below, None)
            continue
        node = nodes[row.node]
        outside = [edge for edge in levels.edges.get(row.node, ()) if edge["kind"] != "dependency"]
        notes = note_words(node) + [edge_words(edge) for edge in outside]
        if not (drawing is not None and drawing.is_exact) and upstreams[row.node]:
            notes.append(f"after {_some([str(nodes[upstream]['task_name']) for upstream in upstreams[row.node]])}")
        sign = _SIGNS.get(look_of(node), "○")
        yield _Line(f"{indent}{row.cells.replace(NODE, sign)} ", indent + row.below, node, notes)
        if row.node in levels.nodes:
            yield from _lines(levels, row.node, f"{indent}{row.below or ' '}   ")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _aligned(lines: Sequence[_Line], look: Look, now: str | None) -> Iterator[str]:
    shown = [line.node for line in lines if line.node is not None]
    rows = {
        node["run_id"]: (str(node["status"]), str(node["run_id"]), took_words(node, now), node.get("worker_id") or "-")
        for node in shown
    }
    widths = [max(map(text_width, column)) for column in zip(_HEADINGS[1:], *rows.values(), strict=True)]
    names = {node["run_id"]: printable(str(node["task_name"])) for node in shown}
    wanted = max(
        (text_width(line.left) + text_width(names[line.node["run_id"]]) for line in lines if line.node), default=0
    )
    # The worker comes last and gives way first.
    fixed = sum(widths[:3]) + 2 * 4
    first = min(max(wanted, 4), max(look.width - fixed - min(widths[3], 12), 8))
    whole = first + sum(widths) + 2 * len(widths)
    yield cut_text(_joined(first, _HEADINGS[0], _HEADINGS[1:], widths), look.width)
    for line in lines:
        if line.node is None:
            yield line.left.rstrip()
            continue
        run_id = line.node["run_id"]
        room = max(first - text_width(line.left), 3)
        name = cut_text(names[run_id], room)
        plain = cut_text(
            _joined(first, line.left + name, [printable(cell) for cell in rows[run_id]], widths), look.width
        )
        notes = printable("; ".join(line.notes))
        if notes and whole + 2 + text_width(notes) <= look.width:
            yield _coloured(f"{padded_text(plain, whole)}  {notes}", line.node["status"], look)
            continue
        yield _coloured(plain, line.node["status"], look)
        prefix = f"{line.below or ' '}   "
        for part in textwrap.wrap(notes, max(look.width - text_width(prefix), 20), break_on_hyphens=False):
            yield prefix + part


def _joined(first: int, name: str, cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [padded_text(name, first), *(padded_text(cell, width) for cell, width in zip(cells, widths, strict=True))]
    return "  ".join(padded).rstrip()


def _coloured(text: str, status: str, look: Look) -> str:
    colour = status_colour(status)
    if not look.colour or colour is None:
        return text
    before, sep, after = text.partition(f"  {status}")
    return f"{before}  \x1b[{colour}m{status}\x1b[0m{after}" if sep else text
