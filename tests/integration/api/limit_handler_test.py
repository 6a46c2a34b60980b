"""Limits over HTTP, on a real database."""

from typing import Any

import msgspec
import pytest

from fixtures.api_app import Api
from fixtures.in_memory_message_queue import InMemoryWire
from scheduler_core.models import DISPATCHERS

LIMITS = "/api/v1/limits"
TASKS = "/api/v1/tasks"


def body(name: str = "a", **changes: Any) -> dict[str, Any]:
    """A limit of two at once."""
    return {"name": name, "concurrent": 2, **changes}


def task(name: str, **changes: Any) -> dict[str, Any]:
    """A task that is fine."""
    return {"name": name, "task_type": "shell", "parameters": {"command": ["true"]}, **changes}


def problems_of(answer: Any) -> dict[str, str]:
    """What a refusal says at which field."""
    assert answer.status_code == 422, answer.text
    return {each["field"]: each["message"] for each in answer.json()["errors"]}


async def created(api: Api, **fields: Any) -> dict[str, Any]:
    """A new limit, as it is answered."""
    answer = await api.post(LIMITS, json=fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_api_integration_limit_life(api: Api, rings: InMemoryWire) -> None:
    """A limit is created, found by name and id, replaced, changed in part and deleted; dispatchers hear of changes."""
    made = await created(api, **body("customer-api", key="params.customer", rate="100/min", description="d"))
    assert {name: made[name] for name in ("concurrent", "rate", "rate_seconds", "burst", "tasks")} == {
        "concurrent": 2,
        "rate": 100,
        "rate_seconds": 60.0,
        "burst": None,
        "tasks": [],
    }
    address = f"{LIMITS}/customer-api"
    assert (await api.get(address)).json() == (await api.get(f"{LIMITS}/{made['id']}")).json() == made
    rings.rung.clear()
    writable = {name: made[name] for name in made if name not in ("id", "tasks", "created_at", "updated_at")}
    same = await api.put(address, json=writable)
    assert same.status_code == 200
    assert same.json() == made
    replaced = (await api.put(address, json=body("customer-api", concurrent=3))).json()
    assert (replaced["concurrent"], replaced["rate"], replaced["rate_seconds"], replaced["key"]) == (
        3,
        None,
        None,
        None,
    )
    changed = (await api.patch(address, json={"rate": "10/5s", "burst": 20})).json()
    assert (changed["concurrent"], changed["rate"], changed["rate_seconds"], changed["burst"]) == (3, 10, 5.0, 20)
    without = (await api.patch(address, json={"rate": None})).json()
    assert (without["concurrent"], without["rate"], without["rate_seconds"], without["burst"]) == (3, None, None, None)
    assert rings.rung == [DISPATCHERS] * 4
    assert (await api.delete(address)).json() == without
    assert (await api.get(address)).status_code == 404


async def test_api_integration_limit_create_once_with_a_key(api: Api) -> None:
    """The same request with the same Idempotency-Key makes one limit, and a name is taken once."""
    headers = {"Idempotency-Key": "k"}
    first = await api.post(LIMITS, json=body(), headers=headers)
    again = await api.post(LIMITS, json=body(), headers=headers)
    assert (first.json(), first.headers["location"]) == (again.json(), f"{LIMITS}/{first.json()['id']}")
    assert again.headers["idempotency-replayed"] == "true"
    taken = await api.post(LIMITS, json=body(concurrent=9))
    assert taken.status_code == 409
    assert "'a' exists already in namespace 'default'" in taken.json()["detail"]


async def test_api_integration_limit_list_in_pages(api: Api) -> None:
    """Limits come oldest first, page after page, of one namespace or of all."""
    for name in ("c", "a", "b"):
        await created(api, **body(name))
    await created(api, **body("a", namespace="n"))
    first = (await api.get(LIMITS, params={"limit": 3})).json()
    rest = (await api.get(LIMITS, params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [each["name"] for each in first["items"] + rest["items"]] == ["c", "a", "b", "a"]
    assert rest["next_cursor"] is None
    named = (await api.get(LIMITS, params={"namespace": "n"})).json()
    assert [each["namespace"] for each in named["items"]] == ["n"]
    assert (await api.get(f"{LIMITS}/a", params={"namespace": "n"})).json() == named["items"][0]
    assert (await api.get(f"{LIMITS}/a/keys", params={"namespace": "n"})).json() == {"items": []}


@pytest.mark.parametrize(
    ("document", "field", "told"),
    [
        ({"name": "a"}, "concurrent", "give concurrent"),
        (body(concurrent=0), "concurrent", "scheduler task pause"),
        (body(concurrent=-1), "concurrent", "from 1"),
        (body(concurrent=1.5), "concurrent", "whole number"),
        (body(concurrent=2**31), "concurrent", "from 1"),
        (body(rate=0), "rate", "pause"),
        (body(rate="0/min"), "rate", "pause"),
        (body(rate="100"), "rate", "100/min"),
        (body(rate="100/"), "rate", "100/min"),
        (body(rate="1/0s"), "rate", "from 0.001"),
        (body(rate="1/min", rate_seconds=3), "rate_seconds", "Leave rate_seconds out"),
        (body(rate=1, rate_seconds=-1), "rate_seconds", "not -1"),
        (body(rate=5), "rate_seconds", "such as 5/min"),
        (body(rate=5, rate_seconds=None), "rate_seconds", "such as 5/min"),
        (body(rate=5, rate_seconds="1"), "rate_seconds", "a number"),
        (body(burst=3), "burst", "Give rate"),
        (body(rate=3, burst=0), "burst", "pause"),
        (body(key=""), "key", "empty"),
        (body(key="x" * 10_001), "key", "at most 10000"),
        (body(key="params."), "key", "cannot be read"),
        (body(key="'x'"), "key", "same for every run"),
        (body(key="{{ params.x }}"), "key", "without {{ }}"),
        (body(key="upstream.a.result"), "key", "upstream is not known here"),
        (body(key="run.attempt"), "key", "run.attempt is not known here"),
        (body(key="params.__class__"), "key", "__"),
        (body(key=["x"]), "key", "a string"),
        (body("7"), "name", "all digits"),
        (body("a b"), "name", "not valid"),
        (body("a" * 101), "name", "not valid"),
        (body(namespace=""), "namespace", "not valid"),
        (body(description="x\0"), "description", "NUL"),
        (body(concurent=1), "concurent", "Did you mean concurrent?"),
        (body(id=1), "id", "only be read"),
        (["a"], "", "object"),
    ],
)
async def test_api_integration_limit_bad_input_names_the_field_and_changes_nothing(
    api: Api, document: Any, field: str, told: str
) -> None:
    """Whatever is wrong is told with its field and the remedy, in a new limit and beside tasks; nothing is stored."""
    assert told in problems_of(await api.post(LIMITS, json=document))[field]
    listed = await api.post(f"{TASKS}/apply", json={"tasks": [task("t")], "limits": [document]})
    assert told in problems_of(listed)[f"limits.0.{field}" if field else "limits.0"]
    assert (await api.get(LIMITS)).json()["items"] == []
    assert (await api.get(TASKS)).json()["items"] == []


async def test_api_integration_limit_rate_as_a_number_needs_its_time(api: Api) -> None:
    """A number goes with the time that is given or was there before; without one no rate is guessed."""
    made = await created(api, **body("a", rate=5, rate_seconds=30))
    assert (made["rate"], made["rate_seconds"]) == (5, 30.0)
    changed = (await api.patch(f"{LIMITS}/a", json={"rate": 7})).json()
    assert (changed["rate"], changed["rate_seconds"]) == (7, 30.0)
    assert "7/min" in problems_of(await api.patch(f"{LIMITS}/a", json={"rate_seconds": None}))["rate_seconds"]
    without = (await api.patch(f"{LIMITS}/a", json={"rate": None})).json()
    assert "5/min" in problems_of(await api.patch(f"{LIMITS}/a", json={"rate": 5}))["rate_seconds"]
    writable = {name: without[name] for name in without if name not in ("id", "tasks", "created_at", "updated_at")}
    assert (await api.put(f"{LIMITS}/a", json=writable)).json() == without
    text = (await api.put(f"{LIMITS}/a", json={**writable, "rate": "5/s"})).json()
    assert (text["rate"], text["rate_seconds"]) == (5, 1.0)


async def test_api_integration_limit_tells_all_problems_at_once(api: Api) -> None:
    """Not only the first."""
    told = problems_of(await api.post(LIMITS, json=body("7", concurrent=0, rate="x", key="'x'", tasks=[])))
    assert set(told) == {"name", "concurrent", "rate", "key", "tasks"}


async def test_api_integration_limit_change_refuses_what_cannot_change(api: Api) -> None:
    """Name and namespace stay, and a refused change leaves the limit as it was."""
    made = await created(api, **body())
    for method in (api.put, api.patch):
        assert "keeps its name" in problems_of(await method(f"{LIMITS}/a", json=body("b")))["name"]
        told = problems_of(await method(f"{LIMITS}/a", json=body(namespace="n")))
        assert "stays in its namespace, here 'default'" in told["namespace"]
    assert "concurrent" in problems_of(await api.patch(f"{LIMITS}/a", json={"concurrent": None}))
    assert "object" in problems_of(await api.patch(f"{LIMITS}/a", json=[]))[""]
    assert (await api.get(f"{LIMITS}/a")).json() == made


@pytest.mark.parametrize("name", ["b", "99", "99999999999999999999", "x" * 300, "%00"])
async def test_api_integration_limit_that_is_not_there(api: Api, name: str) -> None:
    """Whatever is asked of a limit that there is not is answered with 404."""
    address = f"{LIMITS}/{name}"
    answers = [
        await api.get(address),
        await api.get(f"{address}/keys"),
        await api.put(address, json=body()),
        await api.patch(address, json={"concurrent": 1}),
        await api.delete(address),
    ]
    assert [answer.status_code for answer in answers] == [404] * 5


async def test_api_integration_limit_in_use_cannot_be_deleted(api: Api) -> None:
    """Who uses it is named; without users it goes."""
    await created(api, **body())
    await api.post(TASKS, json=task("t", limits=["a"]))
    refused = await api.delete(f"{LIMITS}/a")
    assert refused.status_code == 409
    assert "'t' uses it" in refused.json()["detail"]
    assert (await api.get(f"{LIMITS}/a")).json()["tasks"] == ["t"]
    assert (await api.patch(f"{TASKS}/t", json={"limits": []})).status_code == 200
    assert (await api.delete(f"{LIMITS}/a")).status_code == 200


async def test_api_integration_task_that_names_an_unknown_limit_is_refused(api: Api) -> None:
    """The limit, the nearest name and the remedy are told, for a new task, a changed one and in a list."""
    await created(api, **body("customer"))
    assert (await api.post(TASKS, json=task("t", limits=["customer"]))).status_code == 201
    answers = {
        "limits": await api.post(TASKS, json=task("u", limits=["customr"])),
        "limits ": await api.patch(f"{TASKS}/t", json={"limits": ["customr"]}),
        "tasks.1.limits": await api.post(
            f"{TASKS}/apply", json={"tasks": [task("x"), task("y", limits=["customer", "customr"])]}
        ),
    }
    for field, answer in answers.items():
        told = problems_of(answer)[field.strip()]
        assert "no limit 'customr' in namespace 'default'. Did you mean customer?" in told
        assert "scheduler limit create customr" in told
    other = await api.post(TASKS, json=task("v", namespace="n", limits=["customer"]))
    assert "in namespace 'n'" in problems_of(other)["limits"]
    assert [each["name"] for each in (await api.get(TASKS)).json()["items"]] == ["t"]


async def test_api_integration_apply_brings_limits_before_the_tasks_that_use_them(api: Api) -> None:
    """Limits are created, changed or left alone in the same transaction; a dry run leaves nothing."""
    document = {
        "limits": [body("a", rate="5/s"), body("b")],
        "tasks": [task("t", limits=["a", "b"])],
    }
    dry = (await api.post(f"{TASKS}/apply", json={**document, "dry_run": True})).json()
    assert [(each["change"], each["id"]) for each in dry["limits"]] == [("created", None), ("created", None)]
    assert (await api.get(LIMITS)).json()["items"] == []
    first = (await api.post(f"{TASKS}/apply", json=document)).json()
    assert [each["change"] for each in first["limits"] + first["items"]] == ["created"] * 3
    document["limits"][1]["concurrent"] = 7
    second = (await api.post(f"{TASKS}/apply", json=document)).json()
    assert [each["change"] for each in second["limits"]] == ["unchanged", "updated"]
    assert second["limits"][1]["id"] == first["limits"][1]["id"]
    alone = (await api.post(f"{TASKS}/apply", json={"tasks": [], "limits": [body("b", concurrent=8)]})).json()
    assert [each["change"] for each in alone["limits"]] == ["updated"]
    stored = {each["name"]: each["concurrent"] for each in (await api.get(LIMITS)).json()["items"]}
    assert stored == {"a": 2, "b": 8}


async def test_api_integration_apply_refuses_doubled_limits_and_none_at_all(api: Api) -> None:
    """A name that comes twice names both places, and an empty list is still one of nothing."""
    answer = await api.post(f"{TASKS}/apply", json={"tasks": [], "limits": [body(), body("b"), body()]})
    assert "name of limit 0, too" in problems_of(answer)["limits.2.name"]
    assert "1 to 1000 tasks" in problems_of(await api.post(f"{TASKS}/apply", json={"tasks": [], "limits": []}))["tasks"]
    many = {"tasks": [], "limits": [body(f"l{n}") for n in range(1001)]}
    assert "at most 1000 limits" in problems_of(await api.post(f"{TASKS}/apply", json=many))["limits"]
    assert (await api.get(LIMITS)).json()["items"] == []


async def test_api_integration_refused_task_takes_its_limits_back(api: Api) -> None:
    """All or none: a limit beside a task that cannot be stored is not stored, either."""
    answer = await api.post(
        f"{TASKS}/apply", json={"limits": [body()], "tasks": [task("t", limits=["a"], dependencies=["nobody"])]}
    )
    assert "no task 'nobody'" in msgspec.json.encode(problems_of(answer)).decode()
    assert (await api.get(LIMITS)).json()["items"] == []
