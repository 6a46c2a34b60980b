"""Circles over dependencies, intervals and sub-flows."""

from collections.abc import Mapping, Sequence

import pytest

from scheduler_core.decisions.link_rules import IntervalEdge, roots_of, sub_flow_problems, waiting_circle
from scheduler_core.models import Dependency, FlowOptions, TaskGraph, TaskNode

NAMES = ("a", "b", "c", "d", "e")


def graph(edges: Mapping[str, str] = {}, sub_flows: Mapping[str, str] = {}) -> TaskGraph:
    """Tasks a to e, each with those it depends on, and with the task whose flow it runs."""
    return TaskGraph(
        TaskNode(
            id=NAMES.index(name) + 1,
            name=name,
            task_version_id=1,
            depends_on=tuple(NAMES.index(upstream) + 1 for upstream in edges.get(name, "")),
            flow_options=FlowOptions(sub_flow=sub_flows.get(name)),
            sub_flow_id=NAMES.index(sub_flows[name]) + 1 if name in sub_flows else None,
        )
        for name in NAMES
    )


def intervals(*edges: tuple[str, str, str]) -> list[IntervalEdge]:
    """Who waits for which interval of whom."""
    return [
        IntervalEdge(NAMES.index(task) + 1, NAMES.index(upstream) + 1, Dependency(upstream, interval))
        for task, interval, upstream in edges
    ]


@pytest.mark.parametrize(
    ("tasks", "waits", "told"),
    [
        (graph({"a": "b", "b": "a"}), [], ["'a' depends on 'b'", "'b' depends on 'a'"]),
        (
            graph({"b": "a"}),
            intervals(("a", "contained", "b")),
            ["'a' waits for the interval contained of 'b'", "'b' depends on 'a'"],
        ),
        (
            graph(),
            intervals(("a", "latest", "b"), ("b", "within:6h", "a")),
            ["'a' waits for the interval latest of 'b'", "'b' waits for the interval within:6h of 'a'"],
        ),
        (
            graph(sub_flows={"a": "b", "b": "a"}),
            [],
            ["'a' runs the flow of 'b'", "'b' runs the flow of 'a'"],
        ),
        (
            graph({"c": "b", "a": "c"}, {"a": "b"}),
            [],
            ["'a' runs the flow of 'b'", "'a' is a part of the flow of 'b'"],
        ),
        (
            graph({"c": "b"}, {"a": "b"}),
            intervals(("c", "same", "a")),
            [
                "'a' runs the flow of 'b'",
                "'c' is a part of the flow of 'b'",
                "'c' waits for the interval same of 'a'",
            ],
        ),
    ],
)
def test_waiting_circle_is_told_edge_by_edge(tasks: TaskGraph, waits: list[IntervalEdge], told: Sequence[str]) -> None:
    """Each edge of a circle is told with what kind it is."""
    assert sorted(step.words for step in waiting_circle(tasks, waits)) == sorted(told)


@pytest.mark.parametrize(
    ("tasks", "waits"),
    [
        (graph({"b": "a", "c": "ab", "d": "bc"}), []),
        (graph(), intervals(("a", "previous:1", "a"))),
        (graph({"b": "a"}), intervals(("a", "previous:3", "b"))),
        (graph({"b": "a"}, {"c": "a", "b": "d"}), intervals(("c", "same", "d"))),
        (graph(sub_flows={"a": "b", "b": "c", "d": "b"}), []),
    ],
)
def test_waiting_circle_finds_none_where_all_can_run(tasks: TaskGraph, waits: list[IntervalEdge]) -> None:
    """Waiting for the past is no circle, nor are a diamond, a sub-flow in a sub-flow or one that is run twice."""
    assert waiting_circle(tasks, waits) == []


def test_sub_flow_problems_name_where_the_flow_begins() -> None:
    """The target of a sub-flow has no dependencies; the remedy names the root."""
    tasks = graph({"c": "b", "b": "a"}, {"d": "c", "e": "a"})
    assert list(sub_flow_problems(tasks)) == [
        (4, 3, "'c' has dependencies, so no flow begins with it that 'd' could run. Name 'a'.")
    ]
    assert roots_of(tasks, 3) == [1]
    assert roots_of(tasks, 1) == [1]
