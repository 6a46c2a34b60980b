"""The ledger over HTTP: what a dispatcher has recorded on a real database, and what becomes of it by hand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
import pytest

from fixtures.api_app import Api
from fixtures.factories import build_definition
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from scheduler_api import ledger_service
from scheduler_core.decisions.schedule_rules import next_run_after
from scheduler_core.interfaces import Store
from scheduler_core.models import MisfirePolicy, Schedule, Task
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.schedule_service import ScheduleService

VERIFICATION = "/api/v1/ledger/verification"
MINUTE = timedelta(minutes=1)
MINUTELY = Schedule(cron="* * * * *")

Execute = Callable[..., None]


def minutes_ago(minutes: int) -> datetime:
    """A full minute."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - minutes * MINUTE


@pytest.fixture
def execute(database_url: str) -> Execute:
    """Executes a statement, as somebody who goes behind the scheduler's back."""

    def run(statement: LiteralString, *parameters: Any) -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            assert connection.execute(statement, parameters).rowcount > 0

    return run


async def create(store: Store, name: str, since: datetime, schedule: Schedule = MINUTELY, **changes: Any) -> Task:
    """A task that was created at `since`."""
    definition = build_definition(
        name=name, task_type="shell", parameters={"command": ["true"]}, schedule=schedule, **changes
    )
    async with store.transaction() as work:
        (task,) = await work.tasks.create([definition], [next_run_after(schedule, since)], since)
    return task


async def fire(store: Store) -> None:
    """Record everything that is due."""
    service = ScheduleService(store, Ringer(store, InMemoryMessageQueue()), batch=1000, interval_seconds=10.0)
    while await service.look() == 0.0:
        pass


async def verify(api: Api, **query: Any) -> dict[str, Any]:
    """All pages of a verification: items by task name, what they say of one task added to a list."""
    items: dict[str, Any] = {}
    while True:
        answer = await api.get(VERIFICATION, params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        for item in page["items"]:
            items.setdefault(item["task_name"], []).append(item)
        if page["next_cursor"] is None:
            return items
        query["cursor"] = page["next_cursor"]


def findings(items: dict[str, Any]) -> list[tuple[str, str, str, str, int, int]]:
    """All findings with the name of their task."""
    return [
        (name, each["kind"], each["first_at"], each["last_at"], each["expected"], each["recorded"])
        for name, pieces in items.items()
        for item in pieces
        for each in item["findings"]
    ]


def text(instant: datetime) -> str:
    """An instant as the API writes it."""
    return instant.isoformat().replace("+00:00", "Z")


async def test_api_integration_ledger_of_a_task(api: Api, store: Store) -> None:
    """Runs with their status and stretches with their reason, oldest first, page by page and by range."""
    since = minutes_ago(10)
    task = await create(store, "tick", since, misfire=MisfirePolicy.LATEST)
    await fire(store)
    page = (await api.get("/api/v1/tasks/tick/slots", params={"limit": 1})).json()
    (stretch,) = page["items"]
    assert (stretch["scheduled_at"], stretch["reason"], stretch["run_id"]) == (text(since + MINUTE), "MISSED", None)
    rest = (await api.get(f"/api/v1/tasks/{task.id}/slots", params={"cursor": page["next_cursor"]})).json()
    (run,) = rest["items"]
    assert (run["count"], run["run_status"], run["reason"], rest["next_cursor"]) == (1, "DISPATCHED", None, None)
    assert run["run_id"] is not None
    assert run["zone_data"] is not None
    reached = (await api.get("/api/v1/tasks/tick/slots", params={"from": text(since + 3 * MINUTE)})).json()
    assert reached["items"] == [stretch, run]
    early = (await api.get("/api/v1/tasks/tick/slots", params={"to": text(since + 3 * MINUTE)})).json()
    assert early["items"] == [stretch]


async def test_api_integration_verifies_what_a_dispatcher_recorded(api: Api, store: Store) -> None:
    """Every policy, a paused and a deleted task: no finding, and the numbers of slots by what became of them."""
    since = minutes_ago(30)
    for policy in MisfirePolicy:
        await create(store, policy, since, misfire=policy)
    await create(store, "zone", since - 40 * 24 * 60 * MINUTE, Schedule(cron="30 2 * * *", timezone="Europe/Berlin"))
    await create(store, "gone", since)
    await fire(store)
    assert (await api.delete("/api/v1/tasks/gone")).status_code == 200
    items = await verify(api, limit=2)
    assert findings(items) == []
    assert sorted(items) == ["all", "gone", "latest", "skip", "zone"]
    assert items["gone"][0]["status"] == "INACTIVE"
    (late,) = items["all"]
    assert (late["slots"], late["runs"], late["reasons"]) == (late["slots"], late["slots"], {})
    (latest,) = items["latest"]
    assert (latest["runs"], latest["reasons"]) == (1, {"MISSED": latest["slots"] - 1})
    assert await verify(api, namespace="elsewhere") == {}


async def test_api_integration_verification_names_a_hole(api: Api, store: Store, execute: Execute) -> None:
    """A slot whose row is gone is named, and only where the range holds it."""
    since = minutes_ago(10)
    task = await create(store, "tick", since, misfire=MisfirePolicy.ALL)
    await fire(store)
    missing = since + 4 * MINUTE
    execute("DELETE FROM scheduler.slots WHERE task_id = %s AND scheduled_at = %s", task.id, missing)
    assert findings(await verify(api)) == [("tick", "HOLE", text(missing), text(missing), 1, 0)]
    assert findings(await verify(api, to=text(missing))) == []
    assert findings(await verify(api, **{"from": text(missing), "to": text(missing + MINUTE)})) != []
    assert findings(await verify(api, **{"from": text(missing + MINUTE)})) == []


async def test_api_integration_verification_names_doubles_and_strangers(
    api: Api, store: Store, execute: Execute
) -> None:
    """A second row for a slot, a row for no slot, and a stretch with a wrong number are told apart."""
    since = minutes_ago(10)
    every = await create(store, "every", since, misfire=MisfirePolicy.ALL)
    latest = await create(store, "latest", since, misfire=MisfirePolicy.LATEST)
    await fire(store)
    second = since + 2 * MINUTE
    for at, shard in ((second, 1), (second + MINUTE / 2, 0)):
        execute(
            "INSERT INTO scheduler.slots (task_id, scheduled_at, shard_index, last_scheduled_at, count, reason) "
            "VALUES (%s, %s, %s, %s, 1, 'MISSED')",
            every.id, at, shard, at,
        )  # fmt: skip
    execute("UPDATE scheduler.slots SET count = count + 1 WHERE task_id = %s AND reason = 'MISSED'", latest.id)
    found = findings(await verify(api))
    assert found[:2] == [
        ("every", "DOUBLE", text(second), text(second), 1, 2),
        ("every", "STRANGER", text(second + MINUTE / 2), text(second + MINUTE / 2), 0, 1),
    ]
    [(name, kind, first, _, expected, claimed)] = found[2:]
    assert (name, kind, first, claimed) == ("latest", "STRANGER", text(since + MINUTE), expected + 1)


async def test_api_integration_verification_goes_on_within_a_task(
    api: Api, store: Store, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task with more entries than a request looks at comes in pieces that add up."""
    since = minutes_ago(50)
    task = await create(store, "tick", since, misfire=MisfirePolicy.ALL)
    await create(store, "tock", since, misfire=MisfirePolicy.ALL)
    await fire(store)
    execute("DELETE FROM scheduler.slots WHERE task_id = %s AND scheduled_at = %s", task.id, since + 20 * MINUTE)
    whole = await verify(api)
    monkeypatch.setattr(ledger_service, "ENTRIES_MAX", 7)
    monkeypatch.setattr(ledger_service, "ROOM_MIN", 5)
    pieces = await verify(api)
    assert len(pieces["tick"]) > 3
    assert findings(pieces) == findings(whole) != []
    for name in ("tick", "tock"):
        assert sum(item["slots"] for item in pieces[name]) == whole[name][0]["slots"]


async def test_api_integration_verification_tells_who_waits_for_a_dispatcher(api: Api, store: Store) -> None:
    """Due slots that nobody has taken yet are no holes; a paused task has none that wait."""
    since = minutes_ago(3)
    await create(store, "waits", since)
    await create(store, "paused", since)
    assert (await api.post("/api/v1/tasks/paused/pause")).status_code == 200
    items = await verify(api)
    assert findings(items) == []
    assert items["waits"][0]["behind_since"] == text(since + MINUTE)
    assert items["paused"][0]["behind_since"] is None


@pytest.mark.parametrize("address", [VERIFICATION, "/api/v1/tasks/tick/slots"])
async def test_api_integration_ledger_refuses_a_range_that_is_none(api: Api, store: Store, address: str) -> None:
    """Instants without offset, and a range whose end comes first, are refused with the field."""
    await create(store, "tick", minutes_ago(1))
    for query, field in (
        ({"from": "2026-01-01T00:00:00"}, "from"),
        ({"to": "soon"}, "to"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
        ({"cursor": "nonsense"}, "cursor"),
    ):
        answer = await api.get(address, params=query)
        assert answer.status_code == 422
        assert [problem["field"] for problem in answer.json()["errors"]] == [field]
    assert (await api.get("/api/v1/tasks/nobody/slots")).status_code == 404
