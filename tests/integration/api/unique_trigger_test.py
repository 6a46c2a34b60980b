"""Triggers of tasks with unique runs over HTTP, on a real database."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from fixtures.api_app import Api, OpenApi, make_key
from fixtures.factories import claim, create_task, open_session, report
from fixtures.in_memory_message_queue import InMemoryWire
from fixtures.waiting import wait_until_blocked
from scheduler_core.interfaces import Store
from scheduler_core.models import DISPATCHERS, Lane, Task, TaskRun, TaskRunStatus, UniquePolicy

TRIGGERS_AT_ONCE = 50


async def unique_task(store: Store, **policy: Any) -> Task:
    """A shell task whose runs are unique."""
    return await create_task(
        store, name="a", task_type="shell", parameters={"command": ["true"]}, unique=UniquePolicy(**policy)
    )


async def trigger(api: Api, expected: int = 201, **body: Any) -> dict[str, Any]:
    """The answer to a trigger of the task."""
    answer = await api.post("/api/v1/tasks/a/trigger", json=body)
    assert answer.status_code == expected, answer.text
    found: dict[str, Any] = answer.json()
    return found


def env(customer: str) -> dict[str, Any]:
    """Parameters of a run for a customer."""
    return {"parameters": {"env": {"CUSTOMER": customer}}}


async def stored(store: Store, run_id: int) -> TaskRun:
    """A run as it is stored."""
    async with store.autocommit() as work:
        return await work.task_runs.get(run_id)


def age_keys(url: str, seconds: float) -> None:
    """The runs that keys stand for were made so much earlier."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "UPDATE scheduler.task_unique_keys SET created_at = created_at - %s * interval '1 second'", [seconds]
        )


async def finish_all(store: Store) -> None:
    """Let a worker take what there is and end it."""
    session_id = await open_session(store)
    for run in await claim(store, session_id, 10, Lane("default", "shell")):
        async with store.autocommit() as work:
            await work.task_runs.finish(session_id, [report(run)])


async def test_unique_trigger_integration_gives_back_the_run_of_the_key(api: Api, store: Store) -> None:
    """While a run of the key is unfinished it is the answer, marked, with 200; another key has its own run."""
    await unique_task(store, key="params.env.CUSTOMER")
    first = await trigger(api, **env("x"))
    again = await trigger(api, 200, **env("x"))
    assert again == {**(await api.get(f"/api/v1/task-runs/{first['id']}")).json(), "existing": True}
    assert "existing" not in first
    assert (await trigger(api, **env("y")))["id"] != first["id"]
    listed = await trigger(api, 200, count=1, **env("x"))
    assert [(item["id"], item["existing"]) for item in listed["items"]] == [(first["id"], True)]
    await finish_all(store)
    assert (await trigger(api, **env("x")))["id"] > first["id"]


@pytest.mark.parametrize("is_new", [True, False], ids=["new key", "known key"])
async def test_unique_trigger_integration_makes_one_run_of_many_at_once(
    open_api: OpenApi, store: Store, second_store: Store, is_new: bool
) -> None:
    """Fifty triggers of one key at the same time, over two servers, make exactly one run, and all name it."""
    await unique_task(store)
    key = await make_key(store)
    apis = [await open_api(key, on=each) for each in (store, second_store)]
    if not is_new:
        await trigger(apis[0])
        await finish_all(store)
    answers = await asyncio.gather(
        *(apis[number % 2].post("/api/v1/tasks/a/trigger", json={}) for number in range(TRIGGERS_AT_ONCE))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: TRIGGERS_AT_ONCE - 1}
    assert len({answer.json()["id"] for answer in answers}) == 1
    async with store.autocommit() as work:
        assert len(await work.task_runs.page()) == (1 if is_new else 2)


async def test_unique_trigger_integration_answers_a_repeated_request_alike(api: Api, store: Store) -> None:
    """An Idempotency-Key replays what it had led to, a new run as new and a standing one as standing."""
    await unique_task(store)
    sent = [
        await api.post("/api/v1/tasks/a/trigger", json={}, headers={"Idempotency-Key": key})
        for key in ("one", "two", "one", "two")
    ]
    assert [answer.status_code for answer in sent] == [201, 200, 201, 200]
    assert sent[2].json() == sent[0].json()
    assert sent[3].json() == sent[1].json()
    assert [answer.headers.get("Idempotency-Replayed") for answer in sent] == [None, None, "true", "true"]


async def test_unique_trigger_integration_debounces(api: Api, store: Store, rings: InMemoryWire) -> None:
    """A waiting run is put off by each trigger and has the newest parameters; it becomes claimable once its time is."""
    await unique_task(store, debounce_seconds=3600.0)
    first = await trigger(api, **env("x"))
    assert (first["status"], rings.rung) == ("PENDING", [DISPATCHERS])
    before = await stored(store, first["id"])
    again = await trigger(api, 200, **env("y"))
    after = await stored(store, first["id"])
    assert again["parameters"] == {"env": {"CUSTOMER": "y"}} == after.parameters
    assert before.not_before is not None
    assert after.not_before is not None
    assert timedelta() < after.not_before - before.not_before < timedelta(seconds=60)
    assert timedelta(seconds=3500) < after.not_before - after.created_at
    async with store.autocommit() as work:
        assert await work.task_runs.admit(10) == []
        (admitted,) = await work.task_runs.admit(10, now=after.not_before)
    assert admitted.run_id == first["id"]
    assert (await trigger(api, **env("z")))["id"] != first["id"]


async def test_unique_trigger_integration_debounces_no_longer_than_allowed(
    api: Api, store: Store, database_url: str
) -> None:
    """However often it is put off, a run starts debounce_max_seconds after the first trigger."""
    await unique_task(store, debounce_seconds=3600.0, debounce_max_seconds=7200.0)
    run = await trigger(api)
    age_keys(database_url, 7000.0)
    await trigger(api, 200)
    found = await stored(store, run["id"])
    async with store.transaction() as work:
        (key,) = (await work.unique_runs.lock(found.task_id, [""])).values()
    assert key is not None
    assert found.not_before == key.created_at + timedelta(seconds=7200)


async def test_unique_trigger_integration_does_not_put_off_what_is_being_admitted(
    api: Api, store: Store, second_store: Store, database_url: str
) -> None:
    """A trigger that meets a dispatcher's admission of the run makes a new one: the parameters of none are lost."""
    await unique_task(store, debounce_seconds=3600.0)
    run = await trigger(api, **env("x"))
    async with second_store.transaction() as work:
        (admitted,) = await work.task_runs.admit(10, datetime.now(UTC) + timedelta(hours=2))
        later = asyncio.create_task(trigger(api, **env("y")))
        await wait_until_blocked(database_url)
    made = await later
    assert (admitted.run_id, made["id"] > run["id"]) == (run["id"], True)
    assert (await stored(store, run["id"])).parameters == {"env": {"CUSTOMER": "x"}}


async def test_unique_trigger_integration_throttles(api: Api, store: Store) -> None:
    """Within the time a finished run is the answer, too."""
    await unique_task(store, throttle_seconds=3600.0)
    run = await trigger(api)
    await finish_all(store)
    found = await trigger(api, 200)
    assert (found["id"], found["status"]) == (run["id"], TaskRunStatus.COMPLETED)


@pytest.mark.parametrize("policy", ["window_seconds", "throttle_seconds"])
async def test_unique_trigger_integration_makes_a_new_run_after_the_time(
    api: Api, store: Store, database_url: str, policy: str
) -> None:
    """A run counts until the window or the throttle is over, and then the new run counts as long."""
    await unique_task(store, **{policy: 3600.0})
    run = await trigger(api)
    age_keys(database_url, 1800.0)
    assert (await trigger(api, 200))["id"] == run["id"]
    age_keys(database_url, 1801.0)
    again = await trigger(api)
    assert again["id"] != run["id"]
    assert (await trigger(api, 200))["id"] == again["id"]


@pytest.mark.parametrize(
    ("key", "body", "field", "words"),
    [
        ("params.env.CUSTOMER", {}, "unique.key", "params.env.CUSTOMER"),
        ("params.env.CUSTOMER", env("x" * 201), "unique.key", "201 characters"),
        (None, {"count": 2}, "count", "unique"),
    ],
)
async def test_unique_trigger_integration_refuses_what_has_no_key(
    api: Api, store: Store, key: str | None, body: dict[str, Any], field: str, words: str
) -> None:
    """What cannot be judged is refused with the field, the expression and the reason, and makes no run."""
    await unique_task(store, key=key)
    answer = await trigger(api, 422, **body)
    assert [entry["field"] for entry in answer["errors"]] == [field]
    assert words in answer["errors"][0]["message"]
    async with store.autocommit() as work:
        assert await work.task_runs.page() == []


async def test_unique_trigger_integration_leaves_other_ways_to_runs_alone(api: Api, store: Store) -> None:
    """A retry of a run of the key makes its run, and the key stands for the one that a trigger had made."""
    await unique_task(store, states=(TaskRunStatus.COMPLETED,))
    run = await trigger(api)
    await finish_all(store)
    retried = (await api.post(f"/api/v1/task-runs/{run['id']}/retry")).json()
    assert retried["id"] != run["id"]
    assert (await trigger(api, 200))["id"] == run["id"]
