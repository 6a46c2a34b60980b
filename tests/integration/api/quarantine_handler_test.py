"""Quarantined runs over HTTP, on a real database."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from fixtures.api_app import Api
from fixtures.factories import PYTHON_LANE, claim, create_task, open_session, report
from fixtures.flow_driver import FlowDriver
from fixtures.in_memory_message_queue import InMemoryWire
from scheduler_core.interfaces import Store
from scheduler_core.models import RunLogEntry, TaskRun, TaskRunStatus, session_address

QUARANTINE = "/api/v1/quarantine"
RUNS = "/api/v1/task-runs"


async def lose(store: Store, *lines: str) -> int:
    """Let a worker claim what there is, print, and be lost; the id of its session."""
    session_id = await open_session(store)
    for run in await claim(store, session_id, 10, PYTHON_LANE):
        entries = [
            RunLogEntry(
                run_id=run.id,
                attempt=run.attempt,
                sequence=number,
                stream="stdout",
                logged_at=datetime.now(UTC),
                content=line,
            )
            for number, line in enumerate(lines, 1)
        ]
        async with store.autocommit() as work:
            assert await work.run_logs.append(session_id, entries) == len(entries)
    async with store.autocommit() as work:
        await work.worker_sessions.reap([session_id], datetime.now(UTC) + timedelta(hours=1))
        await work.task_runs.admit(10, datetime.now(UTC) + timedelta(hours=2))
    return session_id


async def finish(store: Store, status: TaskRunStatus = TaskRunStatus.COMPLETED) -> list[int]:
    """Let a worker take what there is and end it; the ids."""
    session_id = await open_session(store)
    runs = await claim(store, session_id, 10, PYTHON_LANE)
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(run, status) for run in runs])
        await work.task_runs.settle(100)
        await work.task_runs.admit(100)
    return [run.id for run in runs]


async def quarantined(api: Api, store: Store, **changes: Any) -> int:
    """A run of a new task 'a' that has lost its only session."""
    await create_task(store, name="a", max_losses=1, **changes)
    run = (await api.post("/api/v1/tasks/a/trigger")).json()
    await lose(store, "one\n", "two\n")
    assert (await api.get(f"{RUNS}/{run['id']}")).json()["status"] == "QUARANTINED"
    return int(run["id"])


async def get_run(store: Store, run_id: int) -> TaskRun:
    """A run as it is stored."""
    async with store.autocommit() as work:
        return await work.task_runs.get(run_id)


async def test_quarantine_integration_shows_the_evidence(api: Api, store: Store) -> None:
    """Each loss is told with its worker and the last lines of its output, the last loss too."""
    await create_task(store, name="a", max_losses=2)
    run = (await api.post("/api/v1/tasks/a/trigger")).json()
    await lose(store, "first ", "try\n")
    await lose(store, "".join(f"line {number}\n" for number in range(100)))
    found = (await api.get(f"{QUARANTINE}/{run['id']}")).json()
    assert (found["run_id"], found["task_name"], found["losses"], found["decision"]) == (run["id"], "a", 2, None)
    first, last = found["evidence"]
    assert (first["attempt"], first["last_lines"], first["signal"]) == (1, ["first try"], None)
    assert (last["attempt"], last["last_lines"][0], last["last_lines"][-1]) == (2, "line 80", "line 99")
    assert first["worker_id"] != last["worker_id"]
    assert all(loss["hostname"] == "host" and loss["reason"] and loss["started_at"] for loss in found["evidence"])
    assert all(loss["ended_at"] > loss["started_at"] for loss in found["evidence"])


async def test_quarantine_integration_lists_what_is_open(api: Api, store: Store) -> None:
    """The list has recorded runs that nothing was decided of, page by page, and with `decided` the others too."""
    await create_task(store, name="a", max_losses=1)
    await api.post("/api/v1/tasks/a/trigger", json={"count": 3})
    await lose(store)
    assert (await api.get(QUARANTINE)).json()["items"] == []
    async with store.autocommit() as work:
        first, second, third = await work.quarantine.record(10)
        assert await work.quarantine.record(10) == []
    page = (await api.get(QUARANTINE, params={"limit": 2})).json()
    assert [item["run_id"] for item in page["items"]] == [third, second]
    rest = (await api.get(QUARANTINE, params={"limit": 2, "cursor": page["next_cursor"]})).json()
    assert ([item["run_id"] for item in rest["items"]], rest["next_cursor"]) == ([first], None)
    assert (await api.get(QUARANTINE, params={"namespace": "other"})).json()["items"] == []
    discarded = (await api.post(f"{QUARANTINE}/{second}/discard")).json()
    assert (discarded["decision"], discarded["decided_at"] is not None) == ("DISCARDED", True)
    assert [item["run_id"] for item in (await api.get(QUARANTINE)).json()["items"]] == [third, first]
    every = (await api.get(QUARANTINE, params={"decided": "true"})).json()["items"]
    assert [item["run_id"] for item in every] == [third, second, first]


async def test_quarantine_integration_releases_a_run(api: Api, store: Store, rings: InMemoryWire) -> None:
    """A released run is made again with its parameters, and can be claimed; the old one stays QUARANTINED."""
    await create_task(store, name="a", max_losses=1, parameters={"callable": "m:f"})
    run = (await api.post("/api/v1/tasks/a/trigger", json={"parameters": {"args": [1]}})).json()
    await lose(store)
    session_id = await open_session(store)
    rings.rung.clear()
    answer = await api.post(f"{QUARANTINE}/{run['id']}/release", headers={"Idempotency-Key": "x"})
    made = answer.json()
    assert answer.status_code == 201, answer.text
    assert (made["retry_of"], made["parameters"], made["status"]) == (run["id"], {"args": [1]}, "DISPATCHED")
    assert rings.rung == [session_address(session_id)]
    again = await api.post(f"{QUARANTINE}/{run['id']}/release", headers={"Idempotency-Key": "x"})
    assert (again.status_code, again.json()) == (201, made)
    assert (await get_run(store, run["id"])).status is TaskRunStatus.QUARANTINED
    found = (await api.get(f"{QUARANTINE}/{run['id']}")).json()
    assert (found["decision"], found["released_run_id"]) == ("RELEASED", made["id"])
    assert await finish(store) == [made["id"]]


async def test_quarantine_integration_decides_once(api: Api, store: Store) -> None:
    """Who comes second is told what was decided, and nothing is made."""
    run_id = await quarantined(api, store)
    answers = await asyncio.gather(*(api.post(f"{QUARANTINE}/{run_id}/release") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    made = next(answer.json()["id"] for answer in answers if answer.status_code == 201)
    for action in ("release", "discard"):
        answer = await api.post(f"{QUARANTINE}/{run_id}/{action}")
        assert answer.status_code == 409
        assert f"released already, as run {made}" in answer.json()["detail"]
    async with store.autocommit() as work:
        assert len(await work.task_runs.page()) == 2


async def test_quarantine_integration_releases_within_its_flow(api: Api, store: Store) -> None:
    """The new run takes the old one's place: what ran before it stays, what waited for it waits for the new one."""
    await create_task(store, name="first")
    await create_task(store, name="killer", max_losses=1, dependencies=("first",))
    await create_task(store, name="last", dependencies=("killer",))
    first = (await api.post("/api/v1/tasks/first/trigger")).json()
    assert await finish(store) == [first["id"]]
    await lose(store)
    async with store.autocommit() as work:
        await work.task_runs.settle(100)
        runs = {run.task_name: run for run in await work.task_runs.page(flow_id=first["flow_id"])}
    assert {name: run.status.value for name, run in runs.items()} == {
        "first": "COMPLETED",
        "killer": "QUARANTINED",
        "last": "SKIPPED",
    }
    made = (await api.post(f"{QUARANTINE}/{runs['killer'].id}/release")).json()
    flow = (await api.get(RUNS, params={"flow_id": made["flow_id"]})).json()["items"]
    assert {run["task_name"]: run["retry_of"] for run in flow} == {
        "killer": runs["killer"].id,
        "last": runs["last"].id,
    }
    assert await finish(store) == [made["id"]]
    (last,) = [run["id"] for run in flow if run["task_name"] == "last"]
    assert await finish(store) == [last]


async def test_quarantine_integration_releases_a_run_of_a_group(api: Api, store: Store) -> None:
    """A run of a group is made again in its group, which takes the results of the others over."""
    driver = FlowDriver(store)
    await driver.task("a", max_losses=1, shards=3)
    flow_id = await driver.trigger("a")
    await driver.look()
    session_id = await open_session(store)
    for run in await claim(store, session_id, 2, PYTHON_LANE):
        await driver.end(session_id, run)
    await lose(store)
    await driver.look()
    (lost,) = [run for run in (await driver.runs(flow_id))["a"] if run.status is TaskRunStatus.QUARANTINED]
    made = (await api.post(f"{QUARANTINE}/{lost.id}/release")).json()
    assert (made["retry_of"], made["shard_index"]) == (lost.id, lost.shard_index)
    runs = (await driver.carry_out(made["flow_id"]))["a"]
    assert [(run.retry_of, run.status.value) for run in runs] == [(flow_id, "COMPLETED"), (lost.id, "COMPLETED")]


async def test_quarantine_integration_refuses_what_is_not_in_quarantine(api: Api, store: Store) -> None:
    """Other runs, runs of deleted tasks and what does not exist are refused with a sentence."""
    run_id = await quarantined(api, store)
    other = await create_task(store, name="b")
    run = (await api.post(f"/api/v1/tasks/{other.id}/trigger")).json()
    for wrong in (run["id"], 999_999, "x"):
        for answer in (
            await api.get(f"{QUARANTINE}/{wrong}"),
            await api.post(f"{QUARANTINE}/{wrong}/release"),
            await api.post(f"{QUARANTINE}/{wrong}/discard"),
        ):
            assert (answer.status_code, str(wrong) in answer.json()["detail"]) == (404, True)
    told = (await api.get(f"{QUARANTINE}/{run['id']}")).json()["detail"]
    assert "`scheduler quarantine list` shows which are, and with --decided" in told
    await api.delete("/api/v1/tasks/a")
    answer = await api.post(f"{QUARANTINE}/{run_id}/release")
    assert (answer.status_code, "deleted" in answer.json()["detail"]) == (409, True)
    assert (await api.post(f"{QUARANTINE}/{run_id}/discard")).status_code == 200
