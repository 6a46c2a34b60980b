"""Which waiting runs a dispatcher admits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from fixtures.database import every_postgresql
from fixtures.factories import build_plan, create_runs, create_task
from fixtures.query_change import QueryChange
from scheduler_core.decisions import admission
from scheduler_core.decisions.admission import ADMISSION
from scheduler_core.errors import RepositoryError
from scheduler_core.interfaces import Store
from scheduler_core.models import FlowMember, FlowPlan, TaskRunStatus, TaskStatus

pytestmark = every_postgresql

PENDING = TaskRunStatus.PENDING


async def test_infra_integration_admit_leaves_what_is_to_be_expanded(store: Store) -> None:
    """A condition is evaluated, and a group made, before anybody may take the run: it does not wait here, either."""
    task = await create_task(store)
    member = FlowMember(task_id=task.id, task_version_id=task.task_version_id, status=PENDING, expands=True)
    await create_runs(store, FlowPlan((member,)))
    [plain] = await create_runs(store, build_plan(task, status=PENDING))
    async with store.autocommit() as work:
        assert [run.run_id for run in await work.task_runs.admit(10)] == [plain.run_id]
        assert await work.task_runs.seconds_to_next() is None


async def test_infra_integration_admit_does_to_each_run_what_its_task_asks_for(store: Store, database_url: str) -> None:
    """In one batch a run is admitted, one is put aside and not looked at again, and one is cancelled."""
    tasks = [await create_task(store) for _ in range(4)]
    runs = [(await create_runs(store, build_plan(task, status=PENDING)))[0] for task in tasks]
    later = datetime.now(UTC) + timedelta(hours=1)
    [delayed] = await create_runs(store, build_plan(tasks[0], status=PENDING), not_before=later)
    statuses = [TaskStatus.ACTIVE, TaskStatus.PAUSED, TaskStatus.INACTIVE, TaskStatus.ACTIVE]
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        for task, status in zip(tasks, statuses, strict=True):
            # Not by its repository, which leaves no run of a task that is not active to be met here.
            await connection.execute("UPDATE scheduler.tasks SET status = %s WHERE id = %s", [status.value, task.id])
    async with store.autocommit() as work:
        admitted = await work.task_runs.admit(10)
        assert await work.task_runs.admit(10) == []
        stand = [run.status for run in await work.task_runs.get_many([*(run.run_id for run in runs), delayed.run_id])]
    assert {run.run_id for run in admitted} == {runs[0].run_id, runs[3].run_id}
    assert {run.status for run in admitted} == {TaskRunStatus.DISPATCHED}
    assert stand == [
        TaskRunStatus.DISPATCHED,
        PENDING,
        TaskRunStatus.CANCELLED,
        TaskRunStatus.DISPATCHED,
        PENDING,
    ]


COUNTED = {
    "waits_for_earlier_runs",
    "waits_for_upstream",
    "rule_does_not_hold",
    "waits_for_intervals",
    "is_behind_group",
}
"""What settlement has counted into `waiting_on`, which admission meets as one number."""
LATER = datetime.now(UTC) + timedelta(hours=1)
STANDING: dict[str, tuple[TaskStatus, dict[str, Any], TaskRunStatus]] = {
    "nothing": (TaskStatus.ACTIVE, {}, TaskRunStatus.DISPATCHED),
    "is_deleted": (TaskStatus.INACTIVE, {}, TaskRunStatus.CANCELLED),
    "is_paused": (TaskStatus.PAUSED, {}, PENDING),
    "is_paused, and was held": (TaskStatus.ACTIVE, {"held": True}, PENDING),
    "is_not_due": (TaskStatus.ACTIVE, {"not_before": LATER}, PENDING),
    "backs_off": (TaskStatus.ACTIVE, {"not_before": LATER, "attempt": 1}, PENDING),
    "stands_for_others": (TaskStatus.ACTIVE, {"group_size": 2}, PENDING),
    "waits_for_more": (TaskStatus.ACTIVE, {"waiting_on": 1}, PENDING),
    "is_to_be_expanded": (TaskStatus.ACTIVE, {"expands": True}, PENDING),
}


async def admitted_wrongly(store: Store, connection: psycopg.AsyncConnection[Any]) -> set[str]:
    """Make a run of each kind, let a dispatcher admit, and tell which do not stand as they must."""
    wrong = set()
    for name, (status, changes, expected) in STANDING.items():
        task = await create_task(store)
        await connection.execute("UPDATE scheduler.tasks SET status = %s WHERE id = %s", [status.value, task.id])
        [run] = await create_runs(store, build_plan(task, status=PENDING))
        for column, value in changes.items():
            statement = sql.SQL("UPDATE scheduler.task_runs SET {} = %s WHERE id = %s").format(sql.Identifier(column))
            await connection.execute(statement, [value, run.run_id])
        async with store.autocommit() as work:
            try:
                await work.task_runs.admit(100)
            except RepositoryError:
                # A constraint refuses what waits and is admitted.
                wrong.add(name)
            if (await work.task_runs.get(run.run_id)).status is not expected:
                wrong.add(name)
        # What is left of one round must not meet the next one.
        await connection.execute("TRUNCATE scheduler.task_runs, scheduler.task_run_dependencies")
    return wrong


async def test_infra_integration_admit_is_decided_by_the_predicates(
    store: Store, database_url: str, query_change: QueryChange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement that finds candidates only spares work: without its conditions the predicates decide alike.

    Each of them is needed then: without any single one some run is admitted that must not be. The others speak of what
    settlement counts, or of whether there is a dispatcher, which is the one that asks.
    """
    query_change(
        "lock_admissible_runs",
        "AND run.waiting_on = 0 AND NOT run.held\n      AND run.not_before <= (SELECT now FROM moment) "
        "AND run.expands IS NOT TRUE AND run.gated IS NOT TRUE\n",
        "\n",
    )
    wrong = {}
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        assert await admitted_wrongly(store, connection) == set()
        for left_out in ADMISSION:
            with monkeypatch.context() as patched:
                patched.setattr(admission, "ADMISSION", tuple(each for each in ADMISSION if each is not left_out))
                wrong[left_out.__name__] = await admitted_wrongly(store, connection)
    assert {name for name, runs in wrong.items() if not runs} == COUNTED | {"no_dispatcher"}
    assert all(
        runs == {name for name in STANDING if name.split(",")[0] == left_out}
        for left_out, runs in wrong.items()
        if runs
    ), wrong
