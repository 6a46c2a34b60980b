"""Whether the dependencies of changed tasks can be fulfilled, judged on what is written, before it is committed."""

from collections.abc import Collection
from itertools import pairwise
from typing import NamedTuple

from scheduler_core.decisions.flow_rules import find_cycle, graph_problems
from scheduler_core.interfaces import UnitOfWork
from scheduler_core.models import Task, TaskGraph


class GraphProblem(NamedTuple):
    """What can never work, at which task, and which of the changed tasks brings it about."""

    task_id: int
    message: str


async def check_graph_of(work: UnitOfWork, changed: Collection[Task]) -> list[GraphProblem]:
    """Problems of the changed tasks and of everything downstream of them; empty when all can run.

    The graph is read after the change was written and stays locked against others until the commit: of two changes
    that close a cycle together, one sees the other or collides with it.
    """
    ids = dict.fromkeys(task.id for task in changed)
    graph = await work.tasks.lock_graph_of(list(ids))
    if all(task_id in ids for task_id in _nodes(graph)) and not any(node.depends_on for node in graph):
        return []
    # The ancestors of what is downstream are wanted, too: a fan-in is judged by all of its upstreams.
    affected = _downstream(graph, ids)
    if set(affected) - set(ids):
        graph = await work.tasks.lock_graph_of(affected)
    cycle = find_cycle(graph)
    if cycle:
        owner = next((task.id for task in changed if task.name in cycle), next(iter(ids)))
        edges = ", ".join(f"'{a}' depends on '{b}'" for a, b in pairwise(cycle))
        return [GraphProblem(owner, f"The dependencies form a cycle: {edges}. Remove one of these dependencies.")]
    return [
        GraphProblem(task_id, message)
        for task_id, message in graph_problems(graph, [task_id for task_id in affected if task_id in graph])
    ]


def _nodes(graph: TaskGraph) -> list[int]:
    return [node.id for node in graph]


def _downstream(graph: TaskGraph, ids: Collection[int]) -> list[int]:
    """The ids and everything that depends on them, directly or not."""
    found = dict.fromkeys(ids)
    waiting = list(ids)
    while waiting:
        for task_id in graph.downstream_of(waiting.pop()):
            if task_id not in found:
                found[task_id] = None
                waiting.append(task_id)
    return list(found)
