"""Lanes that show who waits for whom."""

from hypothesis import given
from hypothesis import strategies as st

from scheduler_api.client.flow_lanes import DOWN, NODE, UP, LaneRow, draw_lanes, ordered

SHAPES = {
    "│": UP | DOWN, "─": 0, " ": 0, "┌": DOWN, "┐": DOWN, "└": UP, "┘": UP, "├": UP | DOWN, "┤": UP | DOWN,
    "┬": DOWN, "┴": UP, "┼": UP | DOWN,
}  # fmt: skip

EDGES = st.integers(2, 9).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.sets(
            st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda edge: edge[0] < edge[1]),
            max_size=16,
        ),
    )
)


def read_back(rows: list[LaneRow]) -> set[tuple[int, int]]:
    """The edges that a drawing shows to somebody who follows its lines downwards."""
    found: set[tuple[int, int]] = set()
    above: dict[int, set[int]] = {}
    for row in rows:
        below: dict[int, set[int]] = {}
        lanes = row.cells[::2]
        for column, sign in enumerate(lanes):
            if sign == NODE:
                assert row.node is not None
                found |= {(source, row.node) for source in above.get(column, ())}
                below[column] = {row.node}
            elif sign == "│":
                below[column] = above.get(column, set())
        for span in joined_spans(row.cells):
            ups = [column for column in span if SHAPES[lanes[column]] & UP]
            downs = [column for column in span if SHAPES[lanes[column]] & DOWN]
            assert len(ups) == 1 or len(downs) == 1, row.cells
            assert all(above.get(column) for column in ups), row.cells
            for column in downs:
                below[column] = set().union(*(above[up] for up in ups))
        above = below
    return found


def joined_spans(cells: str) -> list[list[int]]:
    """The columns that each horizontal line joins; those of lanes that pass over it are left out."""
    if "─" not in cells:
        return []
    low, high = cells.index("─") - 1, len(cells) - 1 - cells[::-1].index("─") + 1
    return [[position // 2 for position in range(low, high + 1, 2) if cells[position] not in "│─ "]]


@given(EDGES)
def test_api_unit_drawing_shows_exactly_the_edges(graph: tuple[int, set[tuple[int, int]]]) -> None:
    """With room enough, whoever follows the lines finds each edge and no other, and each node on one line."""
    count, edges = graph
    drawing = draw_lanes(ordered(range(count), edges), edges, 99)
    assert drawing is not None
    assert drawing.is_exact
    assert sorted(row.node for row in drawing.rows if row.node is not None) == list(range(count))
    assert read_back(drawing.rows) == edges


@given(EDGES, st.integers(1, 6))
def test_api_unit_drawing_keeps_to_its_lanes(graph: tuple[int, set[tuple[int, int]]], lanes_max: int) -> None:
    """What is drawn at all has no more lanes behind a line than are allowed."""
    count, edges = graph
    drawing = draw_lanes(ordered(range(count), edges), edges, lanes_max)
    if drawing is not None:
        assert all(len(row.below[::2]) <= lanes_max for row in drawing.rows if row.node is not None)


@given(EDGES)
def test_api_unit_order_puts_each_node_behind_what_it_waits_for(graph: tuple[int, set[tuple[int, int]]]) -> None:
    """Every node is there once."""
    count, edges = graph
    order = ordered(range(count), edges)
    assert sorted(order) == list(range(count))
    assert all(order.index(upstream) < order.index(node) for upstream, node in edges)


def test_api_unit_edges_share_lanes_when_they_are_many() -> None:
    """Four that each wait for four others need sixteen lanes, or four that are shared."""
    edges = [(upstream, node) for upstream in range(4) for node in range(4, 8)]
    order = ordered(range(8), edges)
    wide, shared = draw_lanes(order, edges, 16), draw_lanes(order, edges, 5)
    assert wide is not None
    assert shared is not None
    assert (wide.is_exact, shared.is_exact) == (True, False)
    assert draw_lanes(order, edges, 2) is None
