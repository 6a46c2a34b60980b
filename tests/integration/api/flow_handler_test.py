"""Flows and groups over HTTP, on a real database."""

from typing import Any

import pytest

from fixtures.api_app import Api
from fixtures.factories import claim, open_session
from fixtures.flows import add_members, create_flow, run_flow, set_runs
from fixtures.in_memory_message_queue import InMemoryWire
from scheduler_api import flow_service
from scheduler_api.handlers import flow_handler
from scheduler_core.interfaces import Store
from scheduler_core.models import DISPATCHERS, session_address

FLOWS = "/api/v1/flows"
RUNS = "/api/v1/task-runs"
DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
CHAIN = {"a": (), "b": ("a",)}


async def get(api: Api, *path: object, **query: Any) -> Any:
    """The answer to a GET that succeeds."""
    answer = await api.get("/".join(map(str, path)), params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_api_integration_flow_shows_its_runs_and_edges(api: Api, store: Store) -> None:
    """One object holds the flow, a node for each run and who waits for whom."""
    _, runs = await create_flow(store, DIAMOND)
    shown = await get(api, FLOWS, runs["a"])
    assert (shown["flow"]["id"], shown["flow"]["task_name"], shown["flow"]["status"]) == (runs["a"], "a", "RUNNING")
    assert (shown["flow"]["run_count"], shown["flow"]["by_status"]) == (4, {"DISPATCHED": 1, "PENDING": 3})
    assert [(node["task_name"], node["status"], node["waiting_on"]) for node in shown["nodes"]] == [
        ("a", "DISPATCHED", 0),
        ("b", "PENDING", 1),
        ("c", "PENDING", 1),
        ("d", "PENDING", 2),
    ]
    assert [(edge["upstream_run_id"], edge["run_id"], edge["kind"]) for edge in shown["edges"]] == [
        (runs[upstream], runs[name], "dependency") for name in DIAMOND for upstream in DIAMOND[name]
    ]
    assert (shown["node_count"], shown["edge_count"], shown["truncated"]) == (4, 4, False)


async def test_api_integration_large_flow_is_truncated_with_its_totals(
    api: Api, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left out is said, and counted."""
    monkeypatch.setattr(flow_handler, "NODES_MAX", 3)
    _, runs = await create_flow(store, DIAMOND)
    shown = await get(api, FLOWS, runs["a"])
    assert len(shown["nodes"]) == 3
    assert {edge["run_id"] for edge in shown["edges"]} == {runs["b"], runs["c"]}
    assert (shown["node_count"], shown["edge_count"], shown["truncated"]) == (4, 4, True)
    counted = await get(api, FLOWS, runs["a"], nodes="false")
    assert (counted["nodes"], counted["edges"], counted["node_count"], counted["edge_count"]) == ([], [], 4, 4)


async def test_api_integration_flow_of_another_run_is_named(api: Api, store: Store) -> None:
    """An id that is no flow's is a 404 that tells the flow which the run belongs to."""
    _, runs = await create_flow(store, CHAIN)
    for path in (f"{FLOWS}/{runs['b']}", f"{FLOWS}/999999", f"{FLOWS}/x"):
        answer = await api.get(path)
        assert answer.status_code == 404, path
    assert f"Run {runs['b']} belongs to flow {runs['a']}." in (await api.get(f"{FLOWS}/{runs['b']}")).text


async def test_api_integration_lists_flows_newest_first_page_by_page(api: Api, store: Store) -> None:
    """Every flow is on exactly one page; single runs are no flows here."""
    tasks, _ = await create_flow(store, CHAIN, copies=4)
    await run_flow(store, tasks, {"a": ()}, copies=3)
    await run_flow(store, tasks, CHAIN)
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = await get(api, FLOWS, limit=2, **cursor)
        found += [flow["id"] for flow in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(found) == 5
    assert found == sorted(set(found), reverse=True)


async def test_api_integration_lists_flows_by_status_task_and_namespace(
    api: Api, store: Store, database_url: str
) -> None:
    """A flow has the status that its last runs give it; the task is that of the root."""
    tasks, completed = await create_flow(store, CHAIN)
    failed, running, cancelled = [await run_flow(store, tasks, CHAIN) for _ in range(3)]
    for runs, status in ((completed, "COMPLETED"), (failed, "TIMEOUT"), (cancelled, "CANCELLED")):
        set_runs(database_url, list(runs.values()), status=status, waiting_on=0)
    for status, runs in (
        ("COMPLETED", completed),
        ("FAILED", failed),
        ("RUNNING", running),
        ("CANCELLED", cancelled),
    ):
        page = await get(api, FLOWS, status=status)
        assert [(flow["id"], flow["status"]) for flow in page["items"]] == [(runs["a"], status)]
        assert page["next_cursor"] is None
    assert len((await get(api, FLOWS, task="a", status="FAILED,RUNNING"))["items"]) == 2
    assert (await get(api, FLOWS, task="b"))["items"] == []
    assert (await get(api, FLOWS, namespace="other"))["items"] == []
    assert len((await get(api, FLOWS, namespace="default"))["items"]) == 4


async def test_api_integration_rare_flows_are_found_over_several_pages(
    api: Api, store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request looks at so many flows only: a page may be empty and still lead to what is asked for."""
    monkeypatch.setattr(flow_service, "ROOTS_AT_ONCE", 2)
    monkeypatch.setattr(flow_service, "ROOTS_MAX", 4)
    tasks, rare = await create_flow(store, CHAIN)
    set_runs(database_url, list(rare.values()), status="FAILED", waiting_on=0)
    await run_flow(store, tasks, CHAIN, copies=5)
    first = await get(api, FLOWS, status="FAILED")
    assert first["items"] == []
    second = await get(api, FLOWS, status="FAILED", cursor=first["next_cursor"])
    assert [flow["id"] for flow in second["items"]] == [rare["a"]]
    assert second["next_cursor"] is None


async def test_api_integration_ended_at_is_told_once_the_flow_has_ended(
    api: Api, store: Store, database_url: str
) -> None:
    """As long as it is running, the end of a run is not the flow's."""
    _, runs = await create_flow(store, CHAIN)
    set_runs(database_url, [runs["a"]], status="COMPLETED")
    assert (await get(api, FLOWS, runs["a"]))["flow"]["ended_at"] is None
    set_runs(database_url, [runs["b"]], status="COMPLETED", waiting_on=0)
    assert (await get(api, FLOWS, runs["a"]))["flow"]["ended_at"] is not None


async def test_api_integration_cancels_a_flow_as_a_whole(
    api: Api, store: Store, database_url: str, rings: InMemoryWire
) -> None:
    """What waits is cancelled, what runs is stopped by its worker, what is final stays; both are rung."""
    _, runs = await create_flow(store, {"a": (), "b": ("a",), "c": ("a",), "m": ("a",)}, m={"shards": 3})
    session_id = await open_session(store)
    set_runs(database_url, [runs["a"]], status="COMPLETED")
    set_runs(database_url, [runs["b"]], status="DISPATCHED", waiting_on=0)
    await claim(store, session_id, 1)
    members = add_members(database_url, runs["m"], ["COMPLETED", "PENDING", "DISPATCHED"])
    answer = await api.post(f"{FLOWS}/{runs['a']}/cancel")
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert (done["cancelled"], done["stopping"], done["flow"]["status"]) == (3, 1, "RUNNING")
    assert rings.rung == [session_address(session_id), DISPATCHERS]
    states = {run["id"]: run for run in (await get(api, RUNS, flow_id=runs["a"]))["items"]}
    assert {i for i, run in states.items() if run["status"] == "CANCELLED"} == {runs["c"], *members[1:]}
    # The group ends when somebody settles the end of its runs.
    assert (states[runs["m"]]["status"], states[runs["m"]]["cancel_requested"]) == ("PENDING", True)
    assert states[runs["b"]]["cancel_requested"]
    again = (await api.post(f"{FLOWS}/{runs['a']}/cancel")).json()
    assert (again["cancelled"], again["stopping"]) == (0, 0)


async def test_api_integration_final_flow_cannot_be_cancelled(api: Api, store: Store, database_url: str) -> None:
    """A completed flow is refused; one that is cancelled stays so without an error."""
    tasks, runs = await create_flow(store, CHAIN)
    set_runs(database_url, list(runs.values()), status="COMPLETED", waiting_on=0)
    refused = await api.post(f"{FLOWS}/{runs['a']}/cancel")
    assert refused.status_code == 409
    assert f"Flow {runs['a']} is COMPLETED and cannot be cancelled." in refused.text
    other = await run_flow(store, tasks, CHAIN)
    for _ in range(2):
        answer = await api.post(f"{FLOWS}/{other['a']}/cancel")
        assert (answer.status_code, answer.json()["flow"]["status"]) == (200, "CANCELLED")


async def test_api_integration_cancel_of_a_large_group_counts_each_run_once(
    api: Api, store: Store, database_url: str, rings: InMemoryWire
) -> None:
    """Its head and two thousand runs, of which one is running: that one's worker is rung."""
    _, runs = await create_flow(store, {"a": (), "m": ("a",)}, m={"shards": 3})
    session_id = await open_session(store)
    set_runs(database_url, [runs["a"]], status="COMPLETED")
    add_members(database_url, runs["m"], ["PENDING"] * 2000 + ["RUNNING"], session_id)
    done = (await api.post(f"{FLOWS}/{runs['a']}/cancel")).json()
    assert (done["cancelled"], done["stopping"]) == (2000, 1)
    assert rings.rung == [session_address(session_id), DISPATCHERS]


async def test_api_integration_group_shows_its_runs_in_order(api: Api, store: Store, database_url: str) -> None:
    """Page by page, by index, with what each is for; the list of runs can be asked for the same."""
    _, runs = await create_flow(store, {"a": (), "m": ("a",)}, m={"map_over": "[1]", "max_parallel": 2})
    members = add_members(database_url, runs["m"], ["COMPLETED", "FAILED", "PENDING"])
    first = await get(api, RUNS, runs["m"], "group", limit=2)
    assert first["head"]["id"] == runs["m"]
    assert (first["group"]["kind"], first["group"]["size"], first["group"]["max_parallel"]) == ("map", 3, 2)
    assert first["group"]["by_status"] == {"COMPLETED": 1, "FAILED": 1, "PENDING": 1}
    assert [(run["id"], run["shard_index"], run["item"]) for run in first["items"]] == [
        (members[0], 0, "item 1"),
        (members[1], 1, "item 2"),
    ]
    rest = await get(api, RUNS, runs["m"], "group", limit=2, cursor=first["next_cursor"])
    assert [run["id"] for run in rest["items"]] == members[2:]
    assert rest["next_cursor"] is None
    listed = await get(api, RUNS, group_id=runs["m"], status="FAILED")
    assert [run["id"] for run in listed["items"]] == [members[1]]


async def test_api_integration_run_that_is_no_group_has_none(api: Api, store: Store) -> None:
    """A 404 that says which runs are groups."""
    _, runs = await create_flow(store, CHAIN)
    answer = await api.get(f"{RUNS}/{runs['b']}/group")
    assert answer.status_code == 404
    assert f"Run {runs['b']} of 'b' is no group." in answer.text
    assert (await api.get(f"{RUNS}/999999/group")).status_code == 404


async def test_api_integration_reruns_a_flow_once_for_a_key(api: Api, store: Store, database_url: str) -> None:
    """The answer names the new flow and its runs; the same request again is answered alike and makes nothing."""
    _, runs = await create_flow(store, CHAIN)
    set_runs(database_url, list(runs.values()), status="COMPLETED", waiting_on=0)
    headers = {"Idempotency-Key": "again"}
    first = await api.post(f"{FLOWS}/{runs['a']}/rerun", json={"from": "start"}, headers=headers)
    assert first.status_code == 201, first.text
    second = await api.post(f"{FLOWS}/{runs['a']}/rerun", json={"from": "start"}, headers=headers)
    assert second.json() == first.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    made = await get(api, FLOWS, first.json()["flow_id"])
    assert {(node["run_id"], node["task_name"]) for node in made["nodes"]} == {
        (run["run_id"], run["task"]) for run in first.json()["rerun"]
    }
    assert len((await get(api, FLOWS))["items"]) == 2
    refused = await api.post(f"{FLOWS}/{runs['a']}/rerun", json={"from": "there"})
    assert refused.status_code == 422
