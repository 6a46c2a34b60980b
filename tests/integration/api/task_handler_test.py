"""Tasks over HTTP, on a real database."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fixtures.api_app import Api
from fixtures.clock import FrozenClock
from fixtures.factories import open_session
from fixtures.in_memory_message_queue import InMemoryMessageQueue, InMemoryWire
from scheduler_api import named_tasks, task_service
from scheduler_api.known_task_types import KnownTaskTypes
from scheduler_api.task_service import TaskService
from scheduler_api.transactions import OnceKey
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.interfaces import Store, UnitOfWork
from scheduler_core.models import DISPATCHERS, Schedule, SlotReason, TaskStatus

TASKS = "/api/v1/tasks"


def body(name: str, **changes: Any) -> dict[str, Any]:
    """A task that is fine."""
    return {"name": name, "task_type": "shell", "parameters": {"command": ["true"]}, **changes}


async def create(api: Api, name: str, **changes: Any) -> dict[str, Any]:
    """A stored task."""
    answer = await api.post(TASKS, json=body(name, **changes))
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def fields_of(answer: Any) -> set[str]:
    """The fields that a problem document complains about."""
    assert answer.status_code == 422, answer.text
    return {entry["field"] for entry in answer.json()["errors"]}


async def test_api_integration_creates_a_task(api: Api, rings: InMemoryWire) -> None:
    """A created task is answered with its next run, can be found by id and name, and rings a dispatcher."""
    task = await create(api, "nightly", schedule="0 3 * * *", timezone="Europe/Istanbul")
    assert task["status"] == "ACTIVE"
    assert task["schedule"] == {"cron": "0 3 * * *", "timezone": "Europe/Istanbul"}
    assert datetime.fromisoformat(task["next_run_at"]).astimezone(UTC).hour == 0
    assert (await api.get(f"{TASKS}/{task['id']}")).json() == task
    assert (await api.get(f"{TASKS}/nightly")).json() == task
    assert rings.rung == [DISPATCHERS]


async def test_api_integration_refuses_a_task_with_all_its_problems(api: Api) -> None:
    """Every problem of a body is told at once as a problem document, and nothing is stored."""
    answer = await api.post(TASKS, json={"name": "1", "task_type": "shel", "schedule": "x", "max_retries": "2", "y": 1})
    assert answer.headers["content-type"] == "application/problem+json"
    assert fields_of(answer) == {"name", "task_type", "schedule.cron", "max_retries", "y"}
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert (await api.get(TASKS)).json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"schedule": "61 * * * *"}, "schedule.cron"),
        ({"schedule": "@daily", "timezone": "Mars/Olympus"}, "schedule.timezone"),
        ({"schedule": {"at": "2001-01-01T00:00:00Z"}}, "schedule.at"),
        ({"dependencies": ["nobody"]}, "dependencies"),
        ({"parameters": {"comand": ["true"]}}, "parameters.comand"),
        ({"name": "9" * 10}, "name"),
        ({"name": "x" * 300}, "name"),
        ({"timeout_seconds": "5"}, "timeout_seconds"),
    ],
)
async def test_api_integration_refuses_bad_input(api: Api, fields: dict[str, Any], field: str) -> None:
    """Each kind of bad input is a 422 that names its field."""
    assert field in fields_of(await api.post(TASKS, json=body("a") | fields))


async def test_api_integration_knows_the_types_of_live_workers(api: Api, store: Store) -> None:
    """A type that only a live worker brings is accepted; without the worker it is unknown."""
    assert fields_of(await api.post(TASKS, json=body("a", task_type="spark"))) == {"task_type"}
    await open_session(store, task_types=("spark",))
    await create(api, "a", task_type="spark", parameters={"anything": 1})


async def test_api_integration_uses_a_deleted_name_again(api: Api) -> None:
    """A name belongs to one active task at a time; a deleted one is free, and its task is found by id alone."""
    first = await create(api, "a")
    taken = await api.post(TASKS, json=body("a"))
    assert (taken.status_code, taken.json()["code"]) == (409, "already_exists")
    deleted = await api.delete(f"{TASKS}/a")
    assert (deleted.status_code, deleted.json()["status"]) == (200, "INACTIVE")
    assert (await api.get(f"{TASKS}/a")).status_code == 404
    assert (await api.delete(f"{TASKS}/{first['id']}")).status_code == 404
    second = await create(api, "a")
    assert second["id"] != first["id"]
    assert (await api.get(f"{TASKS}/{first['id']}")).json()["status"] == "INACTIVE"


async def test_api_integration_keeps_a_task_that_others_need(api: Api) -> None:
    """A task is not deleted while another depends on it."""
    await create(api, "up")
    await create(api, "down", dependencies=["up"])
    refused = await api.delete(f"{TASKS}/up")
    assert refused.status_code == 409
    assert "down" in refused.json()["detail"]
    assert (await api.get(f"{TASKS}/up")).json()["status"] == "ACTIVE"


async def test_api_integration_changes_single_fields(api: Api) -> None:
    """PATCH replaces what it names and writes a new version; a change that changes nothing writes none."""
    task = await create(api, "a", schedule="@daily", max_retries=2)
    changed = (await api.patch(f"{TASKS}/a", json={"priority": 9})).json()
    assert changed == task | {"priority": 9, "version": 2, "updated_at": changed["updated_at"]}
    assert (await api.patch(f"{TASKS}/a", json={"priority": 9})).json() == changed
    unscheduled = (await api.patch(f"{TASKS}/a", json={"schedule": None})).json()
    assert (unscheduled["schedule"], unscheduled["next_run_at"]) == (None, None)


async def test_api_integration_replaces_a_definition(api: Api) -> None:
    """PUT gives a whole new definition: what it leaves out has its default again."""
    await create(api, "a", schedule="@daily", max_retries=2, priority=9)
    replaced = (await api.put(f"{TASKS}/a", json=body("b"))).json()
    assert (replaced["name"], replaced["schedule"], replaced["max_retries"]) == ("b", None, 0)
    assert fields_of(await api.put(f"{TASKS}/b", json={"priority": 1})) == {"name", "task_type"}


async def test_api_integration_renames_a_task_in_what_depends_on_it(api: Api) -> None:
    """A new name is followed by the definitions of those who depend on the task."""
    await create(api, "up")
    await create(api, "down", dependencies=["up"])
    await api.patch(f"{TASKS}/up", json={"name": "source"})
    assert (await api.get(f"{TASKS}/down")).json()["dependencies"] == ["source"]
    changed = await api.patch(f"{TASKS}/down", json={"priority": 1})
    assert changed.status_code == 200


async def test_api_integration_refuses_a_cycle_on_patch(api: Api) -> None:
    """D20: a cycle is refused when it is closed by a change, and told edge by edge."""
    await create(api, "a")
    await create(api, "b", dependencies=["a"])
    await create(api, "c", dependencies=["b"])
    refused = await api.patch(f"{TASKS}/a", json={"dependencies": ["c"]})
    assert fields_of(refused) == {"dependencies"}
    for edge in ("'a' depends on 'c'", "'c' depends on 'b'", "'b' depends on 'a'"):
        assert edge in refused.json()["detail"]
    assert (await api.get(f"{TASKS}/a")).json()["dependencies"] == []


async def test_api_integration_refuses_upstreams_that_never_meet(api: Api) -> None:
    """A task whose upstreams are never in one flow is refused, also when a change further up parts them."""
    await create(api, "one", schedule="@daily")
    await create(api, "two", schedule="@hourly")
    assert fields_of(await api.post(TASKS, json=body("both", dependencies=["one", "two"]))) == {"dependencies"}
    await create(api, "left", dependencies=["one"])
    await create(api, "right", dependencies=["one"])
    await create(api, "both", dependencies=["left", "right"])
    refused = await api.patch(f"{TASKS}/right", json={"dependencies": ["two"]})
    assert "both" in refused.json()["detail"]
    assert fields_of(refused) == {"dependencies"}


async def test_api_integration_closes_no_cycle_from_two_sides(api: Api) -> None:
    """Two changes at the same moment that close a cycle together do not both succeed."""
    for name in ("a", "b"):
        await create(api, name)
    answers = await asyncio.gather(
        api.patch(f"{TASKS}/a", json={"dependencies": ["b"]}), api.patch(f"{TASKS}/b", json={"dependencies": ["a"]})
    )
    assert sorted(answer.status_code for answer in answers) == [200, 422]


async def test_api_integration_loses_no_change_of_two_at_once(api: Api) -> None:
    """Changes of different fields at the same moment are both kept."""
    await create(api, "a")
    changes = [{"priority": 9}, {"max_retries": 4}, {"description": "x"}, {"queue": "fast"}]
    answers = await asyncio.gather(*(api.patch(f"{TASKS}/a", json=change) for change in changes))
    assert {answer.status_code for answer in answers} == {200}
    task = (await api.get(f"{TASKS}/a")).json()
    assert (task["priority"], task["max_retries"], task["description"], task["queue"]) == (9, 4, "x", "fast")


async def test_api_integration_resumes_after_what_it_missed(api: Api, store: Store) -> None:
    """Slots that passed while a task was paused get no run and are recorded as PAUSED; the next one is planned."""
    task = await create(api, "a", schedule="* * * * * *")
    paused = (await api.post(f"{TASKS}/a/pause")).json()
    assert (paused["status"], paused["next_run_at"]) == ("PAUSED", None)
    recorded = datetime.fromisoformat(task["created_at"]) - timedelta(seconds=90)
    async with store.autocommit() as work:
        # As if the pause had lasted ninety seconds longer.
        await work.schedules.record([_advance(task["id"], recorded)])
    resumed = (await api.post(f"{TASKS}/a/resume")).json()
    assert resumed["status"] == "ACTIVE"
    assert datetime.fromisoformat(resumed["next_run_at"]) > datetime.now(UTC) - timedelta(seconds=5)
    async with store.autocommit() as work:
        slots = await work.schedules.slots(task["id"])
    # A second may have begun before the pause: that slot is none of the pause.
    assert {each.reason for each in slots} <= {SlotReason.PAUSED, SlotReason.MISSED}
    (slot,) = [each for each in slots if each.reason is SlotReason.PAUSED]
    assert slot.count == (slot.last_scheduled_at - slot.scheduled_at) / timedelta(seconds=1) + 1 >= 90
    assert slot.scheduled_at > recorded


def _advance(task_id: int, recorded_until: datetime) -> Any:
    from scheduler_core.models import ScheduleAdvance

    return ScheduleAdvance(task_id=task_id, recorded_until=recorded_until, next_due_at=None)


async def test_api_integration_resumes_twice_as_once(api: Api) -> None:
    """Resuming what is not paused changes nothing."""
    task = await create(api, "a", schedule="@daily")
    assert (await api.post(f"{TASKS}/a/resume")).json() == task


async def test_api_integration_pages_through_tasks(api: Api) -> None:
    """Pages hold each task once, in order, and the last one has no cursor; filters hold on every page."""
    for number in range(5):
        await create(api, f"t{number}", namespace="other" if number == 4 else "default")
    seen, cursor = [], None
    while True:
        page = (await api.get(TASKS, params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        seen.append([task["name"] for task in page["items"]])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [["t0", "t1"], ["t2", "t3"], ["t4"]]
    assert [t["name"] for t in (await api.get(TASKS, params={"namespace": "other"})).json()["items"]] == ["t4"]
    assert [t["name"] for t in (await api.get(TASKS, params={"name": "T3"})).json()["items"]] == ["t3"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "cursor=zzz", "status=DONE", "lim=5", "limit=1&limit=2"]
)
async def test_api_integration_refuses_bad_queries(api: Api, query: str) -> None:
    """A query that cannot be used, or that nobody reads, is a 422 that names its parameter."""
    answer = await api.get(f"{TASKS}?{query}")
    assert fields_of(answer) == {query.partition("=")[0]}


async def test_api_integration_keeps_namespaces_apart(api: Api) -> None:
    """Equal names in two namespaces are two tasks."""
    first = await create(api, "a")
    second = await create(api, "a", namespace="other")
    assert first["id"] != second["id"]
    assert (await api.get(f"{TASKS}/a", params={"namespace": "other"})).json()["id"] == second["id"]


async def test_api_integration_keeps_a_one_shot_instant(api: Api) -> None:
    """An instant is due exactly then, also when it is written in another zone."""
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    local = at.astimezone(tz=None).isoformat()
    task = await create(api, "a", schedule={"at": local})
    assert datetime.fromisoformat(task["next_run_at"]) == at
    assert Schedule(at=datetime.fromisoformat(task["schedule"]["at"])).at == at


async def test_api_integration_takes_a_task_called_apply(api: Api) -> None:
    """The word of an operation can still be the name of a task."""
    await create(api, "apply")
    assert (await api.get(f"{TASKS}/apply")).json()["name"] == "apply"
    assert (await api.post(f"{TASKS}/apply/trigger")).status_code == 201


async def test_api_integration_answers_a_repeated_create_however_late(store: Store, rings: InMemoryWire) -> None:
    """A create that is repeated with its key after its instant has passed gets its answer, not a complaint."""
    clock = FrozenClock(datetime.now(UTC))
    tasks = TaskService(store, clock, WorkRinger(store, InMemoryMessageQueue(rings)), KnownTaskTypes(store))
    document = body("once", schedule={"at": (clock.now() + timedelta(seconds=5)).isoformat()})
    first = await tasks.create(document, OnceKey("key:tests", "k", "hash"))
    clock.advance(3600)
    assert await tasks.create(document, OnceKey("key:tests", "k", "hash")) == (first.result, True)


async def test_api_integration_applies_a_wide_graph_quickly(api: Api) -> None:
    """A thousand tasks with twenty dependencies each are judged in seconds, not in a minute that stops everybody."""
    wide = [body(f"w{n}", dependencies=[f"w{m}" for m in range(max(0, n - 20), n)]) for n in range(1000)]
    async with asyncio.timeout(30):
        answer = await api.post(f"{TASKS}/apply", json={"tasks": wide, "dry_run": True})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_api_integration_tells_of_a_dependency_deleted_meanwhile(
    api: Api, store: Store, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """A dependency that goes between its check and its use is a problem of the body: the address is right."""
    upstream = await create(api, "upstream")
    await create(api, "other")
    check = named_tasks.check_named_tasks

    async def check_and_lose(work: UnitOfWork, *given: Any) -> None:
        await check(work, *given)
        async with store.transaction() as elsewhere:
            await elsewhere.tasks.set_status([upstream["id"]], TaskStatus.INACTIVE)

    monkeypatch.setattr(task_service, "check_named_tasks", check_and_lose)
    if method == "POST":
        answer = await api.post(TASKS, json=body("late", dependencies=["upstream"]))
    else:
        answer = await api.patch(f"{TASKS}/other", json={"dependencies": ["upstream"]})
    assert fields_of(answer) == {"dependencies"}
