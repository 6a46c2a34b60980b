"""Lists of tasks over HTTP, on a real database."""

import asyncio
from typing import Any

from fixtures.api_app import Api

TASKS = "/api/v1/tasks"


def body(name: str, **changes: Any) -> dict[str, Any]:
    """A task that is fine."""
    return {"name": name, "task_type": "shell", "parameters": {"command": ["true"]}, **changes}


async def apply(api: Api, *tasks: Any, **options: Any) -> Any:
    """The answer to a list."""
    return await api.post(f"{TASKS}/apply", json={"tasks": tasks, **options})


def changes_of(answer: Any) -> list[tuple[str, str]]:
    """What came of each task."""
    assert answer.status_code == 200, answer.text
    return [(item["name"], item["change"]) for item in answer.json()["items"]]


async def names(api: Api) -> list[str]:
    """The tasks that are stored."""
    return [task["name"] for task in (await api.get(TASKS)).json()["items"]]


async def test_api_integration_applies_a_list(api: Api) -> None:
    """Tasks are created in any order of their dependencies, then left alone, then updated one by one."""
    tasks = [body("report", dependencies=["extract"]), body("extract", schedule="* * * * *")]
    assert changes_of(await apply(api, *tasks)) == [("report", "created"), ("extract", "created")]
    assert changes_of(await apply(api, *tasks)) == [("report", "unchanged"), ("extract", "unchanged")]
    tasks[0]["priority"] = 9
    tasks.append(body("mail", dependencies=["report"]))
    assert changes_of(await apply(api, *tasks)) == [
        ("report", "updated"),
        ("extract", "unchanged"),
        ("mail", "created"),
    ]
    assert (await api.get(f"{TASKS}/report")).json()["version"] == 2


async def test_api_integration_applies_all_or_nothing(api: Api) -> None:
    """One bad task keeps every other out, and the problems of all tasks are told with their places."""
    answer = await apply(api, body("good"), body("7"), body("x", dependencies=["nobody"], priority=99), "no task")
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json()["errors"]} == {"tasks.1.name", "tasks.2.priority", "tasks.3"}
    missing = await apply(api, body("good"), body("x", dependencies=["nobody"]))
    assert [e["pointer"] for e in missing.json()["errors"]] == ["#/tasks/1/dependencies"]
    assert await names(api) == []


async def test_api_integration_names_a_cycle_of_a_list(api: Api) -> None:
    """A cycle within a list is told edge by edge, and nothing is stored."""
    answer = await apply(
        api, body("a", dependencies=["c"]), body("b", dependencies=["a"]), body("c", dependencies=["b"])
    )
    assert answer.status_code == 422
    assert "'a' depends on 'c', 'c' depends on 'b', 'b' depends on 'a'" in answer.json()["detail"]
    assert await names(api) == []


async def test_api_integration_refuses_a_doubled_name(api: Api) -> None:
    """Two tasks of one name in a list are a mistake."""
    answer = await apply(api, body("a"), body("a"))
    assert [e["field"] for e in answer.json()["errors"]] == ["tasks.1.name"]
    assert changes_of(await apply(api, body("a"), body("a", namespace="other"))) == [("a", "created")] * 2


async def test_api_integration_dry_run_changes_nothing(api: Api) -> None:
    """A dry run says what would happen, finds the same problems, and stores nothing."""
    await apply(api, body("a"))
    answer = await apply(api, body("a", priority=9), body("b", dependencies=["a"]), dry_run=True)
    assert changes_of(answer) == [("a", "updated"), ("b", "created")]
    assert answer.json()["items"][1]["id"] is None
    assert (await apply(api, body("a", dependencies=["a2"]), dry_run=True)).status_code == 422
    assert await names(api) == ["a"]
    assert (await api.get(f"{TASKS}/a")).json()["version"] == 1


async def test_api_integration_keeps_an_instant_that_has_passed(api: Api) -> None:
    """A list can be applied again after the instant of one of its tasks."""
    refused = await apply(api, body("a", schedule={"at": "2001-01-01T00:00:00Z"}))
    assert [e["field"] for e in refused.json()["errors"]] == ["tasks.0.schedule.at"]


async def test_api_integration_applies_one_new_list_many_times_at_once(api: Api) -> None:
    """Who applies a list while somebody else does finds the tasks there: nobody is told to use apply."""
    tasks = [body(f"t{n}", dependencies=[f"t{n - 1}"] if n else []) for n in range(10)]
    answers = await asyncio.gather(*[apply(api, *tasks) for _ in range(5)])
    assert [answer.status_code for answer in answers] == [200] * 5, [answer.text for answer in answers]
    changes = [item["change"] for answer in answers for item in answer.json()["items"]]
    assert changes.count("created") == 10
    assert changes.count("unchanged") == 40
