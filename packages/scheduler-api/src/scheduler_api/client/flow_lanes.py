"""Draws who waits for whom as lanes, top down: each run has a line of its own, and its edges run beside it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8

_BOX = {
    UP | DOWN: "│", LEFT | RIGHT: "─", UP: "│", DOWN: "│",
    DOWN | RIGHT: "┌", DOWN | LEFT: "┐", UP | RIGHT: "└", UP | LEFT: "┘",
    UP | DOWN | RIGHT: "├", UP | DOWN | LEFT: "┤", LEFT | RIGHT | DOWN: "┬", LEFT | RIGHT | UP: "┴",
    UP | DOWN | LEFT | RIGHT: "┼",
}  # fmt: skip

NODE = "\0"
"""Stands in a row's cells where the run's own sign belongs."""


class LaneRow(NamedTuple):
    """A line of the drawing: the run on it, if there is one, its lanes, and the lanes of what is written below it."""

    node: int | None
    cells: str
    below: str


def ordered(nodes: Sequence[int], edges: Iterable[tuple[int, int]]) -> list[int]:
    """The nodes, each behind all that it waits for; what follows from a node comes soon after it.

    >>> ordered([1, 2, 3, 4], [(1, 2), (1, 3), (2, 4)])
    [1, 2, 4, 3]
    """
    downstream: dict[int, list[int]] = {node: [] for node in nodes}
    waiting = dict.fromkeys(nodes, 0)
    for upstream, node in set(edges):
        downstream[upstream].append(node)
        waiting[node] += 1
    ready = [node for node in reversed(nodes) if waiting[node] == 0]
    found = []
    while ready:
        node = ready.pop()
        found.append(node)
        for later in sorted(downstream[node], reverse=True):
            waiting[later] -= 1
            if waiting[later] == 0:
                ready.append(later)
    return found


class LaneDrawing(NamedTuple):
    """The rows of a drawing. `is_exact`: each edge has a lane of its own, so that there is one way to read it."""

    rows: list[LaneRow]
    is_exact: bool


def draw_lanes(order: Sequence[int], edges: Iterable[tuple[int, int]], lanes_max: int) -> LaneDrawing | None:
    """The drawing of nodes in an `ordered` order; where lanes are too many, edges to the same run share one.

    None when that does not fit into `lanes_max` lanes either.
    """
    position = {node: index for index, node in enumerate(order)}
    downstream: dict[int, list[int]] = {node: [] for node in order}
    for upstream, node in set(edges):
        downstream[upstream].append(node)
    for targets in downstream.values():
        targets.sort(key=position.__getitem__)
    for shares in (False, True):
        drawing = _Drawing(lanes_max, shares=shares)
        if all(drawing.add(node, downstream[node]) for node in order):
            return LaneDrawing(drawing.rows, is_exact=not shares)
    return None


class _Drawing:
    """Grows by a node at a time. A lane is a column that leads to a run further down; None is a free one."""

    def __init__(self, lanes_max: int, *, shares: bool) -> None:
        self.rows: list[LaneRow] = []
        self._lanes: list[int | None] = []
        self._widest = 0
        self._lanes_max = lanes_max
        self._shares = shares

    def add(self, node: int, targets: Sequence[int]) -> bool:
        """Draw a node that leads to `targets`; False when there is no room for that."""
        columns = [column for column, target in enumerate(self._lanes) if target == node]
        if not columns:
            if self.rows:
                # Else it would seem to go on from what ends just above it.
                self._row(None, {})
            columns = [self._free_column(0)]
        column, *merged = columns
        if merged:
            self._join(column, UP | DOWN, dict.fromkeys(merged, UP))
            for other in merged:
                self._lanes[other] = None
        self._lanes[column] = node
        shared = [target for target in targets if self._shares and target in self._lanes]
        fresh = [target for target in targets if target not in shared]
        self._row(node, {column: NODE}, below=None if targets else column)
        self._lanes[column] = fresh[0] if fresh else None
        joined = {self._lanes.index(target): UP | DOWN for target in shared}
        for target in fresh[1:]:
            other = self._free_column(column + 1)
            self._lanes[other] = target
            joined[other] = DOWN
        if joined:
            self._join(column, UP | DOWN if fresh else UP, joined)
        while self._lanes and self._lanes[-1] is None:
            self._lanes.pop()
        return self._widest <= self._lanes_max

    def _free_column(self, start: int) -> int:
        for column in range(start, len(self._lanes)):
            if self._lanes[column] is None:
                return column
        self._lanes.append(None)
        self._widest = max(self._widest, len(self._lanes))
        return len(self._lanes) - 1

    def _row(self, node: int | None, marks: Mapping[int, str], below: int | None = None) -> None:
        """Lanes that go straight on, but for the marks; the lane `below` ends with this row."""
        straight = ["│" if target is not None else " " for target in self._lanes]
        cells = [marks.get(column, sign) for column, sign in enumerate(straight)]
        if below is not None:
            straight[below] = " "
        self.rows.append(LaneRow(node, " ".join(cells).rstrip(" "), " ".join(straight).rstrip(" ")))

    def _join(self, column: int, shape: int, others: Mapping[int, int]) -> None:
        """A row that joins a column with others; lanes between them pass over it."""
        low, high = min(column, *others), max(column, *others)
        signs = []
        for index, target in enumerate(self._lanes):
            own = shape if index == column else others.get(index)
            if own is not None:
                signs.append(_BOX[own | (LEFT if index > low else 0) | (RIGHT if index < high else 0)])
            elif target is not None:
                signs.append("│")
            else:
                signs.append("─" if low < index < high else " ")
        text = "".join(sign + ("─" if low <= index < high else " ") for index, sign in enumerate(signs))
        self.rows.append(LaneRow(None, text.rstrip(" "), text.rstrip(" ")))
