"""The dispatcher's dependency checker."""

from scheduler_core.models import TaskGraph, TaskNode
from scheduler_dispatcher.dependency_checker import FlowDependencyChecker


def test_problems_are_those_of_the_flow_rules() -> None:
    """What can never be in one flow is told, all else has no problem."""
    graph = TaskGraph(
        [
            TaskNode(id=1, name="a", task_version_id=1),
            TaskNode(id=2, name="b", task_version_id=2),
            TaskNode(id=3, name="c", task_version_id=3, depends_on=(1,)),
            TaskNode(id=4, name="d", task_version_id=4, depends_on=(1, 2)),
        ]
    )
    checker = FlowDependencyChecker(graph)
    assert checker.problems(3) == []
    assert "share no root" in checker.problems(4)[0]
