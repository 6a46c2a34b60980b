"""Schedules over HTTP, on a real database: what is sent, what is answered, and what it means."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fixtures.api_app import Api

TASKS = "/api/v1/tasks"
PREVIEW = "/api/v1/schedules/preview"
BERLIN = "Europe/Berlin"
SPRING = "2026-03-28T00:00:00Z"


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


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("30 2 * * *", {"cron": "30 2 * * *", "timezone": "UTC"}),
        (
            f"CRON_TZ={BERLIN} ON_GAP=skip 30 2 * * *",
            {"cron": "30 2 * * *", "timezone": BERLIN, "on_gap": "skip"},
        ),
        ({"every": 900, "jitter": 30}, {"every": "15m", "jitter": "30s", "timezone": "UTC"}),
        ({"after_end": "600s"}, {"after_end": "10m", "timezone": "UTC"}),
        ({"rrule": "FREQ=DAILY;BYHOUR=9"}, {"rrule": "FREQ=DAILY;BYHOUR=9", "timezone": "UTC"}),
        (
            {"any": [{"cron": "0 9 * * *"}, {"every": "6h", "timezone": "UTC"}], "timezone": BERLIN},
            {
                "any": [{"cron": "0 9 * * *", "timezone": BERLIN}, {"every": "6h", "timezone": "UTC"}],
                "timezone": BERLIN,
            },
        ),
        (
            {"every": "1h", "valid_from": "2020-01-01", "pauses": [{"cron": "0 22 * * *", "lasts": 28800}]},
            {
                "every": "1h",
                "valid_from": "2020-01-01T00:00:00",
                "pauses": [{"cron": "0 22 * * *", "lasts": "8h"}],
                "timezone": "UTC",
            },
        ),
    ],
)
async def test_api_integration_shows_schedules_as_they_can_be_sent_again(api: Api, sent: Any, shown: Any) -> None:
    """A schedule of either form is answered in the structured one; sent back it changes nothing."""
    task = await create(api, "a", schedule=sent)
    assert task["schedule"] == shown
    again = await api.patch(f"{TASKS}/a", json={"schedule": task["schedule"]})
    assert (again.status_code, again.json()) == (200, task)


async def test_api_integration_keeps_what_is_to_be_done_with_slots_that_cannot_run(api: Api) -> None:
    """Misfire and overlap are stored with their defaults, changed one by one, and judged."""
    task = await create(api, "a", schedule="@daily", misfire="all", misfire_grace_seconds=90.5)
    policies = {"misfire": "all", "misfire_grace_seconds": 90.5, "misfire_runs_max": 100, "overlap": "allow"}
    assert {name: task[name] for name in policies} == policies
    changed = (await api.patch(f"{TASKS}/a", json={"overlap": "queue", "misfire_grace_seconds": None})).json()
    assert {name: changed[name] for name in policies} == policies | {"overlap": "queue", "misfire_grace_seconds": None}
    refused = await api.patch(
        f"{TASKS}/a", json={"misfire": "latst", "misfire_grace_seconds": 0, "misfire_runs_max": 0, "overlap": 5}
    )
    assert fields_of(refused) == {"misfire", "misfire_grace_seconds", "misfire_runs_max", "overlap"}
    assert "Did you mean latest?" in refused.text


async def test_api_integration_moves_a_schedule_to_another_zone(api: Api) -> None:
    """A time zone alone moves the schedule with all that it says."""
    await create(api, "a", schedule={"every": "1h", "jitter": "30s"})
    moved = (await api.patch(f"{TASKS}/a", json={"timezone": BERLIN})).json()
    assert moved["schedule"] == {"every": "1h", "jitter": "30s", "timezone": BERLIN}


async def test_api_integration_previews_a_schedule_without_storing_it(api: Api) -> None:
    """A schedule that nobody has saved is shown with words, rules and slots in every zone that was asked for."""
    answer = await api.post(
        PREVIEW,
        json={
            "schedule": "30 2 * * *",
            "timezone": BERLIN,
            "from": SPRING,
            "count": 2,
            "viewer_timezone": "Asia/Tokyo",
        },
    )
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "schedule": f"CRON_TZ={BERLIN} 30 2 * * *",
        "words": "At 02:30",
        "timezone": BERLIN,
        "rules": {"on_gap": "run_after", "on_overlap": "first"},
        "slots": [
            {
                "scheduled_at": "2026-03-28T01:30:00Z",
                "local": "2026-03-28T02:30:00+01:00",
                "viewer": "2026-03-28T10:30:00+09:00",
            },
            {
                "scheduled_at": "2026-03-29T01:00:00Z",
                "local": "2026-03-29T03:00:00+02:00",
                "viewer": "2026-03-29T10:00:00+09:00",
            },
        ],
    }
    assert (await api.get(TASKS)).json()["items"] == []


async def test_api_integration_previews_what_the_task_will_do(api: Api) -> None:
    """H and jitter come out alike before a task exists and when it is stored, also after it was renamed."""
    schedule = {"cron": "H H * * *", "jitter": "30m"}
    before = (await api.post(PREVIEW, json={"schedule": schedule, "name": "a", "count": 5})).json()
    await create(api, "a", schedule=schedule)
    stored = (await api.get(f"{TASKS}/a/preview", params={"count": 5})).json()
    assert stored == before
    await api.patch(f"{TASKS}/a", json={"name": "b"})
    assert (await api.get(f"{TASKS}/b/preview", params={"count": 5})).json() == stored
    other = (await api.post(PREVIEW, json={"schedule": schedule, "name": "other", "count": 5})).json()
    assert other["slots"] != stored["slots"]


async def test_api_integration_previews_what_is_due_next(api: Api) -> None:
    """The first slot of a preview is the task's next run; ten are shown unless told otherwise."""
    for name, schedule in (("a", "0 * * * *"), ("b", "after_end 10m"), ("c", "at 2050-01-01T00:00:00Z")):
        task = await create(api, name, schedule=schedule)
        slots = (await api.get(f"{TASKS}/{name}/preview")).json()["slots"]
        assert datetime.fromisoformat(slots[0]["scheduled_at"]) == datetime.fromisoformat(task["next_run_at"])
        assert len(slots) == (10 if name == "a" else 1)


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({}, {"schedule"}),
        ({"schedule": None}, {"schedule"}),
        ({"schedule": "@daily", "count": 0, "viewer_timezone": "Mars"}, {"count", "viewer_timezone"}),
        ({"schedule": "@daily", "count": "x", "from": "0001-01-01T00:00:00Z"}, {"count", "from"}),
        ({"schedule": {"any": [{"cron": "61 * * * *"}]}, "x": 1}, {"schedule.any.0.cron", "x"}),
        ({"schedule": "0 0 31 2 *", "timezone": "Mars"}, {"schedule.cron", "schedule.timezone"}),
        ({"schedule": {"cron": "@daily", "timezone": BERLIN}, "timezone": "UTC"}, {"timezone"}),
        ({"schedule": {"every": "1m", "jitter": "2m"}}, {"schedule.jitter"}),
        ([], {""}),
    ],
)
async def test_api_integration_refuses_previews_with_all_their_problems(api: Api, sent: Any, fields: set[str]) -> None:
    """Whatever is wrong with a schedule that is previewed is told at its field."""
    assert fields_of(await api.post(PREVIEW, json=sent)) == fields


async def test_api_integration_refuses_previews_of_tasks_that_have_none(api: Api) -> None:
    """A task that does not exist, one without a schedule, and a zone that does not exist."""
    await create(api, "unscheduled")
    await create(api, "a", schedule="@daily")
    assert (await api.get(f"{TASKS}/nobody/preview")).status_code == 404
    refused = await api.get(f"{TASKS}/unscheduled/preview")
    assert (refused.status_code, "no schedule" in refused.text) == (422, True)
    assert fields_of(await api.get(f"{TASKS}/a/preview", params={"timezone": "Mars"})) == {"timezone"}
    assert fields_of(await api.get(f"{TASKS}/a/preview", params={"count": 1001})) == {"count"}


async def test_api_integration_applies_schedules_of_every_kind(api: Api) -> None:
    """A list tells a problem within a schedule with its task, and takes schedules of all kinds."""
    kinds = [{"every": "1h"}, {"after_end": "5m"}, "rrule FREQ=DAILY;BYHOUR=9", {"any": [{"cron": "@daily"}]}]
    tasks = [body(f"t{number}", schedule=kind) for number, kind in enumerate(kinds)]
    refused = await api.post(f"{TASKS}/apply", json={"tasks": [*tasks, body("x", schedule={"any": [{"every": "0s"}]})]})
    assert fields_of(refused) == {"tasks.4.schedule.any.0.every"}
    applied = await api.post(f"{TASKS}/apply", json={"tasks": tasks})
    assert [item["change"] for item in applied.json()["items"]] == ["created"] * 4
    again = await api.post(f"{TASKS}/apply", json={"tasks": tasks})
    assert [item["change"] for item in again.json()["items"]] == ["unchanged"] * 4
    now = datetime.now(UTC)
    for task in (await api.get(TASKS)).json()["items"]:
        assert datetime.fromisoformat(task["next_run_at"]) > now
