"""Definitions of flows over HTTP, on a real database: what they may say, and what is refused."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from fixtures.api_app import Api
from fixtures.factories import build_definition
from scheduler_api import task_apply_service
from scheduler_api.named_tasks import rename_in_dependents
from scheduler_core.decisions import task_rules
from scheduler_core.decisions.templates import template_problems
from scheduler_core.errors import ConflictError, Problem
from scheduler_core.interfaces import Store
from scheduler_core.models import Task, TaskDefinition

TASKS = "/api/v1/tasks"

HOURLY = {"cron": "0 * * * *", "timezone": "UTC"}
DAILY = {"cron": "0 0 * * *", "timezone": "UTC"}
ALL_FIELDS: dict[str, Any] = {
    "trigger_rule": "one_failed",
    "when": "upstream.root.status == 'COMPLETED'",
    "continue_on_failure": True,
    "sub_flow": None,
    "shards": 3,
    "map_over": None,
    "broadcast": False,
    "max_parallel": 2,
    "tolerated_failures": 1,
}


def body(name: str, **changes: Any) -> dict[str, Any]:
    """A task that is fine."""
    return {"name": name, "task_type": "shell", "parameters": {"command": ["true"]}, **changes}


def waiting(name: str, upstream: str, interval: str = "contained", **changes: Any) -> dict[str, Any]:
    """A daily task that waits for an interval of another."""
    return body(name, **{"schedule": DAILY, "dependencies": [{"task": upstream, "interval": interval}], **changes})


def sub_flow(name: str, target: str, **changes: Any) -> dict[str, Any]:
    """A task that runs another flow."""
    return {"name": name, "sub_flow": target, **changes}


async def apply(api: Api, *tasks: Any) -> dict[str, str]:
    """Bring tasks into being; what came of each."""
    answer = await api.post(f"{TASKS}/apply", json={"tasks": tasks})
    assert answer.status_code == 200, answer.text
    return {item["name"]: item["change"] for item in answer.json()["items"]}


def problems_of(answer: Any) -> dict[str, str]:
    """What a refusal says at which field."""
    assert answer.status_code == 422, answer.text
    return {each["field"]: each["message"] for each in answer.json()["errors"]}


async def task_of(api: Api, name: str) -> dict[str, Any]:
    """A task as it is stored."""
    found: dict[str, Any] = (await api.get(f"{TASKS}/{name}")).json()
    return found


async def test_api_integration_flow_fields_come_back_as_they_were_given(api: Api) -> None:
    """All fields of a flow are stored and answered, an answer can be sent again, and null takes away."""
    await apply(api, body("hourly", schedule=HOURLY), body("root", schedule=DAILY))
    contained = {"task": "hourly", "interval": "contained", "condition": "at_least:20", "deadline": "3h"}
    given = body(
        "report",
        parameters={"command": ["echo", "{{ upstream.root.run_id }}"]},
        dependencies=[
            "root",
            {"task": "hourly", "interval": "latest", "deadline": 90},
            {**contained, "on_unmet": "run"},
        ],
        **ALL_FIELDS,
    )
    answer = await api.post(TASKS, json=given)
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert shown["dependencies"] == [
        "root",
        {"task": "hourly", "interval": "latest", "condition": "success", "deadline": "1m30s", "on_unmet": "skip"},
        {**contained, "on_unmet": "run"},
    ]
    assert {field: shown[field] for field in ALL_FIELDS} == ALL_FIELDS
    again = {name: value for name, value in shown.items() if name in given}
    assert (await api.put(f"{TASKS}/report", json=again)).json()["version"] == 1
    assert await apply(api, again) == {"report": "unchanged"}
    less = await api.patch(f"{TASKS}/report", json={"shards": None, "max_parallel": None, "tolerated_failures": 0})
    assert (less.json()["shards"], less.json()["max_parallel"]) == (None, None)
    assert less.json()["trigger_rule"] == "one_failed"


async def test_api_integration_a_dependency_in_an_object_is_its_name(api: Api) -> None:
    """Without an interval an object says no more than the name, and what belongs to intervals is refused."""
    await apply(api, body("up"))
    assert (await api.post(TASKS, json=body("down", dependencies=[{"task": "up"}]))).json()["dependencies"] == ["up"]
    bad = {"task": "up", "condition": "finished", "deadline": "5 parsecs", "on_unmet": "fail"}
    told = problems_of(await api.post(TASKS, json=body("bad", dependencies=["up", bad], max_parallel=0)))
    assert set(told) == {
        "dependencies",
        "dependencies.1.condition",
        "dependencies.1.deadline",
        "dependencies.1.on_unmet",
        "max_parallel",
    }
    assert "trigger_rule" in told["dependencies.1.condition"]
    unread = body("bad", dependencies=[{"task": "up", "interval": "same", "on_unmet": "runn"}, 5])
    told = problems_of(await api.post(TASKS, json=unread))
    assert told["dependencies.0.on_unmet"].endswith("Did you mean run?")
    assert "dependencies.1" in told


async def test_api_integration_a_sub_flow_needs_no_type(api: Api) -> None:
    """Who gives a sub-flow has said the type; who gives neither is told."""
    await apply(api, body("other"), body("load", schedule=HOURLY), body("check", dependencies=["load"]))
    answer = await api.post(TASKS, json=sub_flow("nightly", "load"))
    assert (answer.status_code, answer.json()["task_type"]) == (201, "flow")
    assert "task_type" in problems_of(await api.post(TASKS, json={"name": "x"}))
    refused = problems_of(await api.post(TASKS, json=sub_flow("x", "check")))
    assert refused == {
        "sub_flow": "'check' has dependencies, so no flow begins with it that 'x' could run. Name 'load'."
    }
    changed = await api.patch(f"{TASKS}/check", json={"dependencies": [], "sub_flow": "load", "parameters": {}})
    assert (changed.status_code, changed.json()["task_type"]) == (200, "flow")
    moved = problems_of(await api.patch(f"{TASKS}/load", json={"schedule": None, "dependencies": ["other"]}))
    assert "'load' has dependencies, so no flow begins with it that 'nightly' could run" in moved["dependencies"]


async def test_api_integration_names_the_nearest_of_missing_tasks(api: Api) -> None:
    """A name that no task has is told for dependencies of both kinds and for sub-flows, with the nearest there is."""
    await apply(api, body("hourly", schedule=HOURLY))
    answer = await api.post(
        f"{TASKS}/apply",
        json={"tasks": [body("a", dependencies=["hourli"]), waiting("b", "hourlyy"), sub_flow("c", "hourl")]},
    )
    told = problems_of(answer)
    assert set(told) == {"tasks.0.dependencies", "tasks.1.dependencies", "tasks.2.sub_flow"}
    assert all(message.endswith("Did you mean hourly?") for message in told.values())


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        (
            [waiting("a", "b"), waiting("b", "a", "latest")],
            ["'a' waits for the interval contained of 'b'", "'b' waits for the interval latest of 'a'"],
        ),
        (
            [waiting("a", "b", "same"), body("b", dependencies=["a"])],
            ["'a' waits for the interval same of 'b'", "'b' depends on 'a'"],
        ),
        ([sub_flow("a", "b"), sub_flow("b", "a")], ["'a' runs the flow of 'b'", "'b' runs the flow of 'a'"]),
        (
            [body("a"), body("b", dependencies=["a"]), sub_flow("c", "a", dependencies=["b"])],
            ["'c' runs the flow of 'a'", "'c' is a part of the flow of 'a'"],
        ),
    ],
)
async def test_api_integration_names_circles_of_all_kinds_of_edges(
    api: Api, tasks: list[dict[str, Any]], told: list[str]
) -> None:
    """A circle is told edge by edge, each with its kind, and nothing is stored."""
    answer = await api.post(f"{TASKS}/apply", json={"tasks": tasks})
    (message,) = problems_of(answer).values()
    assert message.startswith("The dependencies form a cycle: ")
    assert all(each in message for each in told), message
    assert (await api.get(TASKS)).json()["items"] == []


async def test_api_integration_a_circle_of_two_changes_at_once_is_refused(api: Api) -> None:
    """Two changes that close a circle over intervals together do not both come through."""
    await apply(api, body("a", schedule=DAILY), body("b", schedule=DAILY))
    answers = await asyncio.gather(
        api.patch(f"{TASKS}/a", json={"dependencies": [{"task": "b", "interval": "same"}]}),
        api.patch(f"{TASKS}/b", json={"dependencies": [{"task": "a", "interval": "same"}]}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 422]


async def test_api_integration_may_wait_for_its_own_past(api: Api) -> None:
    """A task may wait for its slot before, and keeps doing so under another name."""
    await apply(api, waiting("a", "a", "previous:1"))
    assert (await api.patch(f"{TASKS}/a", json={"name": "b"})).json()["dependencies"][0]["task"] == "b"
    assert (await api.patch(f"{TASKS}/b", json={"priority": 9})).status_code == 200
    assert (await api.delete(f"{TASKS}/b")).status_code == 200


async def test_api_integration_refuses_intervals_that_never_come(api: Api) -> None:
    """A wait in vain is refused when it is written, and when a change of the other's schedule brings it about."""
    await apply(api, body("hourly", schedule=HOURLY), body("loose"), body("late", dependencies=["hourly"]))
    refused = problems_of(await api.post(TASKS, json=waiting("daily", "hourly", "same")))
    assert "'daily' waits for the interval same of 'hourly', which can never hold" in refused["dependencies"]
    assert "has none, either" in problems_of(await api.post(TASKS, json=waiting("daily", "loose")))["dependencies"]
    await apply(api, waiting("daily", "late"))
    taken = problems_of(await api.patch(f"{TASKS}/hourly", json={"schedule": None}))
    assert "'daily' waits for the interval contained of 'late', which has no schedule" in taken["schedule"]
    manual = body("manual", dependencies=["loose", {"task": "hourly", "interval": "latest"}])
    assert "Give a schedule to 'loose'" in problems_of(await api.post(TASKS, json=manual))["dependencies"]


async def test_api_integration_judges_many_waits_only_where_something_changed(api: Api) -> None:
    """What is connected with a change, and was fine before, does not keep it out."""
    await apply(api, body("hourly", schedule=HOURLY), waiting("one", "hourly"), waiting("two", "hourly"))
    assert (await api.patch(f"{TASKS}/one", json={"priority": 1})).status_code == 200
    assert await apply(api, waiting("one", "hourly"), body("more", dependencies=["one"])) == {
        "one": "updated",
        "more": "created",
    }


async def test_api_integration_judges_each_namespace_by_itself(api: Api) -> None:
    """Tasks of the same names in two namespaces of one list wait for those of their own."""
    elsewhere = {"namespace": "other"}
    good = [body("hourly", schedule=HOURLY), waiting("daily", "hourly")]
    bad = [body("hourly", schedule=DAILY, **elsewhere), waiting("daily", "hourly", "within:1h", **elsewhere)]
    answer = await api.post(f"{TASKS}/apply", json={"tasks": [*good, *bad, sub_flow("n", "daily", **elsewhere)]})
    assert answer.status_code == 200, answer.text
    bad[0]["schedule"] = "0 12 * * *"
    told = problems_of(await api.post(f"{TASKS}/apply", json={"tasks": [*good, *bad]}))
    assert list(told) == ["tasks.2.schedule"]
    assert "'daily' waits for the interval within:1h of 'hourly', which can never hold" in told["tasks.2.schedule"]


async def test_api_integration_refuses_a_map_over_what_is_no_list(api: Api) -> None:
    """The whole result of a shell task is an object; a change of its type is judged by who maps over it, too."""
    await apply(api, body("list"), {"name": "py", "task_type": "python", "parameters": {"callable": "m:f"}})
    refused = problems_of(await api.post(TASKS, json=body("m", dependencies=["list"], map_over="upstream.list.result")))
    assert "a shell task gives an object with exit_code" in refused["map_over"]
    await apply(api, body("m", dependencies=["py"], map_over="upstream.py.result"))
    changed = await api.patch(f"{TASKS}/py", json={"task_type": "shell", "parameters": {"command": ["ls"]}})
    assert "'m' is mapped over 'py'" in problems_of(changed)["task_type"]
    group = problems_of(await api.patch(f"{TASKS}/py", json={"shards": 2}))
    assert "Use upstream.py.results" in group["task_type"]


async def test_api_integration_a_new_name_is_followed_by_everybody(api: Api) -> None:
    """Dependencies of both kinds, sub-flows and templates say the new name of a task."""
    await apply(
        api,
        body("hourly", schedule=HOURLY),
        waiting("daily", "hourly"),
        sub_flow("nightly", "hourly"),
        body("down", dependencies=["hourly"], parameters={"command": ["echo", "{{ upstream.hourly.run_id }}"]}),
    )
    assert (await api.patch(f"{TASKS}/hourly", json={"name": "every-hour"})).status_code == 200
    assert (await task_of(api, "daily"))["dependencies"][0]["task"] == "every-hour"
    assert (await task_of(api, "nightly"))["sub_flow"] == "every-hour"
    down = await task_of(api, "down")
    assert down["dependencies"] == ["every-hour"]
    assert down["parameters"]["command"][1] == '{{ upstream["every-hour"].run_id }}'


async def test_api_integration_keeps_a_task_that_others_need_in_any_way(api: Api) -> None:
    """A task is not deleted while others depend on it, wait for its intervals or run its flow; all are named."""
    await apply(
        api,
        body("hourly", schedule=HOURLY),
        waiting("daily", "hourly"),
        sub_flow("nightly", "hourly"),
        body("down", dependencies=["hourly"]),
    )
    refused = await api.delete(f"{TASKS}/hourly")
    assert refused.status_code == 409
    assert "daily, down, nightly depend on it. Change or delete them first." in refused.json()["detail"]
    for name in ("daily", "nightly", "down", "hourly"):
        assert (await api.delete(f"{TASKS}/{name}")).status_code == 200


async def test_api_integration_parameters_keep_their_schema(api: Api) -> None:
    """A definition and a trigger are judged by the schema; a task that is only triggered may leave values to that."""
    schema = {
        "type": "object",
        "properties": {"kwargs": {"type": "object", "required": ["day"], "properties": {"day": {"type": "integer"}}}},
        "required": ["kwargs"],
    }
    python = {"name": "p", "task_type": "python", "parameters": {"callable": "m:f"}, "parameters_schema": schema}
    scheduled = {**python, "schedule": DAILY}
    assert any(field.startswith("parameters") for field in problems_of(await api.post(TASKS, json=scheduled)))
    assert (await api.post(TASKS, json=python)).json()["parameters_schema"] == schema
    trigger = f"{TASKS}/p/trigger"
    assert problems_of(await api.post(trigger))
    bad = problems_of(await api.post(trigger, json={"parameters": {"kwargs": {"day": "x"}}}))
    assert list(bad) == ["parameters.kwargs.day"]
    assert (await api.post(trigger, json={"parameters": {"kwargs": {"day": 5}}})).status_code == 201
    broken = problems_of(await api.patch(f"{TASKS}/p", json={"parameters_schema": {"type": "no"}}))
    assert all(field.startswith("parameters_schema") for field in broken)
    assert (await api.patch(f"{TASKS}/p", json={"parameters_schema": None})).json()["parameters_schema"] is None


async def test_api_integration_a_sub_flow_has_what_its_schema_requires(api: Api) -> None:
    """Nobody can give parameters to the beginning of a sub-flow, so they have to be there, whoever is changed."""
    target = body("target", parameters_schema={"required": ["command", "values"]})
    assert await apply(api, target) == {"target": "created"}

    refused = problems_of(await api.post(TASKS, json=sub_flow("all", "target")))
    assert refused == {
        "sub_flow": "As a sub-flow 'target' would begin without parameters that its parameters_schema requires: "
        "values. Give them in the parameters of 'target'."
    }
    given = {"command": ["true"], "values": {}}
    assert (await api.patch(f"{TASKS}/target", json={"parameters": given})).status_code == 200
    assert await apply(api, sub_flow("all", "target")) == {"all": "created"}
    later = problems_of(await api.patch(f"{TASKS}/target", json={"parameters": {"command": ["true"]}}))
    assert list(later) == ["parameters"]


async def test_api_integration_a_new_name_overwrites_no_change_in_between(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody else commits to a dependent between its reading and its renaming makes the change begin anew."""
    async with store.transaction() as work:
        (first,) = await work.tasks.create([build_definition(name="a")], [None])
        (dependent,) = await work.tasks.create([build_definition(name="b", dependencies=("a",))], [None])

    async def rename() -> None:
        async with store.transaction() as work:
            definition = msgspec.structs.replace(first.definition(), name="a2")
            (renamed,) = await work.tasks.update([first.id], [definition], [None])
            read = work.tasks.get_many

            async def read_late(names: Sequence[str], namespace: str) -> list[Task]:
                found = await read(names, namespace)
                async with store.transaction() as other:
                    changed = msgspec.structs.replace(dependent.definition(), description="changed meanwhile")
                    await other.tasks.update([dependent.id], [changed], [None])
                return found

            monkeypatch.setattr(work.tasks, "get_many", read_late)
            await rename_in_dependents(work, renamed, "a")

    with pytest.raises(ConflictError, match="Task 'b' was changed by somebody else"):
        await rename()

    async with store.autocommit() as work:
        stored = await work.tasks.get("b", "default")
    assert (stored.version, stored.description, stored.dependencies) == (2, "changed meanwhile", ("a",))


async def test_api_integration_a_new_name_that_cannot_be_followed_is_refused(api: Api) -> None:
    """Who names the task in a way that is not rewritten stops the renaming, which changes nothing."""
    await apply(api, body("a"), body("b", dependencies=["a"], when="(upstream).a.status == 'COMPLETED'"))

    refused = problems_of(await api.patch(f"{TASKS}/a", json={"name": "c"}))

    assert refused["name"].startswith("Task 'b' cannot follow the new name in \"(upstream).a.status == 'COMPLETED'\":")
    assert (await task_of(api, "b"))["dependencies"] == ["a"]


async def test_api_integration_judges_a_large_definition_aside(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes time to judge is judged in another thread; what is small is not."""
    threads: list[bool] = []

    def seen(definition: TaskDefinition) -> list[Problem]:
        threads.append(threading.current_thread() is threading.main_thread())
        return template_problems(definition)

    monkeypatch.setattr(task_rules, "template_problems", seen)
    await api.post(TASKS, json=body("small"))
    await api.post(TASKS, json=body("schema", parameters_schema={}))
    await api.post(TASKS, json=body("large", parameters={"command": ["echo", "x" * 20_000]}))
    await api.patch(f"{TASKS}/large", json={"priority": 2})
    await api.put(f"{TASKS}/small", json=body("small", parameters={"command": ["echo", "x" * 20_000]}))

    assert threads == [True, False, False, False, False]


async def test_api_integration_a_list_is_judged_in_bounded_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that takes too long is refused as a whole."""
    monkeypatch.setattr(task_apply_service, "SECONDS_MAX", 0.0)

    refused = problems_of(await api.post(f"{TASKS}/apply", json={"tasks": [body("a"), body("b")]}))

    assert refused["tasks"].endswith("of 2 tasks. Apply fewer at once.")


async def test_api_integration_refuses_what_no_run_upstream_can_have(api: Api) -> None:
    """Results of what is no group, and keys that results of built-in types never have, wherever they are taken."""
    await apply(api, body("up"), body("group", dependencies=["up"], shards=2))
    taken = {"command": ["echo", "{{ upstream.up.results }}{{ upstream.group.results }}"]}
    task = body("down", dependencies=["up", "group"])

    refused = problems_of(await api.post(TASKS, json={**task, "parameters": taken, "when": "upstream.up.result.rows"}))

    assert refused == {
        "parameters.command.1": "'up' is a single run, which has a result and no results. Use upstream.up.result.",
        "when": "upstream.up.result has no 'rows': a shell task gives exit_code.",
    }
    right = ["{{ upstream.up.result.exit_code }}", "{{ upstream.up.result.x | default(1) }}"]
    right += ["{{ upstream.up.result.get('x') }}", "{{ upstream.group.result.x is defined }}"]
    assert await apply(api, {**task, "parameters": {"command": right}}) == {"down": "created"}
    later = problems_of(await api.patch(f"{TASKS}/down", json={"parameters": taken}))
    assert list(later) == ["parameters.command.1"]
