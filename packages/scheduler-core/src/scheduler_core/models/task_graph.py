"""Who waits for whom: the tasks of a namespace, or the part of them that one root can reach."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from scheduler_core.models.flow_options import FlowOptions
from scheduler_core.models.task import TaskStatus


class TaskNode(msgspec.Struct, frozen=True, kw_only=True):
    """A task in the graph; `depends_on` are ids of its upstream tasks within a flow.

    `has_intervals` says that it depends on intervals of other schedules, `is_awaited` that others depend on intervals
    of this task's flow. `sub_flow_id` is the task that `flow_options.sub_flow` names.
    """

    id: int
    name: str
    task_version_id: int
    status: TaskStatus = TaskStatus.ACTIVE
    has_schedule: bool = False
    depends_on: tuple[int, ...] = ()
    flow_options: FlowOptions = FlowOptions()
    sub_flow_id: int | None = None
    has_intervals: bool = False
    is_awaited: bool = False


class TaskGraph:
    """An immutable set of nodes with lookups in both directions; edges to ids outside the set are kept."""

    def __init__(self, nodes: Iterable[TaskNode]) -> None:
        self._nodes: Mapping[int, TaskNode] = {node.id: node for node in nodes}
        downstream: dict[int, list[int]] = {}
        for node in self._nodes.values():
            for upstream in node.depends_on:
                downstream.setdefault(upstream, []).append(node.id)
        self._downstream = {key: tuple(sorted(ids)) for key, ids in downstream.items()}

    def __contains__(self, task_id: int) -> bool:
        return task_id in self._nodes

    def __getitem__(self, task_id: int) -> TaskNode:
        return self._nodes[task_id]

    def __iter__(self) -> Iterator[TaskNode]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)

    def downstream_of(self, task_id: int) -> tuple[int, ...]:
        """Ids of the tasks that depend directly on `task_id`, in ascending order."""
        return self._downstream.get(task_id, ())
