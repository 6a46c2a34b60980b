"""Which runs belong together: a root and everything that waits for it, planned before any of them exists."""

from collections.abc import Iterable

from scheduler_core.decisions.admission import birth_status
from scheduler_core.models import FlowMember, FlowPlan, TaskGraph, TaskStatus


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
    cycle = find_cycle(TaskGraph(graph[i] for i in (task_id, *_ancestors(graph, task_id))))
    if cycle:
        return [f"The dependencies form a cycle: {' → '.join(cycle)}. Remove one of these dependencies."]
    roots = {upstream: _roots(graph, upstream) for upstream in node.depends_on}
    if set.intersection(*roots.values()):
        return []
    told = "; ".join(f"'{graph[u].name}' starts with {_quoted(graph, roots[u])}" for u in node.depends_on)
    sentence = (
        f"'{node.name}' can never run: its dependencies are never in the same flow, because they share no root "
        f"({told}). Let them depend on one common task, or depend on tasks of one flow only."
    )
    return [sentence]


def plan_flow(graph: TaskGraph, root_id: int, *, delayed: bool = False) -> FlowPlan:
    """The runs that a slot or trigger of `root_id` brings with it, root first, upstreams before downstreams.

    With the root come all tasks downstream that have no schedule of their own, are not INACTIVE, and whose every
    upstream is in the flow or an ancestor of the root: an ancestor's data is taken as given when a task in the
    middle of a graph is triggered. `delayed` says that the root may not start at once.
    """
    members, upstreams_within = _members(graph, root_id)
    position = {task_id: index for index, task_id in enumerate(members)}
    edges = tuple(
        (position[upstream], position[task_id]) for task_id in members for upstream in upstreams_within[task_id]
    )
    needed = {upstream for upstream, _ in edges}
    return FlowPlan(
        members=tuple(
            FlowMember(
                task_id=task_id,
                task_version_id=graph[task_id].task_version_id,
                status=birth_status(
                    graph[task_id].status, len(upstreams_within[task_id]), delayed and task_id == root_id
                ),
                waiting_on=len(upstreams_within[task_id]),
                needs_settlement=position[task_id] in needed,
            )
            for task_id in members
        ),
        edges=edges,
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


def _roots(graph: TaskGraph, task_id: int) -> set[int]:
    """Where flows that can reach a task begin; a scheduled task begins a flow of its own and joins no other."""
    return {i for i in (task_id, *_ancestors(graph, task_id)) if not graph[i].depends_on}


def _is_present(graph: TaskGraph, task_id: int) -> bool:
    return task_id in graph and graph[task_id].status is not TaskStatus.INACTIVE


def _quoted(graph: TaskGraph, ids: Iterable[int]) -> str:
    return " and ".join(sorted(f"'{graph[i].name}'" for i in ids))
