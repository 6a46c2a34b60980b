"""Whether tasks that wait for intervals, or run the flows of others, can ever run: judged over all kinds of edges."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scheduler_core.decisions.interval_text import IntervalKind, parse_interval
from scheduler_core.models import Dependency, TaskGraph


class IntervalEdge(NamedTuple):
    """A task that waits for intervals of another."""

    task_id: int
    upstream_id: int
    dependency: Dependency


class WaitStep(NamedTuple):
    """One edge of a circle: whose it is, in which field of its definition it stands, and a sentence without an end."""

    task_id: int
    field: str
    words: str


def waiting_circle(graph: TaskGraph, intervals: Sequence[IntervalEdge]) -> list[WaitStep]:
    """The edges along one circle of tasks that wait for each other in any way; empty without one.

    Slots before the own interval (previous:K) close no circle. A task with a sub-flow waits for all tasks of that flow.
    """
    edges = _Edges(graph, intervals)
    finished: set[int] = set()
    for start in sorted(node.id for node in graph):
        path: list[_Edge] = []
        stack = [(start, edges.of(start))] if start not in finished else []
        on_path = {start}
        while stack:
            node, further = stack[-1]
            edge = next(further, None)
            if edge is None:
                stack.pop()
                on_path.discard(node)
                finished.add(node)
                if path:
                    path.pop()
            elif edge.target in on_path:
                circle = [*path, edge]
                first = next(index for index, each in enumerate(circle) if each.source == edge.target)
                return [_step(graph, each) for each in circle[first:] if each.target != -each.source]
            elif edge.target not in finished:
                path.append(edge)
                on_path.add(edge.target)
                stack.append((edge.target, edges.of(edge.target)))
    return []


def sub_flow_problems(graph: TaskGraph) -> Iterator[tuple[int, int, str]]:
    """Tasks whose sub-flow does not begin a flow, the task that it names, and why it does not."""
    for node in graph:
        if node.sub_flow_id is None or node.sub_flow_id not in graph:
            continue
        target = graph[node.sub_flow_id]
        if target.depends_on:
            roots = sorted(f"'{graph[root].name}'" for root in roots_of(graph, target.id))
            first = f" Name {' or '.join(roots)}." if roots else ""
            yield (
                node.id,
                target.id,
                f"'{target.name}' has dependencies, so no flow begins with it that '{node.name}' could run.{first}",
            )


def ancestors_of(graph: TaskGraph, task_id: int) -> set[int]:
    """The task and all that it depends on within its flow, directly or not."""
    found, waiting = {task_id}, [task_id]
    while waiting:
        for upstream in graph[waiting.pop()].depends_on:
            if upstream in graph and upstream not in found:
                found.add(upstream)
                waiting.append(upstream)
    return found


def roots_of(graph: TaskGraph, task_id: int) -> list[int]:
    """Where the flows begin that a task belongs to, in ascending order: itself when it has no dependencies."""
    return sorted(each for each in ancestors_of(graph, task_id) if not graph[each].depends_on)


class _Edge(NamedTuple):
    """From node to node. A negative one is the flow that begins with the task of that number, which is its first part.

    That edge is told by none: that a task begins its own flow is clear.
    """

    source: int
    target: int
    owner: int
    kind: str


class _Edges:
    def __init__(self, graph: TaskGraph, intervals: Sequence[IntervalEdge]) -> None:
        self._graph = graph
        self._intervals: dict[int, list[IntervalEdge]] = {}
        for edge in intervals:
            if edge.upstream_id in graph and parse_interval(edge.dependency.interval).kind is not IntervalKind.PREVIOUS:
                self._intervals.setdefault(edge.task_id, []).append(edge)

    def of(self, node_id: int) -> Iterator[_Edge]:
        if node_id < 0:
            yield from (_Edge(node_id, member, -node_id, "part") for member in _downstream(self._graph, -node_id))
            return
        node = self._graph[node_id]
        for upstream in node.depends_on:
            if upstream in self._graph:
                yield _Edge(node_id, upstream, node_id, "flow")
        for each in self._intervals.get(node_id, ()):
            yield _Edge(node_id, each.upstream_id, node_id, each.dependency.interval)
        if node.sub_flow_id is not None and node.sub_flow_id in self._graph:
            yield _Edge(node_id, -node.sub_flow_id, node_id, "sub_flow")


def _downstream(graph: TaskGraph, task_id: int) -> list[int]:
    found, waiting = {task_id: None}, [task_id]
    while waiting:
        for each in graph.downstream_of(waiting.pop()):
            if each not in found:
                found[each] = None
                waiting.append(each)
    return list(found)


def _step(graph: TaskGraph, edge: _Edge) -> WaitStep:
    name = graph[edge.owner].name
    target = graph[abs(edge.target)].name
    if edge.kind == "part":
        return WaitStep(edge.owner, "sub_flow", f"'{target}' is a part of the flow of '{name}'")
    if edge.kind == "sub_flow":
        return WaitStep(edge.owner, "sub_flow", f"'{name}' runs the flow of '{target}'")
    if edge.kind == "flow":
        return WaitStep(edge.owner, "dependencies", f"'{name}' depends on '{target}'")
    return WaitStep(edge.owner, "dependencies", f"'{name}' waits for the interval {edge.kind} of '{target}'")
