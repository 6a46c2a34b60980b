"""Runs over HTTP, on a real database."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from fixtures.api_app import Api
from fixtures.factories import claim, open_session, report
from fixtures.in_memory_message_queue import InMemoryWire
from fixtures.waiting import wait_until_blocked, wait_until_rung
from scheduler_core.interfaces import Store
from scheduler_core.models import DISPATCHERS, Lane, RunLogEntry, TaskRunStatus, session_address

TASKS = "/api/v1/tasks"
RUNS = "/api/v1/task-runs"
SHELL_LANE = Lane("default", "shell")


async def create(api: Api, name: str, **changes: Any) -> dict[str, Any]:
    """A stored task."""
    answer = await api.post(
        TASKS, json={"name": name, "task_type": "shell", "parameters": {"command": ["true"]}, **changes}
    )
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def trigger(api: Api, name: str, **body: Any) -> Any:
    """The answer to a trigger."""
    answer = await api.post(f"{TASKS}/{name}/trigger", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def finish(store: Store, session_id: int, status: TaskRunStatus = TaskRunStatus.COMPLETED) -> None:
    """Let a worker take what there is and end it."""
    runs = await claim(store, session_id, 10, SHELL_LANE)
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(run, status, error="x") for run in runs])


async def test_api_integration_triggers_a_run_at_once(api: Api, store: Store, rings: InMemoryWire) -> None:
    """D5: a triggered run can be claimed at once, its worker is rung, and the answer is what the database holds."""
    session_id = await open_session(store)
    await create(api, "a", max_retries=3, priority=8)
    run = await trigger(api, "a", parameters={"env": {"X": "1"}})
    assert (run["status"], run["trigger"], run["parameters"]) == ("DISPATCHED", "MANUAL", {"env": {"X": "1"}})
    assert (await api.get(f"{RUNS}/{run['id']}")).json() == run
    await wait_until_rung(rings.rung, session_address(session_id))
    (claimed,) = await claim(store, session_id, 10, SHELL_LANE)
    assert claimed.id == run["id"]


async def test_api_integration_triggers_at_once_are_answered_each_with_its_run(api: Api, store: Store) -> None:
    """Whoever triggers at the same time as others gets a run with the parameters that were sent with it."""
    await create(api, "a")
    await create(api, "b", parameters={"command": ["false"]})
    await trigger(api, "a")

    wanted = [("a" if number % 3 else "b", {"env": {"N": str(number)}}) for number in range(60)]
    runs = await asyncio.gather(*(trigger(api, name, parameters=parameters) for name, parameters in wanted))

    assert [(run["task_name"], run["parameters"]) for run in runs] == wanted
    assert len({run["id"] for run in runs}) == len(runs)
    for run in runs:
        assert (await api.get(f"{RUNS}/{run['id']}")).json() == run


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {"command": ["true"], "env": {"NEW": "1"}}},
        {"limits": ["one"]},
        {"name": "renamed"},
        {"queue_timeout_seconds": 60},
        {"priority": 9},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_api_integration_triggers_go_by_what_a_task_is_now(api: Api, change: dict[str, Any]) -> None:
    """What was known of the task when it was triggered before makes no run of its old version."""
    await api.post("/api/v1/limits", json={"name": "one", "concurrent": 1})
    task = await create(api, "a")
    first = await trigger(api, "a")

    assert (await api.patch(f"{TASKS}/{task['id']}", json=change)).status_code == 200

    second = await trigger(api, str(task["id"]))
    third = await trigger(api, str(task["id"]))
    assert first["task_version"] == 1
    for run in (second, third):
        assert run["task_version"] == 2
        assert (await api.get(f"{RUNS}/{run['id']}")).json() == run


async def test_api_integration_triggers_have_the_downstream_that_came_later(api: Api) -> None:
    """A task that has got a downstream brings it along from then on, and stands alone again without it."""
    await create(api, "a")
    await trigger(api, "a")
    below = await create(api, "b", dependencies=["a"])

    run = await trigger(api, "a")
    assert len((await api.get(RUNS, params={"flow_id": run["flow_id"]})).json()["items"]) == 2

    assert (await api.delete(f"{TASKS}/{below['id']}")).status_code in (200, 204)
    run = await trigger(api, "a")
    assert len((await api.get(RUNS, params={"flow_id": run["flow_id"]})).json()["items"]) == 1


async def test_api_integration_triggers_the_downstream_too(api: Api) -> None:
    """The flow of a trigger holds a run for each task downstream, waiting for its upstreams."""
    await create(api, "a")
    await create(api, "b", dependencies=["a"])
    await create(api, "c", dependencies=["a", "b"])
    run = await trigger(api, "a")
    flow = (await api.get(RUNS, params={"flow_id": run["flow_id"]})).json()["items"]
    assert {(r["task_name"], r["status"], r["waiting_on"]) for r in flow} == {
        ("a", "DISPATCHED", 0),
        ("b", "PENDING", 1),
        ("c", "PENDING", 2),
    }


async def test_api_integration_triggers_many_at_once(api: Api, store: Store) -> None:
    """Ten thousand runs are made by one request, each once."""
    await create(api, "a")
    items = (await trigger(api, "a", count=10_000))["items"]
    assert len({item["id"] for item in items}) == 10_000
    async with store.autocommit() as work:
        statistics = await work.system.statistics()
    assert statistics.runs_active_by_status["DISPATCHED"] == 10_000


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"count": 0}, "count"),
        ({"count": 10_001}, "count"),
        ({"count": "5"}, "count"),
        ({"parameters": []}, "parameters"),
        ({"parameters": {"comand": 1}}, "parameters.comand"),
        ({"parameters": {"command": 5}}, "parameters.command"),
        ({"params": {}}, "params"),
    ],
)
async def test_api_integration_refuses_bad_triggers(api: Api, body: dict[str, Any], field: str) -> None:
    """A trigger that could never run is refused with its field, and makes no run."""
    await create(api, "a")
    answer = await api.post(f"{TASKS}/a/trigger", json=body)
    assert answer.status_code == 422
    assert [entry["field"] for entry in answer.json()["errors"]] == [field]
    assert (await api.get(RUNS)).json()["items"] == []


async def test_api_integration_holds_runs_of_a_paused_task(api: Api, store: Store, rings: InMemoryWire) -> None:
    """A trigger of a paused task is accepted, and its run waits for the task to be resumed."""
    session_id = await open_session(store)
    await create(api, "a")
    await api.post(f"{TASKS}/a/pause")
    run = await trigger(api, "a")
    assert run["status"] == "PENDING"
    assert await claim(store, session_id, 10, SHELL_LANE) == []
    rings.rung.clear()
    await api.post(f"{TASKS}/a/resume")
    assert rings.rung == [DISPATCHERS]


async def test_api_integration_triggers_no_deleted_task(api: Api) -> None:
    """A deleted task cannot be run, not even by its id."""
    task = await create(api, "a")
    await api.delete(f"{TASKS}/a")
    for reference in ("a", task["id"]):
        assert (await api.post(f"{TASKS}/{reference}/trigger")).status_code == 404


async def test_api_integration_cancels_a_waiting_run(api: Api, rings: InMemoryWire) -> None:
    """D8: a run that nobody executes is CANCELLED when the answer comes; once more changes nothing."""
    await create(api, "a")
    run = await trigger(api, "a")
    cancelled = (await api.post(f"{RUNS}/{run['id']}/cancel")).json()
    assert cancelled["status"] == "CANCELLED"
    assert DISPATCHERS in rings.rung
    assert (await api.post(f"{RUNS}/{run['id']}/cancel")).json() == cancelled


async def test_api_integration_cancels_a_running_run(api: Api, store: Store, rings: InMemoryWire) -> None:
    """D8: the worker that holds a run is rung about its cancellation, and the run is flagged until it has ended."""
    session_id = await open_session(store)
    await create(api, "a")
    run = await trigger(api, "a")
    await claim(store, session_id, 10, SHELL_LANE)
    await wait_until_rung(rings.rung, session_address(session_id))
    rings.rung.clear()
    flagged = (await api.post(f"{RUNS}/{run['id']}/cancel")).json()
    assert (flagged["status"], flagged["cancel_requested"]) == ("RUNNING", True)
    assert rings.rung == [session_address(session_id)]


async def test_api_integration_cancels_no_final_run(api: Api, store: Store) -> None:
    """A run that has completed stays so, and the caller is told."""
    session_id = await open_session(store)
    await create(api, "a")
    run = await trigger(api, "a")
    await finish(store, session_id)
    answer = await api.post(f"{RUNS}/{run['id']}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert (await api.get(f"{RUNS}/{run['id']}")).json()["status"] == "COMPLETED"


async def test_api_integration_retries_a_final_run(api: Api, store: Store) -> None:
    """A retry is a new run with the old one's slot and parameters and with its downstream; the old one stays."""
    session_id = await open_session(store)
    await create(api, "a")
    await create(api, "b", dependencies=["a"])
    old = await trigger(api, "a", parameters={"env": {"X": "1"}})
    early = await api.post(f"{RUNS}/{old['id']}/retry")
    assert early.status_code == 409
    await finish(store, session_id, TaskRunStatus.FAILED)
    new = (await api.post(f"{RUNS}/{old['id']}/retry")).json()
    assert (new["retry_of"], new["trigger"], new["status"]) == (old["id"], "RETRY", "DISPATCHED")
    assert (new["scheduled_at"], new["parameters"]) == (old["scheduled_at"], old["parameters"])
    flow = (await api.get(RUNS, params={"flow_id": new["flow_id"]})).json()["items"]
    assert {run["task_name"] for run in flow} == {"a", "b"}
    assert (await api.get(f"{RUNS}/{old['id']}")).json()["status"] == "FAILED"


async def test_api_integration_a_retry_keeps_its_run(api: Api, store: Store, database_url: str) -> None:
    """Retention does not remove the run that is about to be run again."""
    session_id = await open_session(store)
    await create(api, "a")
    old = await trigger(api, "a")
    await finish(store, session_id)
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT id FROM scheduler.tasks FOR NO KEY UPDATE")
        retrying = asyncio.create_task(api.post(f"{RUNS}/{old['id']}/retry"))
        await wait_until_blocked(database_url)
        async with store.autocommit() as other:
            _, removed = await other.retention.remove_finished(
                keep_seconds=1.0,
                keep_runs=None,
                after_task_id=0,
                tasks=10,
                limit=10,
                now=datetime.now(UTC) + timedelta(days=1),
            )
    assert removed == 0
    assert (await retrying).json()["retry_of"] == old["id"]


async def test_api_integration_retries_nothing_of_a_deleted_task(api: Api, store: Store) -> None:
    """A run of a deleted task cannot be run again."""
    session_id = await open_session(store)
    await create(api, "a")
    run = await trigger(api, "a")
    await finish(store, session_id)
    await api.delete(f"{TASKS}/a")
    assert (await api.post(f"{RUNS}/{run['id']}/retry")).status_code == 409


async def test_api_integration_lists_runs_by_filters(api: Api) -> None:
    """Runs come newest first, in pages, by task, status and namespace."""
    await create(api, "a")
    await create(api, "a", namespace="other")
    first = (await trigger(api, "a", count=3))["items"]
    other = (await api.post(f"{TASKS}/a/trigger?namespace=other", json={})).json()
    await api.post(f"{RUNS}/{first[0]['id']}/cancel")

    async def ids(path: str = RUNS, **query: Any) -> list[int]:
        answer = await api.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return [run["id"] for run in answer.json()["items"]]

    everything = [other["id"], *sorted((run["id"] for run in first), reverse=True)]
    assert await ids() == everything
    assert await ids(namespace="other") == [other["id"]]
    assert await ids(task="a") == everything[1:]
    assert await ids(task="a", namespace="other") == [other["id"]]
    assert await ids(f"{TASKS}/a/runs") == everything[1:]
    assert await ids(status="CANCELLED") == [first[0]["id"]]
    assert await ids(status="CANCELLED,DISPATCHED") == everything
    page = (await api.get(RUNS, params={"limit": 3})).json()
    assert await ids(limit=3, cursor=page["next_cursor"]) == everything[3:]
    assert (await api.get(RUNS, params={"task": "nobody"})).status_code == 404


async def test_api_integration_reads_logs(api: Api, store: Store) -> None:
    """Output is read in order, page by page, as entries or as text; a run without output has an empty page."""
    session_id = await open_session(store)
    await create(api, "a")
    run = await trigger(api, "a")
    path = f"{RUNS}/{run['id']}/logs"
    assert (await api.get(path)).json() == {"items": [], "next_cursor": None}
    await claim(store, session_id, 10, SHELL_LANE)
    async with store.autocommit() as work:
        now = (await work.system.statistics()).now
        await work.run_logs.append(
            session_id,
            [
                RunLogEntry(
                    run_id=run["id"], attempt=1, sequence=n, stream="stdout", logged_at=now, content=f"line {n} é\n"
                )
                for n in range(1, 6)
            ],
        )
    first = (await api.get(path, params={"limit": 3})).json()
    rest = (await api.get(path, params={"limit": 3, "after": first["next_cursor"]})).json()
    assert [entry["sequence"] for entry in first["items"] + rest["items"]] == [1, 2, 3, 4, 5]
    assert rest["next_cursor"] is None
    text = await api.get(path, headers={"Accept": "text/plain"})
    assert text.headers["content-type"].startswith("text/plain")
    assert text.text == "".join(f"line {n} é\n" for n in range(1, 6))


async def test_api_integration_counts_a_tasks_runs(api: Api, store: Store) -> None:
    """Statistics count by status and give the success rate and durations."""
    session_id = await open_session(store)
    await create(api, "a")
    await trigger(api, "a", count=3)
    (completed, failed, _) = await claim(store, session_id, 3, SHELL_LANE)
    async with store.autocommit() as work:
        outcomes = [report(completed), report(failed, TaskRunStatus.FAILED, error="x")]
        await work.task_runs.finish(session_id, outcomes)
    statistics = (await api.get(f"{TASKS}/a/stats")).json()
    assert (statistics["total"], statistics["success_rate"]) == (3, 0.5)
    assert Counter({k: v for k, v in statistics["by_status"].items() if v}) == {
        "COMPLETED": 1,
        "FAILED": 1,
        "RUNNING": 1,
    }
    assert statistics["duration_seconds_max"] >= 0


@pytest.mark.parametrize("path", ["999", "abc", "99999999999999999999", "-1"])
async def test_api_integration_knows_no_such_run(api: Api, path: str) -> None:
    """What names no run is a 404 for every operation."""
    for method, operation in (("GET", ""), ("GET", "/logs"), ("POST", "/cancel"), ("POST", "/retry")):
        assert (await api.request(method, f"{RUNS}/{path}{operation}")).status_code == 404


async def test_api_integration_lists_workers(api: Api, store: Store) -> None:
    """D7: live workers are listed with what they hold; the ended ones too, unless only live ones are asked for."""
    first = await open_session(store, worker_id="one")
    second = await open_session(store, worker_id="two", places=3)
    async with store.autocommit() as work:
        await work.worker_sessions.close(first)
    workers = (await api.get("/api/v1/workers")).json()["items"]
    assert [(w["id"], w["state"]) for w in workers] == [(second, "ALIVE"), (first, "ENDED")]
    alive = (await api.get("/api/v1/workers", params={"alive": "true"})).json()["items"]
    assert [(w["worker_id"], w["places"], w["running"]) for w in alive] == [("two", 3, 0)]
