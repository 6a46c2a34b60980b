"""Workers over HTTP, on a real database."""

import pytest

from fixtures.api_app import Api
from fixtures.factories import build_plan, claim, create_runs, create_task, open_session
from fixtures.in_memory_message_queue import InMemoryWire
from scheduler_core.interfaces import Store
from scheduler_core.models import DISPATCHERS, session_address

WORKERS = "/api/v1/workers"


async def test_api_integration_shows_a_worker_with_its_runs(api: Api, store: Store) -> None:
    """By its worker id or a session's: what it is, what it told of its host, and what it holds; no queue of its own."""
    session_id = await open_session(store, worker_id="eu/one", queues=("default", "@eu/one"), python_version="3.13.1")
    await create_runs(store, build_plan(task := await create_task(store)))
    (run,) = await claim(store, session_id)
    async with store.autocommit() as work:
        await work.worker_sessions.renew(session_id, load={"cpu_share": 0.5})
    answer = (await api.get(f"{WORKERS}/{session_id}")).json()
    (held,) = answer.pop("runs")
    assert (held["run_id"], held["task_name"], held["attempt"], held["paused_at"]) == (run.id, task.name, 1, None)
    assert (answer["worker_id"], answer["queues"], answer["running"]) == ("eu/one", ["default"], 1)
    assert (answer["python_version"], answer["load"]) == ("3.13.1", {"cpu_share": 0.5})


async def test_api_integration_drains_and_resumes_a_worker(api: Api, store: Store, rings: InMemoryWire) -> None:
    """The answer tells it, twice as well as once; resumed, the worker is rung and dispatchers hear of the room."""
    session_id = await open_session(store, worker_id="one")
    for _ in range(2):
        drained = (await api.post(f"{WORKERS}/one/drain")).json()
        assert (drained["id"], drained["draining"], drained["drain_requested"]) == (session_id, True, True)
    assert session_address(session_id) not in rings.rung
    resumed = (await api.post(f"{WORKERS}/one/resume")).json()
    assert (resumed["id"], resumed["draining"], resumed["drain_requested"]) == (session_id, False, False)
    assert rings.rung[-2:] == [session_address(session_id), DISPATCHERS]


@pytest.mark.parametrize("worker", ["nobody", "999", "x" * 300, "a%00b"])
async def test_api_integration_unknown_workers_are_not_found(api: Api, worker: str) -> None:
    """A sentence with the name and where all of them are; nothing is changed."""
    answers = [await api.get(f"{WORKERS}/{worker}"), await api.post(f"{WORKERS}/{worker}/drain")]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(404, "not_found")] * 2
    assert "scheduler worker list" in answers[0].json()["detail"]
