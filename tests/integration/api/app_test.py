"""What holds for every request: keys, errors, repeated requests, health; on a real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import psycopg
import pytest

from fixtures.api_app import Api, OpenApi, make_key
from fixtures.factories import build_plan, claim, create_runs, create_task, open_session
from fixtures.in_memory_message_queue import InMemoryWire
from fixtures.waiting import wait_until
from fixtures.windows import build_window, insert_limit
from scheduler_api.api_config import ApiConfig
from scheduler_core.errors import SchemaVersionError, StoreUnavailableError
from scheduler_core.interfaces import Store, UnitOfWork

TASKS = "/api/v1/tasks"
BODY = {"name": "a", "task_type": "shell", "parameters": {"command": ["true"]}}


class BrokenStore:
    """A store that fails in one way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[UnitOfWork]:
        """Fail."""
        raise self._error
        yield

    autocommit = transaction


@pytest.mark.parametrize(
    "path",
    [
        TASKS,
        "/api/v1/task-runs",
        "/api/v1/workers",
        "/api/v1/system/stats",
        "/api/v1/nowhere",
        "http://api//api/v1/tasks",
    ],
)
async def test_api_integration_needs_a_key(open_api: OpenApi, path: str) -> None:
    """D15: everything under /api/v1 needs a live key; without one even what does not exist is not told."""
    answers = [
        await (await open_api(None)).get(path),
        await (await open_api("sch_wrong")).get(path),
        await (await open_api(None)).get(path, headers={"Authorization": "Basic abc"}),
        await (await open_api("x" * 5000)).get(path),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].headers["www-authenticate"].startswith("Bearer")
    assert answers[0].json()["code"] == "not_authorized"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/docs", "/api/openapi.json"])
async def test_api_integration_opens_health_metrics_and_docs(open_api: OpenApi, path: str) -> None:
    """D15: health, metrics and docs need no key."""
    assert (await (await open_api(None)).get(path)).status_code == 200


async def test_api_integration_takes_a_key_from_either_header(open_api: OpenApi, store: Store) -> None:
    """A key may travel as a bearer token or in X-API-Key."""
    key = await make_key(store)
    client = await open_api(None)
    assert (await client.get(TASKS, headers={"X-API-Key": key})).status_code == 200
    assert (await client.get(TASKS, headers={"Authorization": f"bearer {key}"})).status_code == 200


async def test_api_integration_forgets_a_revoked_key_within_a_second(api: Api, store: Store) -> None:
    """A revoked key stops working at most a second later."""
    assert (await api.get(TASKS)).status_code == 200
    async with store.autocommit() as work:
        await work.api_keys.revoke("tests")

    async def refused() -> bool:
        return bool((await api.get(TASKS)).status_code == 401)

    await wait_until(refused, limit_seconds=5)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/v1/nowhere", 404, "not_found"),
        ("POST", "/api/v1/workers", 405, "method_not_allowed"),
        ("POST", "/api/v1/tasks/a", 405, "method_not_allowed"),
        ("DELETE", "/health/live", 405, "method_not_allowed"),
        ("POST", TASKS, 400, "malformed_body"),
        ("GET", f"{TASKS}/nobody", 404, "not_found"),
    ],
)
async def test_api_integration_tells_errors_as_problems(
    api: Api, method: str, path: str, status: int, code: str
) -> None:
    """Every error is a problem document with its status and code, the router's own included."""
    answer = await api.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 405:
        assert "GET" in answer.headers["allow"]


async def test_api_integration_limits_bodies(open_api: OpenApi, store: Store) -> None:
    """api.body_bytes_max is the largest body that is read."""
    client = await open_api(await make_key(store), ApiConfig(body_bytes_max=1024))
    assert (await client.post(TASKS, json=BODY)).status_code == 201
    refused = await client.post(TASKS, json={**BODY, "description": "x" * 2000})
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StoreUnavailableError("The database is away."), 503),
        (SchemaVersionError("Run the upgrade."), 503),
        (ZeroDivisionError("inside"), 500),
    ],
)
async def test_api_integration_answers_without_a_store(open_api: OpenApi, error: Exception, status: int) -> None:
    """A store that is away is a 503 that can be tried again; what nobody foresaw is a 500 without its text."""
    client = await open_api("sch_key", on=cast(Store, BrokenStore(error)))
    answer = await client.get(TASKS)
    assert answer.status_code == status
    assert ("retry-after" in answer.headers) == (status == 503)
    assert "inside" not in answer.text
    assert (await client.get("/health/live")).status_code == 200


async def test_api_integration_is_not_ready_without_a_database(open_api: OpenApi) -> None:
    """D18: readiness asks the database itself: without it the answer is 503 and says which part is in the way."""
    client = await open_api(None, on=cast(Store, BrokenStore(StoreUnavailableError("No route to it."))))
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["parts"]["database"] == {"status": "unavailable", "detail": "No route to it."}
    assert answer.json()["parts"]["message_queue"] == {"status": "ok"}
    assert (await client.get("/metrics")).text.endswith("scheduler_database_up 0\n")


async def test_api_integration_is_degraded_without_a_broker(open_api: OpenApi, rings: InMemoryWire) -> None:
    """D18: a broker that is away is told, and does not take the API out of service."""
    rings.go_down()
    client = await open_api(None)
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["parts"]["message_queue"]["detail"]
    assert "scheduler_message_queue_up 0\n" in (await client.get("/metrics")).text
    rings.come_back()
    assert "scheduler_message_queue_up 1\n" in (await client.get("/metrics")).text


async def test_api_integration_measures_the_system(open_api: OpenApi, store: Store) -> None:
    """D18: metrics and statistics are counted, not invented; the process's own metrics are there, too."""
    client = await open_api(await make_key(store), metrics="# HELP mine x\nmine 1\n")
    await client.post(TASKS, json=BODY)
    await client.post(f"{TASKS}/a/trigger", json={"count": 3})
    text = (await client.get("/metrics")).text
    assert 'scheduler_tasks{status="ACTIVE"} 1\n' in text
    assert 'scheduler_runs_active{status="DISPATCHED"} 3\n' in text
    assert "mine 1\n" in text
    statistics = (await client.get("/api/v1/system/stats")).json()
    assert (statistics["tasks_by_status"]["ACTIVE"], statistics["workers_alive"]) == (1, 0)


async def test_api_integration_measures_limits_and_turns(open_api: OpenApi, store: Store, database_url: str) -> None:
    """Permits that are held and runs that wait are counted by limit, gated runs by the class of their turn."""
    client = await open_api(await make_key(store))
    insert_limit(database_url, "api-calls", concurrent=1)
    limited = await create_task(store, limits=("api-calls",))
    await create_runs(store, build_plan(limited), 3)
    session_id = await open_session(store)
    window = build_window(store)
    await window.look()
    assert len(await claim(store, session_id)) == 1
    await create_runs(store, build_plan(await create_task(store, background=True)))
    await window.look()
    text = (await client.get("/metrics")).text
    assert 'scheduler_limit_permits_held{namespace="default",limit="api-calls"} 1\n' in text
    assert 'scheduler_limit_runs_waiting{namespace="default",limit="api-calls"} 2\n' in text
    assert 'scheduler_gated_runs_waiting{class="plain"} 2\n' in text
    assert 'scheduler_gated_runs_claimable{class="background"} 1\n' in text
    assert 'scheduler_gated_runs_waiting{class="fair"} 0\n' in text


async def test_api_integration_repeats_the_answer_of_a_key(api: Api) -> None:
    """A request with the same Idempotency-Key is carried out once and answered alike."""
    once = {"Idempotency-Key": "k1"}
    first = await api.post(TASKS, json=BODY, headers=once)
    again = await api.post(TASKS, json=BODY, headers=once)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    for body in ({}, {"count": 3}):
        headers = {"Idempotency-Key": f"trigger {body}"}
        answers = [await api.post(f"{TASKS}/a/trigger", json=body, headers=headers) for _ in range(2)]
        assert answers[0].content == answers[1].content
    assert len((await api.get("/api/v1/task-runs")).json()["items"]) == 4


async def test_api_integration_repeats_the_answer_that_an_older_version_has_kept(api: Api, database_url: str) -> None:
    """What the version before did not know has its default in an answer that it has kept."""
    for path, body in ((TASKS, BODY), (f"{TASKS}/a/trigger", {})):
        await api.post(path, json=body, headers={"Idempotency-Key": path})
    added = [
        "misfire", "misfire_grace_seconds", "misfire_runs_max", "overlap", "schedule_seed", "interval_from",
        "interval_to",
    ]  # fmt: skip
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE scheduler.idempotency_keys SET body = (body::jsonb - %s::text[])::text", [added])
    for path, body in ((TASKS, BODY), (f"{TASKS}/a/trigger", {})):
        again = await api.post(path, json=body, headers={"Idempotency-Key": path})
        assert (again.status_code, again.headers.get("idempotency-replayed")) == (201, "true"), again.text


async def test_api_integration_makes_one_run_of_requests_at_once(api: Api) -> None:
    """Requests with the same key at the same moment make one run and are all answered with it."""
    await api.post(TASKS, json=BODY)
    headers = {"Idempotency-Key": "k"}
    answers = await asyncio.gather(*(api.post(f"{TASKS}/a/trigger", json={}, headers=headers) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len((await api.get("/api/v1/task-runs")).json()["items"]) == 1


@pytest.mark.parametrize(("path", "body"), [(TASKS, {**BODY, "priority": 1}), (f"{TASKS}/a/trigger", BODY)])
async def test_api_integration_refuses_a_key_for_another_request(api: Api, path: str, body: dict[str, Any]) -> None:
    """A key that came with another body, or for another address, is a 422."""
    headers = {"Idempotency-Key": "k"}
    await api.post(TASKS, json=BODY, headers=headers)
    answer = await api.post(path, json=body if path == TASKS else {}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key")


async def test_api_integration_leaves_a_key_free_after_a_failure(api: Api) -> None:
    """A request that failed can be put right and sent with the same key."""
    headers = {"Idempotency-Key": "k"}
    assert (await api.post(f"{TASKS}/a/trigger", json={}, headers=headers)).status_code == 404
    await api.post(TASKS, json=BODY)
    assert (await api.post(f"{TASKS}/a/trigger", json={}, headers=headers)).status_code == 201


async def test_api_integration_keeps_keys_of_callers_apart(open_api: OpenApi, store: Store) -> None:
    """Two callers may use the same Idempotency-Key for their own requests."""
    first, second = [await open_api(await make_key(store, name)) for name in ("one", "two")]
    headers = {"Idempotency-Key": "k"}
    await first.post(TASKS, json=BODY, headers=headers)
    answer = await second.post(TASKS, json={**BODY, "name": "b"}, headers=headers)
    assert (answer.status_code, answer.json()["name"]) == (201, "b")


async def test_api_integration_carries_trace_context_to_the_run(api: Api, store: Store) -> None:
    """The caller's trace goes on in the run that it triggered."""
    from fixtures.factories import PYTHON_LANE, claim, open_session

    await api.post(TASKS, json={"name": "p", "task_type": "python", "parameters": {"callable": "m:f"}})
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await api.post(f"{TASKS}/p/trigger", json={}, headers={"traceparent": trace})
    (claimed,) = await claim(store, await open_session(store), 1, PYTHON_LANE)
    assert claimed.trace_context is not None
    assert claimed.trace_context.split("-")[1] == trace.split("-")[1]


async def test_api_integration_lets_other_origins_in_when_told(open_api: OpenApi, store: Store) -> None:
    """api.cors_enabled lets browsers of the named origins in, and of no others; without it, of none."""
    key = await make_key(store)
    origin = {"Origin": "https://ops.example.com"}
    preflight = {**origin, "Access-Control-Request-Method": "POST"}
    config = ApiConfig(cors_enabled=True, cors_origins=["https://ops.example.com"])
    let_in, closed = await open_api(key, config), await open_api(key)
    allowed = await let_in.options(TASKS, headers=preflight)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, origin["Origin"])
    assert "Authorization" in allowed.headers["access-control-allow-headers"]
    assert (await let_in.get(TASKS, headers=origin)).headers["access-control-allow-origin"] == origin["Origin"]
    for client, sent in ((closed, origin), (let_in, {"Origin": "https://evil.example.com"})):
        assert "access-control-allow-origin" not in (await client.get(TASKS, headers=sent)).headers
    anybody = await open_api(key, ApiConfig(cors_enabled=True))
    assert (await anybody.get(TASKS, headers=origin)).headers["access-control-allow-origin"] == "*"


async def test_api_integration_keeps_the_callers_request_id(api: Api) -> None:
    """A harmless request id of the caller is kept, any other is replaced."""
    kept = await api.get(TASKS, headers={"X-Request-ID": "abc-1"})
    assert kept.headers["x-request-id"] == "abc-1"
    assert (await api.get(TASKS, headers={"X-Request-ID": 'a"b <x>'})).headers["x-request-id"] != 'a"b <x>'
