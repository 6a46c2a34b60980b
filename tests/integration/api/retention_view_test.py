"""What the API tells of runs that retention has removed."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fixtures.api_app import Api
from fixtures.factories import PYTHON_LANE, build_definition, claim, open_session, report
from fixtures.flow_driver import FlowDriver
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from scheduler_core.decisions.schedule_rules import next_run_after
from scheduler_core.interfaces import Store
from scheduler_core.models import MisfirePolicy, Schedule, Task
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.schedule_service import ScheduleService

MINUTELY = Schedule(cron="* * * * *")


async def due_task(store: Store, schedule: Schedule) -> Task:
    """A task that was created three minutes ago, with its due slots recorded and their runs ended."""
    since = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=3)
    definition = build_definition(name="a", schedule=schedule, misfire=MisfirePolicy.ALL)
    async with store.transaction() as work:
        (task,) = await work.tasks.create([definition], [next_run_after(schedule, since)], since)
    service = ScheduleService(store, Ringer(store, InMemoryMessageQueue()), batch=1000, interval_seconds=10.0)
    while await service.look() == 0.0:
        pass
    session_id = await open_session(store)
    while claimed := await claim(store, session_id, 10, PYTHON_LANE):
        async with store.autocommit() as work:
            await work.task_runs.finish(session_id, [report(run) for run in claimed])
            await work.task_runs.settle(100)
            # Late slots run one after another, a second apart.
            await work.task_runs.admit(100, datetime.now(UTC) + timedelta(minutes=1))
    return task


async def remove_all(store: Store) -> int:
    """Remove every finished run that nobody needs."""
    async with store.autocommit() as work:
        _, removed = await work.retention.remove_finished(
            keep_seconds=60.0,
            keep_runs=None,
            after_task_id=0,
            tasks=100,
            limit=1000,
            now=datetime.now(UTC) + timedelta(days=1),
        )
    return removed


async def entries(api: Api) -> list[dict[str, Any]]:
    """The ledger of the task."""
    items: list[dict[str, Any]] = (await api.get("/api/v1/tasks/a/slots")).json()["items"]
    return items


async def test_retention_integration_leaves_a_clean_ledger(api: Api, store: Store) -> None:
    """The slots of removed runs stay, a verification finds nothing wrong, and a slot tells what became of its run."""
    await due_task(store, MINUTELY)
    before = await entries(api)
    assert await remove_all(store) == len(before) > 1
    after = await entries(api)
    assert [(entry["scheduled_at"], entry["run_id"]) for entry in after] == [
        (entry["scheduled_at"], entry["run_id"]) for entry in before
    ]
    assert {entry["run_status"] for entry in after} == {None}
    (item,) = (await api.get("/api/v1/ledger/verification")).json()["items"]
    assert (item["findings_count"], item["unverifiable"], item["runs"]) == (0, 0, len(before))
    told = (await api.get("/api/v1/tasks/a/explain", params={"slot": before[0]["scheduled_at"]})).json()
    assert f"its run {before[0]['run_id']} was removed by retention" in told["summary"]
    assert (told["status"], told["is_blocked"]) == ("RUN_NO_LONGER_KEPT", False)


async def test_retention_integration_keeps_a_fixed_delay_going(api: Api, store: Store) -> None:
    """The run that a fixed delay counts from stays: paused and resumed, the task goes on, and its ledger is clean."""
    await due_task(store, Schedule(after_end=60))
    assert await remove_all(store) == 0
    await api.post("/api/v1/tasks/a/pause")
    await api.post("/api/v1/tasks/a/resume")
    assert (await api.get("/api/v1/tasks/a")).json()["next_run_at"] is not None
    (item,) = (await api.get("/api/v1/ledger/verification")).json()["items"]
    assert item["findings_count"] == 0


async def test_retention_integration_tells_of_flows_that_are_gone_in_part(api: Api, store: Store) -> None:
    """A flow whose first run was removed is not listed any more, and those after it still are."""
    driver = FlowDriver(store)
    await driver.task("up")
    await driver.task("down", "up", keep_seconds=1e9)
    old = await driver.trigger("up")
    await driver.carry_out(old)
    assert await remove_all(store) == 1
    new = await driver.trigger("up")
    runs = await driver.carry_out(new)
    listed = (await api.get("/api/v1/flows")).json()["items"]
    assert [flow["id"] for flow in listed] == [new]
    assert (await api.get(f"/api/v1/flows/{old}")).status_code == 404
    (down,) = [run for run in (await api.get("/api/v1/task-runs")).json()["items"] if run["flow_id"] == old]
    assert (await api.get(f"/api/v1/task-runs/{down['id']}/explain")).status_code == 200
    assert (await api.post(f"/api/v1/flows/{old}/rerun", json={"from": "start"})).status_code == 404
    assert (await api.post(f"/api/v1/task-runs/{down['id']}/retry")).status_code == 201
    assert len(runs["up"]) == 1
