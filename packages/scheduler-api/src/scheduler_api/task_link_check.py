"""Whether waits for intervals and sub-flows can work, judged on what is written, before it is committed."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from scheduler_core.decisions.interval_check import IntervalCheck
from scheduler_core.decisions.link_rules import (
    IntervalEdge,
    ancestors_of,
    roots_of,
    sub_flow_problems,
    waiting_circle,
)
from scheduler_core.interfaces import UnitOfWork
from scheduler_core.models import Task, TaskGraph, interval_dependencies
from scheduler_core.models.task_link import LinkKind, TaskLink


class GraphProblem(NamedTuple):
    """What can never work, at which of the changed tasks, and in which field of it."""

    task_id: int
    message: str
    field: str = "dependencies"


async def check_links_of(work: UnitOfWork, changed: Collection[Task]) -> list[GraphProblem]:
    """Problems of intervals and sub-flows in all that is connected with the changed tasks; empty when all can run.

    Like the graph they are read after the change was written, and stay locked against others until the commit.
    """
    ids = sorted({task.id for task in changed})
    links = await work.tasks.links_around(ids)
    graph = TaskGraph([])
    while links:
        ends = {end for link in links for end in (link.task_id, link.other_task_id)}
        graph = await work.tasks.lock_graph_of(sorted({*ids, *ends}))
        seen, links = links, await work.tasks.links_around(ids)
        if links == seen:
            break
    if not links:
        return []
    tasks = await _tasks_of(work, graph, links, next(iter(changed)).namespace)
    check = _LinkCheck(graph, tasks, links, [task.id for task in changed])
    if circle := check.circle():
        return [circle]
    return check.sub_flows() + await asyncio.to_thread(check.intervals, await work.system.now())


async def _tasks_of(
    work: UnitOfWork, graph: TaskGraph, links: Sequence[TaskLink], namespace: str
) -> Mapping[int, Task]:
    """Those whose definitions decide: who waits for intervals, for whose, where their flows begin, and sub-flows."""
    ends = {end for link in links if link.kind is LinkKind.INTERVAL for end in (link.task_id, link.other_task_id)}
    ends = {end for end in ends if end in graph}
    targets = {link.other_task_id for link in links if link.kind is LinkKind.SUB_FLOW} & {node.id for node in graph}
    wanted = targets | {each for end in ends for each in (end, *roots_of(graph, end))}
    names = sorted(graph[each].name for each in wanted)
    return {task.id: task for task in await work.tasks.get_many(names, namespace)} if names else {}


class _LinkCheck:
    def __init__(
        self, graph: TaskGraph, tasks: Mapping[int, Task], links: Sequence[TaskLink], changed: Sequence[int]
    ) -> None:
        self._graph = graph
        self._tasks = tasks
        self._changed = changed
        self._sub_flows = [link for link in links if link.kind is LinkKind.SUB_FLOW]
        self._changed_ids = set(changed)
        owners = {link.task_id for link in links if link.kind is LinkKind.INTERVAL}
        by_name = {task.name: task.id for task in tasks.values()}
        self._edges = [
            IntervalEdge(owner, by_name[dependency.task], dependency)
            for owner in sorted(owners & tasks.keys())
            for dependency in interval_dependencies(tasks[owner].dependencies)
            if dependency.task in by_name
        ]

    def circle(self) -> GraphProblem | None:
        steps = waiting_circle(self._graph, self._edges)
        if not steps:
            return None
        told = ", ".join(step.words for step in steps)
        blamed = next((step for step in steps if step.task_id in self._changed), steps[0])
        return GraphProblem(
            blamed.task_id if blamed.task_id in self._changed else self._changed[0],
            f"The dependencies form a cycle: {told}. Remove one of these.",
            blamed.field,
        )

    def sub_flows(self) -> list[GraphProblem]:
        problems = []
        for owner, target, message in sub_flow_problems(self._graph):
            if owner in self._changed:
                problems.append(GraphProblem(owner, message, "sub_flow"))
            elif target in self._changed:
                problems.append(GraphProblem(target, message))
        return problems + self._without_parameters()

    def _without_parameters(self) -> list[GraphProblem]:
        """Sub-flows that would begin without a parameter that their first task requires: nobody could give it."""
        problems = []
        for link in self._sub_flows:
            target = self._tasks.get(link.other_task_id)
            required = (target.parameters_schema or {}).get("required", ()) if target is not None else ()
            missing = [name for name in required if target is not None and name not in target.parameters]
            if target is None or not missing:
                continue
            message = (
                f"As a sub-flow '{target.name}' would begin without parameters that its parameters_schema requires: "
                f"{', '.join(missing)[:200]}. Give them in the parameters of '{target.name}'."
            )
            if link.task_id in self._changed_ids:
                problems.append(GraphProblem(link.task_id, message, "sub_flow"))
            elif target.id in self._changed_ids:
                problems.append(GraphProblem(target.id, message, "parameters"))
        return problems

    def intervals(self, now: datetime) -> list[GraphProblem]:
        check = IntervalCheck(self._graph, self._tasks, now)
        ancestors = {end: ancestors_of(self._graph, end) for edge in self._edges for end in edge[:2]}
        problems = []
        for edge in self._edges:
            concerned = self._changed_ids & (ancestors[edge.task_id] | ancestors[edge.upstream_id])
            if not concerned:
                continue
            blamed = edge.task_id if edge.task_id in concerned else min(concerned)
            # Of another task it is the schedule, or what its flow begins with, that no longer suits.
            field = "dependencies" if blamed == edge.task_id or self._graph[blamed].depends_on else "schedule"
            problems += [GraphProblem(blamed, message, field) for message in check.problems(edge)]
        return list(dict.fromkeys(problems))
