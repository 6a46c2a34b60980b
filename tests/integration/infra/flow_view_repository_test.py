"""Flows and groups in PostgreSQL, as they are looked at."""

from typing import Any

import psycopg

from fixtures.database import every_postgresql
from fixtures.factories import create_runs, create_task, open_session
from fixtures.flows import add_members, create_flow, run_flow, set_runs
from scheduler_core.decisions.flow_status import flow_status
from scheduler_core.interfaces import Store
from scheduler_core.models import FlowMember, FlowPlan, SkipReason, TaskRunStatus
from scheduler_core.models.flow_view import EdgeKind, FlowFacts, FlowRoot, GroupKind, MemberPlace
from scheduler_infra.database.query_loader import query

pytestmark = every_postgresql

DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
S = TaskRunStatus


async def facts_of(store: Store, flow_id: int) -> FlowFacts:
    """The flow's facts."""
    async with store.autocommit() as work:
        (facts,) = await work.flow_views.facts([flow_id])
    return facts


async def test_infra_integration_flow_nodes_and_edges_are_those_of_the_plan(store: Store) -> None:
    """Runs come in ascending order, and each edge says who waits for whom."""
    _, runs = await create_flow(store, DIAMOND)
    async with store.autocommit() as work:
        nodes = await work.flow_views.nodes(runs["a"], 10)
        edges = await work.flow_views.edges([node.run_id for node in nodes], 10)
        size = await work.flow_views.size(runs["a"])
    assert [(node.task_name, node.run_id) for node in nodes] == list(runs.items())
    assert {(e.upstream_run_id, e.run_id) for e in edges} == {
        (runs[u], runs[d]) for d, ups in DIAMOND.items() for u in ups
    }
    assert {edge.kind for edge in edges} == {EdgeKind.DEPENDENCY}
    assert size == (4, 4)


async def test_infra_integration_flow_nodes_stop_at_their_limit(store: Store) -> None:
    """The lowest ids are kept, and the size still counts all."""
    _, runs = await create_flow(store, DIAMOND)
    async with store.autocommit() as work:
        nodes = await work.flow_views.nodes(runs["a"], 2)
        size = await work.flow_views.size(runs["a"])
    assert [node.run_id for node in nodes] == [runs["a"], runs["b"]]
    assert size.nodes == 4


async def test_infra_integration_only_runs_that_nothing_waits_for_decide(store: Store, database_url: str) -> None:
    """A failure that a run downstream has dealt with leaves the flow COMPLETED; one at the end fails it."""
    _, runs = await create_flow(store, DIAMOND)
    set_runs(database_url, list(runs.values()), status="COMPLETED", waiting_on=0)
    set_runs(database_url, [runs["b"]], status="FAILED")
    facts = await facts_of(store, runs["a"])
    assert flow_status(facts.deciding()) is S.COMPLETED
    assert facts.by_status() == {"COMPLETED": 3, "FAILED": 1}
    set_runs(database_url, [runs["d"]], status="SKIPPED", skip_reason="UPSTREAM_FAILED")
    facts = await facts_of(store, runs["a"])
    assert list(facts.deciding()) == [(S.SKIPPED, SkipReason.UPSTREAM_FAILED)]
    assert flow_status(facts.deciding()) is S.FAILED


async def test_infra_integration_run_that_is_not_final_decides_wherever_it_stands(
    store: Store, database_url: str
) -> None:
    """The end of a flow may be reached while another run goes on."""
    _, runs = await create_flow(store, DIAMOND)
    set_runs(database_url, list(runs.values()), status="COMPLETED", waiting_on=0)
    set_runs(database_url, [runs["b"]], status="DISPATCHED")
    assert flow_status((await facts_of(store, runs["a"])).deciding()) is S.RUNNING


async def test_infra_integration_members_of_a_group_count_but_do_not_decide(store: Store, database_url: str) -> None:
    """What becomes of a group is told by its head; its members are counted, and are no nodes."""
    _, runs = await create_flow(store, {"a": (), "m": ("a",)}, m={"map_over": "[1,2,3]", "tolerated_failures": 1})
    ids = add_members(database_url, runs["m"], ["COMPLETED", "FAILED", "COMPLETED"])
    set_runs(database_url, [runs["a"], runs["m"]], status="COMPLETED", waiting_on=0)
    facts = await facts_of(store, runs["a"])
    assert flow_status(facts.deciding()) is S.COMPLETED
    assert facts.by_status() == {"COMPLETED": 4, "FAILED": 1}
    async with store.autocommit() as work:
        nodes = await work.flow_views.nodes(runs["a"], 10)
        group = await work.flow_views.group(runs["m"])
        places = await work.flow_views.members(runs["m"], None, 2)
        rest = await work.flow_views.members(runs["m"], places[-1], 2)
        of_member = await work.flow_views.group(ids[0])
        of_root = await work.flow_views.group(runs["a"])
    assert [node.run_id for node in nodes] == [runs["a"], runs["m"]]
    assert nodes[0].group is None
    assert nodes[1].group == group
    assert group is not None
    assert (group.kind, group.size, group.by_status) == (GroupKind.MAP, 3, {"COMPLETED": 2, "FAILED": 1})
    assert (group.max_parallel, group.tolerated_failures) == (None, 1)
    assert (group.started_at is None, group.ended_at is None) == (True, False)
    assert places + rest == [MemberPlace(index, run_id) for index, run_id in enumerate(ids)]
    assert of_member is None
    assert of_root is None


async def test_infra_integration_runs_of_a_sub_flow_are_nodes_below_their_head(store: Store, database_url: str) -> None:
    """They carry their head's id, and a group among them is one node like any."""
    _, runs = await create_flow(
        store,
        {"a": (), "x": (), "y": ("x",), "s": ("a",)},
        s={"task_type": "flow", "sub_flow": "x"},
        y={"shards": 2, "max_parallel": 1},
    )
    set_runs(database_url, [runs["x"], runs["y"]], group_id=runs["s"])
    set_runs(database_url, [runs["s"]], group_size=2)
    add_members(database_url, runs["y"], ["RUNNING", "PENDING"], await open_session(store))
    async with store.autocommit() as work:
        nodes = {node.task_name: node for node in await work.flow_views.nodes(runs["a"], 10)}
    assert {name: node.group_id for name, node in nodes.items()} == {
        "a": None,
        "s": None,
        "x": runs["s"],
        "y": runs["s"],
    }
    assert nodes["s"].group is not None
    assert (nodes["s"].group.kind, nodes["s"].group.size) == (GroupKind.SUB_FLOW, 2)
    assert nodes["y"].group is not None
    assert (nodes["y"].group.kind, nodes["y"].group.size, nodes["y"].group.max_parallel) == (GroupKind.SHARDS, 2, 1)


async def test_infra_integration_edges_from_other_flows_say_what_they_are(store: Store) -> None:
    """What was done in an earlier flow is given; a run of an earlier slot is previous."""
    tasks, runs = await create_flow(store, {"a": (), "b": ("a",)})
    task = tasks["b"]
    member = FlowMember(task_id=task.id, task_version_id=task.task_version_id, status=S.PENDING, waiting_on=0)
    (created,) = await create_runs(
        store, FlowPlan((member,), given=((runs["a"], 0),)), after_runs=(runs["b"],), retry_of=runs["b"]
    )
    async with store.autocommit() as work:
        edges = await work.flow_views.edges([created.run_id], 10)
    assert [(e.upstream_run_id, e.kind, e.upstream_task_name) for e in edges] == [
        (runs["a"], EdgeKind.GIVEN, "a"),
        (runs["b"], EdgeKind.PREVIOUS, "b"),
    ]


async def test_infra_integration_run_awaited_by_another_flow_alone_decides(store: Store, database_url: str) -> None:
    """A later slot that waits for the end of this one takes no failure off it."""
    tasks, runs = await create_flow(store, {"a": (), "b": ("a",)})
    set_runs(database_url, list(runs.values()), status="FAILED", waiting_on=0)
    task = tasks["a"]
    member = FlowMember(task_id=task.id, task_version_id=task.task_version_id, status=S.PENDING)
    await create_runs(store, FlowPlan((member,)), after_runs=(runs["b"],))
    assert flow_status((await facts_of(store, runs["a"])).deciding()) is S.FAILED


async def test_infra_integration_roots_are_flows_of_several_runs_newest_first(store: Store) -> None:
    """Single runs between them are stepped over; the walk goes on before an id, and tells the namespace."""
    chain = {"a": (), "b": ("a",)}
    tasks, first = await create_flow(store, chain)
    single = await create_task(store)
    member = FlowMember(task_id=single.id, task_version_id=single.task_version_id, status=S.DISPATCHED)
    await create_runs(store, FlowPlan((member,)), 3)
    second = await run_flow(store, tasks, chain)
    async with store.autocommit() as work:
        everything = await work.flow_views.roots(limit=10)
        newest = await work.flow_views.roots(limit=1)
        older = await work.flow_views.roots(before_id=second["a"], limit=10)
        elsewhere = await work.flow_views.roots(namespace="other", limit=10)
        of_task = await work.flow_views.roots(task_id=tasks["a"].id, limit=10)
        of_single = await work.flow_views.roots(task_id=single.id, limit=2)
    assert everything == [FlowRoot(second["a"], True), FlowRoot(first["a"], True)]
    assert newest == everything[:1]
    assert older == everything[1:]
    assert [root.is_match for root in elsewhere] == [False, False]
    assert of_task == everything
    assert [root.is_match for root in of_single] == [False, False]


async def test_infra_integration_facts_are_of_root_runs_only(store: Store) -> None:
    """They come newest first; other runs and what does not exist are left out; a single run is a flow, too."""
    tasks, runs = await create_flow(store, {"a": (), "b": ("a",)})
    other = await run_flow(store, tasks, {"a": ()})
    async with store.autocommit() as work:
        found = await work.flow_views.facts([runs["a"], runs["b"], other["a"], 10**9])
    assert [facts.id for facts in found] == [other["a"], runs["a"]]


async def test_infra_integration_unfinished_runs_are_those_left_to_cancel(store: Store, database_url: str) -> None:
    """Final ones are not among them, nor those whose worker has been told."""
    _, runs = await create_flow(store, DIAMOND)
    set_runs(database_url, [runs["a"]], status="COMPLETED")
    session_id = await open_session(store)
    running = {"status": "RUNNING", "waiting_on": 0, "session_id": session_id}
    set_runs(database_url, [runs["b"]], **running, cancel_requested=True)
    set_runs(database_url, [runs["c"]], **running)
    async with store.autocommit() as work:
        assert await work.flow_views.unfinished(runs["a"]) == [runs["c"], runs["d"]]


async def test_infra_integration_walk_over_flows_reads_no_more_than_it_shows(store: Store, database_url: str) -> None:
    """However many flows there are, a page of five walks over five of them."""
    await create_flow(store, {"a": (), "b": ("a",)}, copies=500)
    with psycopg.connect(database_url) as connection:
        connection.execute("ANALYZE scheduler.task_runs")
        parameters = {"namespace": None, "before_id": 2**63 - 1, "limit": 5}
        (row,) = connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + query("flow_roots"), parameters).fetchall()
    walked = [plan["Actual Rows"] for plan in _plans(row[0][0]["Plan"]) if plan.get("Subplan Name") == "CTE walk"]
    assert walked
    assert all(rows <= 6 for rows in walked)


def _plans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(found for child in plan.get("Plans", []) for found in _plans(child))]
