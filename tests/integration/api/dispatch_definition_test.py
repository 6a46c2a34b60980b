"""What definitions and triggers say about dispatch, over HTTP on a real database."""

import json
from typing import Any

import psycopg
import pytest

from fixtures.api_app import Api
from fixtures.factories import claim, open_session, report
from fixtures.in_memory_message_queue import InMemoryWire
from fixtures.waiting import wait_until_rung
from scheduler_core.interfaces import Store
from scheduler_core.models import DISPATCHERS, Lane, TaskRunStatus, session_address

TASKS = "/api/v1/tasks"
UNIQUE = {
    "key": "params.customer",
    "states": ["PENDING", "RUNNING"],
    "window": "10m",
    "debounce": "30s",
    "debounce_max": "5m",
    "throttle": None,
}
ALL_FIELDS: dict[str, Any] = {
    "strategy": "consistent_hash",
    "required_tags": ["gpu", "eu"],
    "preferred_tags": ["ssd"],
    "forbidden_tags": ["old"],
    "resources": {"cpu": 1.5, "memory": 2147483648.0, "gpu": 1.0},
    "hash_key": "params.customer",
    "limits": ["one", "two"],
    "fairness_key": "params.customer",
    "fairness_weight": "params.weight",
    "background": True,
    "unique": UNIQUE,
    "keep": "30d",
    "keep_runs": 100,
    "max_losses": 2,
}
DEFAULTS: dict[str, Any] = {
    "strategy": None,
    "required_tags": [],
    "preferred_tags": [],
    "forbidden_tags": [],
    "resources": {},
    "hash_key": None,
    "limits": [],
    "fairness_key": None,
    "fairness_weight": 1.0,
    "background": False,
    "unique": None,
    "keep": None,
    "keep_runs": None,
    "max_losses": 5,
}


def task(name: str = "t", **changes: Any) -> dict[str, Any]:
    """A task that is fine."""
    parameters = {"command": "true", "shell": True}
    return {"name": name, "task_type": "shell", "parameters": parameters, **changes}


def problems_of(answer: Any) -> dict[str, str]:
    """What a refusal says at which field."""
    assert answer.status_code == 422, answer.text
    return {each["field"]: each["message"] for each in answer.json()["errors"]}


def shown(answer: Any) -> dict[str, Any]:
    """The fields of dispatch in an answer."""
    assert answer.status_code in (200, 201), answer.text
    return {name: answer.json()[name] for name in ALL_FIELDS}


@pytest.fixture
async def limits(api: Api) -> None:
    """The limits that tasks here name."""
    for name in ("one", "two"):
        answer = await api.post("/api/v1/limits", json={"name": name, "concurrent": 1})
        assert answer.status_code == 201


@pytest.mark.usefixtures("limits")
async def test_api_integration_dispatch_fields_come_back_as_they_were_given(api: Api) -> None:
    """All fields are stored and answered, an answer can be sent again, and nothing given means the defaults."""
    given = task(**ALL_FIELDS, parameters={"command": "true", "shell": True})
    made = await api.post(TASKS, json=given)
    assert shown(made) == ALL_FIELDS
    again = await api.put(f"{TASKS}/t", json={**given, **shown(made)})
    assert (again.json()["version"], shown(again)) == (1, ALL_FIELDS)
    bare = await api.put(f"{TASKS}/t", json=task())
    assert (bare.json()["version"], shown(bare)) == (2, DEFAULTS)
    patched = await api.patch(f"{TASKS}/t", json={"limits": ["two"], "unique": {}, "keep": " 1d12h ", "max_losses": 1})
    assert shown(patched) == {
        **DEFAULTS,
        "limits": ["two"],
        "unique": {
            "key": None,
            "states": ["PENDING", "DISPATCHED", "RUNNING"],
            **dict.fromkeys(("window", "debounce", "debounce_max", "throttle")),
        },
        "keep": "1d12h",
        "max_losses": 1,
    }
    assert shown(await api.patch(f"{TASKS}/t", json={name: DEFAULTS[name] for name in DEFAULTS})) == DEFAULTS
    assert (await api.get("/api/v1/limits/two")).json()["tasks"] == []


async def test_api_integration_sizes_and_times_may_be_text(api: Api) -> None:
    """Memory and disk take sizes, uniqueness and retention times; both come back in one form."""
    unique = {"throttle": "1h30m"}
    given = task(resources={"memory": "2GB", "disk": "512 MiB", "cpu": 2}, keep="2592000s", unique=unique)
    fields = shown(await api.post(TASKS, json=given))
    assert fields["resources"] == {"memory": 2.0 * 1024**3, "disk": 512.0 * 1024**2, "cpu": 2.0}
    assert (fields["keep"], fields["unique"]["throttle"]) == ("30d", "1h30m")


SUB_FLOW = {"name": "t", "sub_flow": "other"}


@pytest.mark.parametrize(
    ("document", "field", "told"),
    [
        (task(strategy="least loaded"), "strategy", "not valid"),
        (task(strategy=""), "strategy", "not valid"),
        (task(required_tags=["a b"]), "required_tags", "The tag 'a b' is not valid"),
        (task(required_tags="gpu"), "required_tags", "is a list, not a string"),
        (task(required_tags=[7]), "required_tags.0", "a string"),
        (task(preferred_tags=["a", "a"]), "preferred_tags", "more than once"),
        (task(forbidden_tags=[f"t{n}" for n in range(21)]), "forbidden_tags", "at most 20"),
        (task(required_tags=["x"], forbidden_tags=["x"]), "forbidden_tags", "in required_tags, too"),
        (task(preferred_tags=["x"], forbidden_tags=["x"]), "forbidden_tags", "in preferred_tags, too"),
        (task(resources={"gpu": 0}), "resources.gpu", "above 0"),
        (task(resources={"gpu": -1}), "resources.gpu", "not -1"),
        (task(resources={"gpu": "1"}), "resources.gpu", "a number, not a string"),
        (task(resources={"gpu": True}), "resources.gpu", "a number, not true"),
        (task(resources={"gpu": 1e300}), "resources.gpu", "at most 1e+18"),
        (task(resources={"memory": "2 apples"}), "resources.memory", "no size"),
        (task(resources={"memory": [2]}), "resources.memory", "a size such as 2GB, not a list"),
        (task(resources={"memory": "0GB"}), "resources.memory", "above 0"),
        (task(resources={"GPU": 1}), "resources", "'GPU' is not valid"),
        (task(resources={f"r{n}": 1 for n in range(21)}), "resources", "at most 20"),
        (task(resources=[]), "resources", "an object"),
        (task(hash_key=""), "hash_key", "empty"),
        (task(hash_key="params."), "hash_key", "cannot be read"),
        (task(hash_key="params.x", strategy="shared"), "hash_key", "consistent_hash"),
        (task(hash_key="item"), "hash_key", "map_over"),
        (task(fairness_key="upstream.a.result"), "fairness_key", "not known here"),
        (task(fairness_key="tenant"), "fairness_key", "there is no 'tenant'"),
        (task(fairness_key="run.id"), "fairness_key", "another one in every run"),
        (task(fairness_key="params.a", fairness_weight=0), "fairness_weight", "from 0.001"),
        (task(fairness_key="params.a", fairness_weight=-1), "fairness_weight", "not -1"),
        (task(fairness_key="params.a", fairness_weight="2"), "fairness_weight", "Write a number"),
        (task(fairness_key="params.a", fairness_weight="params."), "fairness_weight", "cannot be read"),
        (task(fairness_weight=2), "fairness_weight", "Give fairness_key"),
        (task(limits=["a", "a"]), "limits", "more than once"),
        (task(limits=["7"]), "limits", "all digits"),
        (task(limits=[f"l{n}" for n in range(21)]), "limits", "at most 20"),
        (task(limits=["nobody"]), "limits", "scheduler limit create nobody"),
        (task(background="yes"), "background", "true or false"),
        (task(unique=True), "unique", "an object"),
        (task(unique={"ky": "x"}), "unique.ky", "Did you mean key?"),
        (task(unique={"key": "run.id"}), "unique.key", "not known yet"),
        (task(unique={"key": "item"}), "unique.key", "map_over"),
        (task(unique={"key": " "}), "unique.key", "empty"),
        (task(unique={"states": []}), "unique.states", "no state"),
        (task(unique={"states": ["RUNNIN"]}), "unique.states.0", "Did you mean RUNNING?"),
        (task(unique={"states": ["RUNNING", "RUNNING"]}), "unique.states", "more than once"),
        (task(unique={"window": "soon"}), "unique.window", "no length of time"),
        (task(unique={"window": 0}), "unique.window", "above 0"),
        (task(unique={"debounce": "367d"}), "unique.debounce", "at most 366 days"),
        (task(unique={"debounce": "1m", "throttle": "1m"}), "unique.throttle", "exclude each other"),
        (task(unique={"window": "1m", "throttle": "1m"}), "unique.window", "Give one of them"),
        (task(unique={"throttle": "1m", "states": ["FAILED"]}), "unique.states", "whatever state"),
        (task(unique={"debounce_max": "1m"}), "unique.debounce_max", "Give debounce"),
        (task(unique={"debounce": "2m", "debounce_max": "1m"}), "unique.debounce_max", "Raise it"),
        (task(keep="a while"), "keep", "no length of time"),
        (task(keep="0s"), "keep", "from 1 second"),
        (task(keep="30"), "keep", "Write 30d for days"),
        (task(keep=" 30 "), "keep", "Write 30d for days"),
        (task(keep=30), "keep", "Write 30d for days"),
        (task(keep=1.5), "keep", "Write whole numbers"),
        (task(keep=True), "keep", "keep is a string"),
        (task(keep="40000d"), "keep", "36525 days"),
        (task(keep_runs=0), "keep_runs", "from 1"),
        (task(max_losses=0), "max_losses", "from 1 to 100"),
        (task(max_losses=101), "max_losses", "not 101"),
        (task(broadcast=True, required_tags=["a"]), "required_tags", "broadcast"),
        (task(broadcast=True, strategy="random"), "strategy", "broadcast"),
        ({**SUB_FLOW, "limits": ["a"]}, "limits", "runs nothing itself"),
        ({**SUB_FLOW, "background": True}, "background", "runs nothing itself"),
        ({**SUB_FLOW, "resources": {"cpu": 1}}, "resources", "runs nothing itself"),
        ({**SUB_FLOW, "max_losses": 1}, "max_losses", "runs nothing itself"),
    ],
)
async def test_api_integration_dispatch_bad_input_names_the_field_and_changes_nothing(
    api: Api, document: dict[str, Any], field: str, told: str
) -> None:
    """Whatever is wrong is told with its field and what helps; no task is stored."""
    assert told in problems_of(await api.post(TASKS, json=document))[field]
    assert (await api.get(TASKS)).json()["items"] == []


async def test_api_integration_dispatch_tells_all_problems_at_once(api: Api) -> None:
    """Not only the first, and none that only follows from another."""
    given = task(
        required_tags=["a b"], resources={"memory": "x"}, keep="y", unique={"debounce": "z", "debounce_max": "1m"}
    )
    assert set(problems_of(await api.post(TASKS, json=given))) == {
        "required_tags",
        "resources.memory",
        "keep",
        "unique.debounce",
    }


@pytest.mark.parametrize("document", [SUB_FLOW, task(broadcast=True)], ids=["sub_flow", "broadcast"])
async def test_api_integration_groups_take_what_makes_sense_for_them(api: Api, document: dict[str, Any]) -> None:
    """Uniqueness and retention belong to the run that stands for the others."""
    await api.post(TASKS, json=task("other"))
    answer = await api.post(TASKS, json={**document, "unique": {"key": "params.x"}, "keep": "1d", "keep_runs": 3})
    assert answer.status_code == 201, answer.text


async def test_api_integration_trigger_in_the_background(api: Api, rings: InMemoryWire) -> None:
    """Such a run waits for its turn, says so, and a dispatcher is rung at once."""
    await api.post(TASKS, json=task())
    rings.rung.clear()
    single = (await api.post(f"{TASKS}/t/trigger", json={"background": True})).json()
    several = (await api.post(f"{TASKS}/t/trigger", json={"background": True, "count": 2})).json()["items"]
    assert [(run["status"], run["background"]) for run in (single, *several)] == [("PENDING", True)] * 3
    stored = (await api.get(f"/api/v1/task-runs/{single['id']}")).json()
    assert (stored["status"], stored["background"], stored["assigned_worker_id"]) == ("PENDING", True, None)
    assert rings.rung == [DISPATCHERS, DISPATCHERS]
    wrong = await api.post(f"{TASKS}/t/trigger", json={"background": 1})
    assert "true or false" in problems_of(wrong)["background"]


@pytest.mark.usefixtures("limits")
async def test_api_integration_trigger_of_a_limited_task_rings_dispatchers_and_no_worker(
    api: Api, store: Store, rings: InMemoryWire
) -> None:
    """Its runs wait for their turn; those of other tasks are claimable at once and ring a worker."""
    session = await open_session(store)
    await api.post(TASKS, json=task(limits=["one"]))
    await api.post(TASKS, json=task("free"))
    rings.rung.clear()
    assert (await api.post(f"{TASKS}/t/trigger")).json()["status"] == "PENDING"
    assert rings.rung == [DISPATCHERS]
    rings.rung.clear()
    assert (await api.post(f"{TASKS}/free/trigger")).json()["status"] == "DISPATCHED"
    await wait_until_rung(rings.rung, session_address(session))


async def test_api_integration_run_shows_for_whom_it_is_meant(api: Api, store: Store, database_url: str) -> None:
    """A run that a dispatcher has given to a worker names it."""
    session = await open_session(store, worker_id="chosen")
    await api.post(TASKS, json=task())
    run = (await api.post(f"{TASKS}/t/trigger")).json()
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("UPDATE scheduler.task_runs SET assigned_to = %s WHERE id = %s", (session, run["id"]))
    shown_run = (await api.get(f"/api/v1/task-runs/{run['id']}")).json()
    assert (shown_run["assigned_worker_id"], shown_run["worker_id"]) == ("chosen", None)


async def test_api_integration_rerun_in_the_background(api: Api, store: Store, rings: InMemoryWire) -> None:
    """All runs of the new flow are in the background, and a dispatcher is rung, wherever the flow begins."""
    for document in (task("root"), task("left", dependencies=["root"]), task("right", dependencies=["root"])):
        assert (await api.post(TASKS, json=document)).status_code == 201
    flow_id = (await api.post(f"{TASKS}/root/trigger")).json()["id"]
    session = await open_session(store)
    for status in (TaskRunStatus.COMPLETED, TaskRunStatus.FAILED):
        for run in await claim(store, session, 10, Lane("default", "shell")):
            async with store.transaction() as work:
                await work.task_runs.finish(session, [report(run, status)])
        async with store.transaction() as work:
            await work.task_runs.settle(10)
    rings.rung.clear()
    answer = await api.post(f"/api/v1/flows/{flow_id}/rerun", json={"from": "failed", "background": True})
    assert answer.status_code == 201, answer.text
    again = (await api.get("/api/v1/task-runs", params={"flow_id": answer.json()["flow_id"]})).json()["items"]
    assert {(run["task_name"], run["status"], run["background"]) for run in again} == {
        ("left", "PENDING", True),
        ("right", "PENDING", True),
    }
    assert rings.rung == [DISPATCHERS]
    wrong = await api.post(f"/api/v1/flows/{flow_id}/rerun", json={"from": "start", "background": None})
    assert "background" in problems_of(wrong)


async def test_api_integration_dispatch_fields_are_all_described(api: Api) -> None:
    """The API's description has every field for requests, changes and answers."""
    schemas = (await api.get("/api/openapi.json")).json()["components"]["schemas"]
    for name in ("TaskBody", "TaskChanges", "TaskView"):
        assert ALL_FIELDS.keys() <= schemas[name]["properties"].keys(), name
    assert "default" not in json.dumps(schemas["LimitChanges"]["properties"]["rate_seconds"])
