"""Whether the dependencies of a task can ever be fulfilled."""

from collections.abc import Sequence

from scheduler_core.decisions.flow_rules import dependency_problems
from scheduler_core.interfaces import DependencyChecker
from scheduler_core.models import TaskGraph


class FlowDependencyChecker(DependencyChecker):
    """Judges by the rule that all upstreams of a run must be runs of the same flow."""

    def __init__(self, graph: TaskGraph) -> None:
        self._graph = graph

    def problems(self, task_id: int) -> Sequence[str]:
        """Why this task's dependencies can never be fulfilled, as sentences; empty when they can."""
        return dependency_problems(self._graph, task_id)
