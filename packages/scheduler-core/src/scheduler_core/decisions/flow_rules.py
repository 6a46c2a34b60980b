"""Which runs belong together: a root and everything that waits for it, planned before any of them exists."""

from collections.abc import Iterable, Iterator
from functools import reduce
from operator import and_, or_

from scheduler_core.decisions.admission import birth_status
from scheduler_core.models import ALL_SUCCESS, FlowMember, FlowPlan, TaskGraph, TaskNode, TaskStatus


def find_cycle(graph: TaskGraph) -> list[str] | None:
    """The names along one cycle, each depending on the next, the first repeated at the end; None without a cycle.

    >>> from scheduler_core.models import TaskNode
    >>> a = TaskNode(id=1, name="a", task_version_id=1, depends_on=(2,))
    >>> b = TaskNode(id=2, name="b", task_version_id=2, depends_on=(1,))
    >>> find_cycle(TaskGraph([a, b]))
    ['a', 'b', 'a']
    """
    finished: set[int] = set()
    for start in sorted(node.id for node in graph):
        path: dict[int, None] = {}
        stack = [(start, iter(_upstreams(graph, start)))] if start not in finished else []
        path[start] = None
        while stack:
            task_id, upstreams = stack[-1]
            upstream = next(upstreams, None)
            if upstream is None:
                stack.pop()
                path.pop(task_id)
                finished.add(task_id)
            elif upstream in path:
                ids = list(path)
                return [graph[i].name for i in (*ids[ids.index(upstream) :], upstream)]
            elif upstream not in finished:
                path[upstream] = None
                stack.append((upstream, iter(_upstreams(graph, upstream))))
    return None


def dependency_problems(graph: TaskGraph, task_id: int) -> list[str]:
    """Why the dependencies of a task can never be fulfilled, as sentences; empty when they can.

    All upstreams of a task must come from one common root (a task without dependencies, scheduled or not): only
    runs that start from the same slot or trigger are in one flow.
    """
    cycle = find_cycle(TaskGraph(graph[i] for i in (task_id, *_ancestors(graph, task_id))))
    return _problems(graph, task_id, cycle, _Roots(graph))


def graph_problems(graph: TaskGraph, task_ids: Iterable[int]) -> Iterator[tuple[int, str]]:
    """The `dependency_problems` of many tasks, each beside its id; work that they share is done once.

    A graph with a cycle has no other problem, told of every task in or behind it.
    """
    if find_cycle(graph) is not None:
        yield from ((task_id, problem) for task_id in task_ids for problem in dependency_problems(graph, task_id))
        return
    roots = _Roots(graph)
    for task_id in task_ids:
        yield from ((task_id, problem) for problem in _problems(graph, task_id, None, roots))


def _problems(graph: TaskGraph, task_id: int, cycle: list[str] | None, roots: "_Roots") -> list[str]:
    node = graph[task_id]
    if not node.depends_on:
        return []
    problems = [
        f"'{node.name}' depends on task {upstream}, which does not exist or was deleted."
        for upstream in node.depends_on
        if not _is_present(graph, upstream)
    ]
    if node.has_schedule:
        problems.append(
            f"'{node.name}' has a schedule and dependencies. A task runs either on its schedule or when its "
            "dependencies have completed: remove one of them."
        )
    if problems:
        return problems
    if cycle:
        return [f"The dependencies form a cycle: {' → '.join(cycle)}. Remove one of these dependencies."]
    if reduce(and_, (roots.mask_of(upstream) for upstream in node.depends_on)):
        return []
    told = "; ".join(f"'{graph[u].name}' starts with {_quoted(graph, roots.of(u))}" for u in node.depends_on)
    sentence = (
        f"'{node.name}' can never run: its dependencies are never in the same flow, because they share no root "
        f"({told}). Let them depend on one common task, or depend on tasks of one flow only."
    )
    return [sentence]


def plan_flow(graph: TaskGraph, root_id: int, *, delayed: bool = False) -> FlowPlan:
    """The runs that a slot or trigger of `root_id` brings with it, root first, upstreams before downstreams.

    With the root come all tasks downstream that have no schedule of their own, are not INACTIVE, and whose every
    upstream is in the flow or an ancestor of the root: an ancestor's data is taken as given when a task in the
    middle of a graph is triggered. `delayed` says that the root may not start at once. Edges from ancestors are not
    counted: of several dependencies a trigger rule then judges those within the flow.
    """
    members, upstreams_within = _members(graph, root_id)
    position = {task_id: index for index, task_id in enumerate(members)}
    edges = tuple(
        (position[upstream], position[task_id]) for task_id in members for upstream in upstreams_within[task_id]
    )
    needed = {upstream for upstream, _ in edges}
    return FlowPlan(
        members=tuple(
            _member(
                graph[task_id],
                len(upstreams_within[task_id]),
                delayed=delayed and task_id == root_id,
                needs_settlement=position[task_id] in needed,
            )
            for task_id in members
        ),
        edges=edges,
    )


def _member(node: TaskNode, upstreams: int, *, delayed: bool, needs_settlement: bool) -> FlowMember:
    options = node.flow_options
    has_rule = upstreams > 0 and options.trigger_rule != ALL_SUCCESS
    return FlowMember(
        task_id=node.id,
        task_version_id=node.task_version_id,
        status=birth_status(node.status, upstreams, delayed or options.expands),
        waiting_on=upstreams,
        needs_settlement=needs_settlement or node.is_awaited,
        trigger_rule=options.trigger_rule if has_rule else None,
        upstreams=upstreams,
        expands=options.expands,
        is_tolerated=options.continue_on_failure,
    )


def _members(graph: TaskGraph, root_id: int) -> tuple[list[int], dict[int, list[int]]]:
    """Members in topological order, each with its upstreams within the flow in ascending order."""
    given = _ancestors(graph, root_id)
    members = [root_id]
    upstreams_within: dict[int, list[int]] = {root_id: []}
    for member in members:  # grows while it is walked: a task joins when the last of its upstreams has
        for task_id in graph.downstream_of(member):
            node = graph[task_id]
            if task_id in upstreams_within or node.has_schedule or node.status is TaskStatus.INACTIVE:
                continue
            upstreams = set(node.depends_on)
            within = {upstream for upstream in upstreams if upstream in upstreams_within}
            if task_id not in given and upstreams <= within | given:
                members.append(task_id)
                upstreams_within[task_id] = sorted(within)
    return members, upstreams_within


def _upstreams(graph: TaskGraph, task_id: int) -> tuple[int, ...]:
    return tuple(upstream for upstream in graph[task_id].depends_on if upstream in graph)


def _ancestors(graph: TaskGraph, task_id: int) -> set[int]:
    found: set[int] = set()
    waiting = list(_upstreams(graph, task_id))
    while waiting:
        ancestor = waiting.pop()
        if ancestor not in found:
            found.add(ancestor)
            waiting.extend(_upstreams(graph, ancestor))
    return found


class _Roots:
    """Where flows that can reach a task begin: tasks without dependencies. For what has no cycle above it.

    Sets are numbers, a bit for each root: a thousand tasks that share their ancestors are joined in no time.
    """

    def __init__(self, graph: TaskGraph) -> None:
        self._graph = graph
        self._ids = [node.id for node in graph if not node.depends_on]
        self._masks = {task_id: 1 << index for index, task_id in enumerate(self._ids)}

    def mask_of(self, task_id: int) -> int:
        stack = [task_id]
        while stack:
            upstreams = _upstreams(self._graph, stack[-1])
            unknown = [upstream for upstream in upstreams if upstream not in self._masks]
            if unknown and stack[-1] not in self._masks:
                stack.extend(unknown)
                continue
            current = stack.pop()
            if current not in self._masks:
                self._masks[current] = reduce(or_, (self._masks[upstream] for upstream in upstreams), 0)
        return self._masks[task_id]

    def of(self, task_id: int) -> list[int]:
        mask = self.mask_of(task_id)
        return [root for index, root in enumerate(self._ids) if mask >> index & 1]


def _is_present(graph: TaskGraph, task_id: int) -> bool:
    return task_id in graph and graph[task_id].status is not TaskStatus.INACTIVE


def _quoted(graph: TaskGraph, ids: Iterable[int]) -> str:
    return " and ".join(sorted(f"'{graph[i].name}'" for i in ids))
