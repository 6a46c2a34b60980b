"""Runs that answer triggers of their key."""

from datetime import UTC, datetime, timedelta

from fixtures.factories import build_plan, create_runs, create_task
from scheduler_core.interfaces import Store
from scheduler_core.models import TaskRunStatus


async def test_infra_integration_a_run_that_is_due_is_put_off_by_nobody(store: Store) -> None:
    """Only who has just made it gives it its first start; later ones count while that has not come."""
    task = await create_task(store)
    plan = build_plan(task, status=TaskRunStatus.PENDING)
    made_at = datetime.now(UTC)
    [run_id] = [run.run_id for run in await create_runs(store, plan)]
    async with store.transaction() as work:
        assert not await work.unique_runs.put_off(run_id, 60.0, None, None)
        assert await work.unique_runs.put_off(run_id, 60.0, None, None, is_new=True)
        assert await work.unique_runs.put_off(run_id, 120.0, None, '{"a": 1}')
        run = await work.task_runs.get(run_id)
        later = made_at + timedelta(hours=1)
        assert not await work.unique_runs.put_off(run_id, 60.0, None, None, later)
    assert run.parameters == {"a": 1}
