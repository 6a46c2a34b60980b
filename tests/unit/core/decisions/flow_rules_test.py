"""Flows: cycles, dependencies that can never be fulfilled, and the laws of every plan."""

import time
from collections.abc import Mapping, Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.flow_rules import dependency_problems, find_cycle, graph_problems, plan_flow
from scheduler_core.models import FlowPlan, TaskGraph, TaskNode, TaskRunStatus, TaskStatus


def node(
    name: str,
    *upstreams: str,
    status: TaskStatus = TaskStatus.ACTIVE,
    has_schedule: bool = False,
) -> TaskNode:
    """A task with a one-letter name; its id is the letter's number, its version ten times that."""
    return TaskNode(
        id=ord(name),
        name=name,
        task_version_id=ord(name) * 10,
        status=status,
        has_schedule=has_schedule,
        depends_on=tuple(map(ord, upstreams)),
    )


def names(plan: FlowPlan) -> str:
    """The members of a plan, in order."""
    return "".join(chr(member.task_id) for member in plan.members)


def edges(plan: FlowPlan) -> set[str]:
    """The edges of a plan, as pairs of names."""
    return {chr(plan.members[up].task_id) + chr(plan.members[down].task_id) for up, down in plan.edges}


def test_find_cycle_names_the_tasks_along_it() -> None:
    """A cycle is told as its names in order, the first repeated; what merely leads into it is left out."""
    graph = TaskGraph([node("z", "a"), node("a", "b"), node("b", "c"), node("c", "a"), node("y")])
    cycle = find_cycle(graph)
    assert cycle is not None
    assert cycle[0] == cycle[-1]
    assert sorted(cycle[:-1]) == ["a", "b", "c"]
    assert all(ord(second) in graph[ord(first)].depends_on for first, second in pairwise(cycle))


def test_find_cycle_accepts_a_diamond_and_a_missing_upstream() -> None:
    """Two ways to one task are no cycle, and an edge out of the graph is none either."""
    assert find_cycle(TaskGraph([node("a", "x"), node("b", "a"), node("c", "a"), node("d", "b", "c")])) is None


def test_find_cycle_goes_as_deep_as_the_graph() -> None:
    """A chain of 20,000 tasks neither overflows the stack nor takes long; its closing edge is found."""
    chain = [TaskNode(id=i, name=f"t{i}", task_version_id=i, depends_on=(i - 1,) if i else ()) for i in range(20_000)]
    assert find_cycle(TaskGraph(chain)) is None
    closed = TaskNode(id=0, name="t0", task_version_id=0, depends_on=(19_999,))
    cycle = find_cycle(TaskGraph([closed, *chain[1:]]))
    assert cycle is not None
    assert len(cycle) == 20_001


def test_dependency_problems_accepts_one_common_root() -> None:
    """A diamond below one root, scheduled or only triggered, can always be fulfilled."""
    for has_schedule in (True, False):
        graph = TaskGraph(
            [node("a", has_schedule=has_schedule), node("b", "a"), node("c", "a"), node("d", "b", "c", "a")]
        )
        assert [dependency_problems(graph, ord(name)) for name in "abcd"] == [[], [], [], []]


def test_dependency_problems_refuses_upstreams_of_two_roots() -> None:
    """Tasks that different slots start are never in one flow: the refusal names both roots."""
    graph = TaskGraph([node("a", has_schedule=True), node("b"), node("c", "a"), node("d", "c", "b")])
    [problem] = dependency_problems(graph, ord("d"))
    assert "'d' can never run" in problem
    assert "'c' starts with 'a'; 'b' starts with 'b'" in problem


def test_dependency_problems_refuses_a_schedule_beside_dependencies() -> None:
    """A task has a time or upstreams, not both."""
    [problem] = dependency_problems(TaskGraph([node("a"), node("b", "a", has_schedule=True)]), ord("b"))
    assert "has a schedule and dependencies" in problem


def test_dependency_problems_tells_what_is_missing_or_circular() -> None:
    """A deleted upstream and a cycle are told as such."""
    deleted = TaskGraph([node("a", status=TaskStatus.INACTIVE), node("b", "a", "x")])
    assert len(dependency_problems(deleted, ord("b"))) == 2
    [problem] = dependency_problems(TaskGraph([node("a", "b"), node("b", "a")]), ord("a"))
    assert "a → b → a" in problem


def test_graph_problems_of_a_wide_graph() -> None:
    """A thousand tasks that each depend on twenty others are judged while a server still answers others."""
    wide = [
        TaskNode(id=i, name=f"t{i}", task_version_id=i, depends_on=tuple(range(max(0, i - 20), i))) for i in range(1000)
    ]
    stranger = [
        TaskNode(id=1000, name="x", task_version_id=1),
        TaskNode(id=1001, name="y", task_version_id=1, depends_on=(999, 1000)),
    ]
    started = time.process_time()
    [(task_id, problem)] = graph_problems(TaskGraph([*wide, *stranger]), range(1002))
    assert time.process_time() - started < 2
    assert task_id == 1001
    assert "'t999' starts with 't0'; 'x' starts with 'x'" in problem


@given(st.data())
def test_graph_problems_are_those_of_each_task(data: st.DataObject) -> None:
    """Judged together or one by one, with cycles and gaps or without, tasks have the same problems."""
    letters = "abcdefg"
    upstreams = st.lists(st.sampled_from("abcdefgx"), max_size=3, unique=True)
    graph = TaskGraph(node(letter, *data.draw(upstreams)) for letter in letters)
    alone = [(ord(name), problem) for name in letters for problem in dependency_problems(graph, ord(name))]
    assert list(graph_problems(graph, map(ord, letters))) == alone


def test_plan_flow_brings_everything_downstream() -> None:
    """A root starts with its whole downstream, upstreams first, each waiting for its upstreams in the flow."""
    plan = plan_flow(TaskGraph([node("a"), node("b", "a"), node("d", "c", "b"), node("c", "b")]), ord("a"))
    assert names(plan) == "abcd"
    assert edges(plan) == {"ab", "bc", "bd", "cd"}
    assert [member.waiting_on for member in plan.members] == [0, 1, 1, 2]
    assert [member.needs_settlement for member in plan.members] == [True, True, True, False]
    assert [member.status for member in plan.members] == [TaskRunStatus.DISPATCHED] + [TaskRunStatus.PENDING] * 3
    assert plan.members[0].task_version_id == ord("a") * 10


def test_plan_flow_takes_the_data_of_ancestors_as_given() -> None:
    """Triggering a task in the middle runs what follows; what came before is neither run nor waited for."""
    graph = TaskGraph([node("a"), node("b", "a"), node("c", "b", "a")])
    plan = plan_flow(graph, ord("b"))
    assert names(plan) == "bc"
    assert edges(plan) == {"bc"}
    assert plan.members[1].waiting_on == 1


def test_plan_flow_leaves_out_what_it_cannot_fulfil() -> None:
    """A downstream with a foreign upstream, with its own schedule, or deleted, does not join, nor what follows it."""
    graph = TaskGraph(
        [
            node("a"),
            node("b", "a"),
            node("s"),
            node("c", "a", "s"),
            node("d", "c"),
            node("e", "b", has_schedule=True),
            node("f", "b", status=TaskStatus.INACTIVE),
            node("g", "f"),
        ]
    )
    assert names(plan_flow(graph, ord("a"))) == "ab"


def test_plan_flow_holds_runs_of_paused_tasks() -> None:
    """A paused task's run waits as PENDING, and a delayed root does too."""
    paused = plan_flow(TaskGraph([node("a", status=TaskStatus.PAUSED), node("b", "a")]), ord("a"))
    assert names(paused) == "ab"
    assert [member.status for member in paused.members] == [TaskRunStatus.PENDING, TaskRunStatus.PENDING]
    delayed = plan_flow(TaskGraph([node("a")]), ord("a"), delayed=True)
    assert delayed.members[0].status is TaskRunStatus.PENDING


@st.composite
def graphs(draw: st.DrawFn) -> tuple[TaskGraph, int]:
    """An acyclic graph of up to 12 tasks in any state, and one of them as the root."""
    size = draw(st.integers(1, 12))
    order = draw(st.permutations(range(1, size + 1)))
    nodes = []
    for index, task_id in enumerate(order):
        upstreams: Sequence[int] = (
            draw(st.lists(st.sampled_from(order[:index]), max_size=3, unique=True)) if index else []
        )
        nodes.append(
            TaskNode(
                id=task_id,
                name=f"t{task_id}",
                task_version_id=task_id + 100,
                status=draw(st.sampled_from(TaskStatus)),
                has_schedule=draw(st.booleans()) and draw(st.booleans()),
                depends_on=tuple(upstreams),
            )
        )
    return TaskGraph(nodes), draw(st.sampled_from(order))


@given(graphs())
def test_plan_flow_keeps_its_laws(case: tuple[TaskGraph, int]) -> None:
    """Root first, topological, each task once, counts that agree with the edges, and nobody missing or extra."""
    graph, root_id = case
    plan = plan_flow(graph, root_id)
    ids = [member.task_id for member in plan.members]
    assert ids[0] == root_id
    assert len(set(ids)) == len(ids)
    assert len(set(plan.edges)) == len(plan.edges)
    assert all(up < down for up, down in plan.edges)
    for position, member in enumerate(plan.members):
        incoming = [up for up, down in plan.edges if down == position]
        assert member.waiting_on == len(incoming)
        assert {ids[up] for up in incoming} == set(graph[member.task_id].depends_on) & set(ids) or position == 0
        assert member.needs_settlement == any(up == position for up, _ in plan.edges)
        may_start = graph[member.task_id].status is TaskStatus.ACTIVE and not incoming
        assert member.status is (TaskRunStatus.DISPATCHED if may_start else TaskRunStatus.PENDING)
    assert plan.members[0].waiting_on == 0
    assert set(ids) == reference_members(graph, root_id)


def reference_members(graph: TaskGraph, root_id: int) -> set[int]:
    """The same rule as a fixed point: add whoever may join, until nobody can."""
    given = ancestors({task.id: task.depends_on for task in graph}, root_id)
    members, grown = {root_id}, True
    while grown:
        joining = {
            task.id
            for task in graph
            if task.id not in members
            and set(task.depends_on) & members
            and set(task.depends_on) <= members | given
            and not task.has_schedule
            and task.status is not TaskStatus.INACTIVE
        }
        grown = bool(joining)
        members |= joining
    return members


def ancestors(upstreams: Mapping[int, Sequence[int]], task_id: int) -> set[int]:
    """All tasks above one."""
    return set(upstreams[task_id]).union(*(ancestors(upstreams, upstream) for upstream in upstreams[task_id]))
