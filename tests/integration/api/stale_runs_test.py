"""Runs whose intervals have been run again, over HTTP."""

from datetime import UTC, datetime, timedelta

from fixtures.api_app import Api
from fixtures.interval_flows import HOURLY, Runner, on, runs_of, scheduled
from fixtures.schedule_looks import look_at
from scheduler_core.interfaces import Store

RUNS = "/api/v1/task-runs"
MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def test_api_integration_offers_what_a_retry_makes_stale(api: Api, store: Store) -> None:
    """Before the retry has completed its dependents are named, afterwards they are listed until they have run again."""
    runner = await Runner.start(store)
    upstream = await scheduled(store, "upstream", HOURLY, MIDNIGHT)
    report = await scheduled(store, "report", HOURLY, MIDNIGHT, on("upstream", "same"))
    await look_at(store, MIDNIGHT + HOUR)
    await runner.run_all()
    [first], [made] = await runs_of(store, upstream), await runs_of(store, report)
    again = (await api.post(f"{RUNS}/{first.id}/retry")).json()
    dependents = (await api.get(f"{RUNS}/{again['id']}/dependents")).json()
    assert dependents["items"] == [
        {"id": made.id, "task_name": "report", "status": "COMPLETED", "scheduled_at": "2026-06-01T01:00:00Z"}
    ]
    assert (await api.get(RUNS, params={"stale": "true"})).json()["items"] == []
    await runner.run_all()
    [stale] = (await api.get(RUNS, params={"stale": "true", "task": "report"})).json()["items"]
    assert (stale["id"], stale["stale_run_id"]) == (made.id, again["id"])
    await api.post(f"{RUNS}/{made.id}/retry")
    await runner.run_all()
    assert (await api.get(RUNS, params={"stale": "true"})).json()["items"] == []


async def test_api_integration_knows_no_dependents_of_what_is_not_there(api: Api) -> None:
    """A run that does not exist has none to tell of."""
    assert (await api.get(f"{RUNS}/99/dependents")).status_code == 404
    assert (await api.get(f"{RUNS}/x/dependents")).status_code == 404
