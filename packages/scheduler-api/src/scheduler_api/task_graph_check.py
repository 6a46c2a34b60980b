"""Whether the dependencies of changed tasks can be fulfilled, judged on what is written, before it is committed."""

import asyncio
from collections.abc import Collection
from itertools import pairwise

from scheduler_api.task_link_check import GraphProblem, check_links_of
from scheduler_core.decisions.flow_rules import find_cycle, graph_problems
from scheduler_core.decisions.map_rules import map_problem, mapped_upstream
from scheduler_core.decisions.result_rules import use_problem, uses_of
from scheduler_core.interfaces import UnitOfWork
from scheduler_core.models import Task, TaskGraph


async def check_graph_of(work: UnitOfWork, changed: Collection[Task]) -> list[GraphProblem]:
    """Problems of the changed tasks and of everything downstream of them; empty when all can run.

    The graph is read after the change was written and stays locked against others until the commit: of two changes
    that close a cycle together, one sees the other or collides with it.
    """
    namespaces = sorted({task.namespace for task in changed})
    return [
        problem
        for namespace in namespaces
        for problem in await _check_namespace(work, [task for task in changed if task.namespace == namespace])
    ]


async def _check_namespace(work: UnitOfWork, changed: Collection[Task]) -> list[GraphProblem]:
    ids = dict.fromkeys(task.id for task in changed)
    graph = await work.tasks.lock_graph_of(list(ids))
    if all(task_id in ids for task_id in _nodes(graph)) and not any(node.depends_on for node in graph):
        return await check_links_of(work, changed)
    # The ancestors of what is downstream are wanted, too: a fan-in is judged by all of its upstreams.
    affected = _downstream(graph, ids)
    if set(affected) - set(ids):
        graph = await work.tasks.lock_graph_of(affected)
    cycle = find_cycle(graph)
    if cycle:
        owner = next((task.id for task in changed if task.name in cycle), next(iter(ids)))
        edges = ", ".join(f"'{a}' depends on '{b}'" for a, b in pairwise(cycle))
        return [GraphProblem(owner, f"The dependencies form a cycle: {edges}. Remove one of these dependencies.")]
    present = [task_id for task_id in affected if task_id in graph]
    problems = [GraphProblem(task_id, message) for task_id, message in graph_problems(graph, present)]
    problems += await _map_problems(work, graph, present, changed)
    problems += await _use_problems(work, changed)
    return problems + await check_links_of(work, changed)


async def _map_problems(
    work: UnitOfWork, graph: TaskGraph, task_ids: Collection[int], changed: Collection[Task]
) -> list[GraphProblem]:
    """Tasks that are mapped over what can never be a list."""
    mapped = {
        task_id: (map_over, whole[0])
        for task_id in task_ids
        if (map_over := graph[task_id].flow_options.map_over) and (whole := mapped_upstream(map_over))
    }
    if not mapped:
        return []
    ids, namespace = {task.id for task in changed}, next(iter(changed)).namespace
    names = {name for _, name in mapped.values()}
    upstreams = {task.name: task for task in await work.tasks.get_many(sorted(names), namespace)}
    problems = []
    for task_id, (map_over, name) in mapped.items():
        upstream = upstreams.get(name)
        if upstream is None:
            continue
        told = map_problem(map_over, upstream.task_type, upstream.definition().flow_options())
        if told is None:
            continue
        if task_id in ids:
            problems.append(GraphProblem(task_id, told, "map_over"))
        elif upstream.id in ids:
            told = f"'{graph[task_id].name}' is mapped over '{name}'. {told}"
            problems.append(GraphProblem(upstream.id, told, "task_type"))
    return problems


async def _use_problems(work: UnitOfWork, changed: Collection[Task]) -> list[GraphProblem]:
    """Changed tasks whose templates take from a run upstream what it can never have."""
    concerned = [task for task in changed if task.dependencies]
    # Many templates take long to read: the loop goes on meanwhile.
    found = await asyncio.to_thread(lambda: [(task, uses_of(task.definition())) for task in concerned])
    names = {use.name for _, uses in found for use in uses}
    if not names:
        return []
    namespace = next(iter(changed)).namespace
    upstreams = {task.name: task for task in await work.tasks.get_many(sorted(names), namespace)}
    problems = []
    for task, uses in found:
        for use in uses:
            upstream = upstreams.get(use.name)
            if upstream is None or (use.field == "map_over" and mapped_upstream(task.map_over or "")):
                continue
            told = use_problem(use, upstream.task_type, upstream.definition().flow_options())
            if told is not None:
                problems.append(GraphProblem(task.id, told, use.field))
    return problems


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
