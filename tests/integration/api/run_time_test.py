"""Retries, time-outs and pauses over HTTP, on a real database."""

from typing import Any

import pytest

from fixtures.api_app import Api
from fixtures.factories import claim, open_session, report
from fixtures.in_memory_message_queue import InMemoryWire
from fixtures.waiting import wait_until_rung
from scheduler_core.interfaces import Store
from scheduler_core.models import Lane, session_address

TASKS = "/api/v1/tasks"
RUNS = "/api/v1/task-runs"
SHELL_LANE = Lane("default", "shell")
RETRY: dict[str, Any] = {
    "delay_seconds": 10.0,
    "multiplier": 1.0,
    "max_delay_seconds": 60.0,
    "jitter": 0.0,
    "delays": [1.0, 5.0],
    "on_exit_codes": [75],
    "on_statuses": [503],
    "on_exceptions": ["TimeoutError"],
    "on_output": ["reset"],
}
TIMES = {"soft_timeout_seconds": 5.0, "queue_timeout_seconds": 60.0, "total_timeout_seconds": 600.0}


def task(**changes: Any) -> dict[str, Any]:
    """A shell task."""
    return {"name": "a", "task_type": "shell", "parameters": {"command": ["true"]}, **changes}


async def test_api_integration_task_keeps_its_retries_and_times(api: Api) -> None:
    """What is written is what is shown, may be sent again without a change, and is taken away by null."""
    made = (await api.post(TASKS, json=task(retry=RETRY, **TIMES))).json()

    assert (made["retry"], {name: made[name] for name in TIMES}) == (RETRY, TIMES)
    again = (await api.post(f"{TASKS}/apply", json={"tasks": [task(retry=RETRY, **TIMES)]})).json()
    assert [item["change"] for item in again["items"]] == ["unchanged"]
    changed = (await api.patch(f"{TASKS}/a", json={"soft_timeout_seconds": None, "retry": {}})).json()
    assert (changed["soft_timeout_seconds"], changed["retry"]["delays"]) == (None, [])
    assert changed["queue_timeout_seconds"] == 60.0


async def test_api_integration_task_with_wrong_retries_tells_all(api: Api) -> None:
    """Every problem is told at once, each of its field with the value."""
    answer = await api.post(TASKS, json=task(retry={"on_output": ["("], "on_statuses": [7]}, soft_timeout_seconds=900))

    told = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert (answer.status_code, set(told)) == (422, {"retry.on_output", "retry.on_statuses", "soft_timeout_seconds"})
    assert "the pattern '(' is no regular expression" in told["retry.on_output"]


async def test_api_integration_trigger_says_until_when_a_run_may_be_begun(api: Api) -> None:
    """The answer to a trigger is what the database holds; no time passes for a run of a paused task."""
    await api.post(TASKS, json=task(queue_timeout_seconds=60.5))
    run = (await api.post(f"{TASKS}/a/trigger", json={})).json()
    stored = (await api.get(f"{RUNS}/{run['id']}")).json()
    await api.post(f"{TASKS}/a/pause")
    held = (await api.post(f"{TASKS}/a/trigger", json={})).json()

    assert stored == run
    assert run["start_before"] is not None
    assert (await api.get(f"{RUNS}/{held['id']}")).json() == held
    assert held["start_before"] is None


@pytest.mark.parametrize(("action", "flag"), [("pause", True), ("resume", False)])
async def test_api_integration_pause_tells_the_worker(
    api: Api, store: Store, rings: InMemoryWire, action: str, flag: bool
) -> None:
    """The session that holds the run is rung, and the run shows what it was asked."""
    session_id = await open_session(store)
    await api.post(TASKS, json=task())
    run = (await api.post(f"{TASKS}/a/trigger", json={})).json()
    await claim(store, session_id, 10, SHELL_LANE)
    await wait_until_rung(rings.rung, session_address(session_id))
    rings.rung.clear()

    answer = await api.post(f"{RUNS}/{run['id']}/{action}")

    assert (answer.status_code, answer.json()["pause_requested"]) == (200, flag)
    assert rings.rung == [session_address(session_id)]


async def test_api_integration_pause_refuses_what_does_not_run(api: Api, store: Store) -> None:
    """A run that waits or has ended cannot stand still; the answer names what can be done, and nothing changes."""
    await api.post(TASKS, json=task())
    run = (await api.post(f"{TASKS}/a/trigger", json={})).json()

    waiting = await api.post(f"{RUNS}/{run['id']}/pause")
    session_id = await open_session(store)
    (claimed,) = await claim(store, session_id, 10, SHELL_LANE)
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(claimed)])
    ended = await api.post(f"{RUNS}/{run['id']}/resume")
    missing = await api.post(f"{RUNS}/999999/pause")

    assert (waiting.status_code, ended.status_code, missing.status_code) == (409, 409, 404)
    assert f"`scheduler run cancel {run['id']}`" in waiting.json()["detail"]
    assert "it has ended" in ended.json()["detail"]
