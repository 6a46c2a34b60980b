"""Which finished runs are removed, what goes with them, and what is never touched."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from fixtures.factories import build_plan, claim, create_runs, create_task, open_session, report
from fixtures.flow_driver import FlowDriver
from fixtures.flows import add_members, create_flow, set_runs
from fixtures.interval_flows import HOURLY, on, scheduled
from fixtures.query_change import QueryChange
from scheduler_core.interfaces import Store
from scheduler_core.models import RunLogEntry, Schedule, Task, TaskRunStatus, TaskStatus, UniquePolicy
from scheduler_core.models.quarantine import QuarantineDecision
from scheduler_infra.database.query_loader import query

NOW = datetime.now(UTC)
HOUR = 3600.0
TOMORROW = NOW + timedelta(days=1)
TABLES = (
    "task_runs",
    "task_run_attempts",
    "task_run_logs",
    "task_run_dependencies",
    "task_run_waits",
    "task_run_wait_slots",
    "task_run_permits",
    "task_unique_keys",
    "quarantined_runs",
)


async def remove(
    store: Store,
    *,
    keep_seconds: float | None = HOUR,
    keep_runs: int | None = None,
    after_task_id: int = 0,
    tasks: int = 100,
    limit: int = 1000,
    now: datetime = TOMORROW,
) -> tuple[int | None, int]:
    """Remove what is old by tomorrow."""
    async with store.autocommit() as work:
        return await work.retention.remove_finished(
            keep_seconds=keep_seconds,
            keep_runs=keep_runs,
            after_task_id=after_task_id,
            tasks=tasks,
            limit=limit,
            now=now,
        )


async def ended(store: Store, task: Task, copies: int = 1) -> list[int]:
    """Finished runs of a task."""
    runs = await create_runs(store, build_plan(task), copies)
    session_id = await open_session(store, places=copies)
    claimed = await claim(store, session_id, copies)
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(run) for run in claimed])
    return [run.run_id for run in runs]


async def left(store: Store) -> list[int]:
    """Ids of the runs that are there."""
    async with store.autocommit() as work:
        return sorted(run.id for run in await work.task_runs.page(limit=10_000))


def count_rows(database_url: str, table: str) -> int:
    """How many rows a table has."""
    with psycopg.connect(database_url) as connection:
        statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("scheduler", table))
        row = connection.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


async def test_retention_integration_removes_by_age(store: Store) -> None:
    """What ended longer ago than it is kept is removed, nothing else; without a time all is kept."""
    runs = await ended(store, await create_task(store), 3)
    (pending,) = await create_runs(store, build_plan(await create_task(store), status=TaskRunStatus.PENDING))
    assert await remove(store, keep_seconds=None) == (None, 0)
    assert await remove(store, keep_seconds=3 * 86_400.0) == (None, 0)
    assert await left(store) == [*runs, pending.run_id]
    assert await remove(store) == (None, 3)
    assert await left(store) == [pending.run_id]


async def test_retention_integration_leaves_what_is_kept_for_another_change(store: Store, second_store: Store) -> None:
    """A run that is read to make another one of it is there until that stands."""
    task = await create_task(store)
    [run_id] = await ended(store, task)
    async with store.transaction() as work:
        assert (await work.task_runs.keep(run_id)).id == run_id
        await remove(second_store)
    assert await left(store) == [run_id]


async def test_retention_integration_keeps_the_last_runs_of_each_task(store: Store) -> None:
    """With a number the newest finished runs of each task are kept, and runs that have not ended do not count."""
    first, second = await create_task(store), await create_task(store)
    of_first, of_second = await ended(store, first, 5), await ended(store, second, 2)
    (running,) = await create_runs(store, build_plan(first))
    assert await remove(store, keep_seconds=None, keep_runs=3) == (None, 2)
    assert await left(store) == [*of_first[2:], *of_second, running.run_id]


async def test_retention_integration_goes_by_what_the_task_says(store: Store) -> None:
    """A task's own time and number go before the given ones, also when it is deleted."""
    long, short = await create_task(store, keep_seconds=10 * 86_400.0), await create_task(store, keep_runs=1)
    gone = await create_task(store, keep_seconds=60.0)
    of_long, of_short = await ended(store, long), await ended(store, short, 3)
    await ended(store, gone)
    async with store.transaction() as work:
        await work.tasks.set_status([gone.id], TaskStatus.INACTIVE)
    assert await remove(store, keep_seconds=5 * 86_400.0) == (None, 3)
    assert await left(store) == [*of_long, of_short[-1]]


async def test_retention_integration_takes_all_that_belongs_to_a_run(store: Store, database_url: str) -> None:
    """With a run go its attempts, output, edges, waits, permits, key and evidence; slots stay."""
    since = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    up = await scheduled(store, "up", HOURLY, since)
    task = await scheduled(store, "down", HOURLY, since, on("up", "same"), max_losses=2, unique=UniquePolicy())
    run, _ = await create_runs(store, build_plan(task, await create_task(store)))
    for _ in range(2):
        session_id = await open_session(store)
        (claimed,) = await claim(store, session_id)
        entry = RunLogEntry(
            run_id=run.run_id, attempt=claimed.attempt, sequence=1, stream="stdout", logged_at=NOW, content="x\n"
        )
        async with store.autocommit() as work:
            await work.run_logs.append(session_id, [entry])
            await work.worker_sessions.reap([session_id], NOW + timedelta(hours=1))
            await work.task_runs.admit(10, NOW + timedelta(hours=2))
    async with store.transaction() as work:
        await work.quarantine.record(10)
        await work.quarantine.decide([run.run_id], QuarantineDecision.DISCARDED)
        await work.unique_runs.lock(task.id, [""])
        await work.unique_runs.take(task.id, "", run.run_id)
        await work.task_runs.settle(10)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO scheduler.task_run_permits VALUES (7, %s, 2)", [run.run_id])
        connection.execute("UPDATE scheduler.task_runs SET limit_key_ids = '{7}' WHERE id = %s", [run.run_id])
        connection.execute(
            "INSERT INTO scheduler.slots VALUES (%s, now(), 0, now(), 1, %s, NULL, NULL)", [task.id, run.run_id]
        )
        connection.execute(
            "INSERT INTO scheduler.task_run_waits VALUES (%s, 0, %s, '{}', 1, NULL, 'MET', now())", [run.run_id, up.id]
        )
        connection.execute(
            "INSERT INTO scheduler.task_run_wait_slots VALUES (%s, now(), %s, 0, 'SUCCESS', 1)", [up.id, run.run_id]
        )
    assert {table for table in TABLES if count_rows(database_url, table) == 0} == set()
    assert await remove(store) == (None, 2)
    assert {table: count_rows(database_url, table) for table in TABLES} == dict.fromkeys(TABLES, 0)
    assert count_rows(database_url, "slots") == 1


Situation = Callable[[Store, str, list[int], Task], Awaitable[None]]


async def _unsettled(store: Store, database_url: str, runs: list[int], task: Task) -> None:
    set_runs(database_url, runs[:1], needs_settlement=True)


async def _flow_goes_on(store: Store, database_url: str, runs: list[int], task: Task) -> None:
    (other,) = await create_runs(store, build_plan(await create_task(store, keep_seconds=1e9)))
    set_runs(database_url, [other.run_id], flow_id=runs[0])


async def _waited_for(store: Store, database_url: str, runs: list[int], task: Task) -> None:
    (other,) = await create_runs(store, build_plan(await create_task(store, keep_seconds=1e9)))
    _execute(
        database_url,
        "INSERT INTO scheduler.task_run_dependencies (upstream_run_id, run_id, given) VALUES (%s, %s, true)",
        runs[0],
        other.run_id,
    )


async def _slot_waited_for(store: Store, database_url: str, runs: list[int], task: Task) -> None:
    (other,) = await create_runs(store, build_plan(await create_task(store, keep_seconds=1e9)))
    set_runs(database_url, runs[:1], interval_to=NOW, interval_from=NOW - timedelta(hours=1), scheduled_at=NOW)
    _execute(
        database_url,
        "INSERT INTO scheduler.task_run_wait_slots VALUES (%s, %s, %s, 0, 'SUCCESS', %s)",
        task.id,
        NOW,
        other.run_id,
        runs[0],
    )


async def _awaited_by_a_schedule(store: Store, database_url: str, runs: list[int], task: Task) -> None:
    other = await create_task(store, schedule=Schedule(after_end=60), next_due=TOMORROW)
    _execute(
        database_url,
        "UPDATE scheduler.schedules SET awaits_run_id = %s, next_due_at = NULL WHERE task_id = %s",
        runs[0],
        other.id,
    )


async def _latest_of_a_fixed_delay(store: Store, database_url: str, runs: list[int], task: Task) -> None:
    _execute(
        database_url,
        "INSERT INTO scheduler.schedules (task_id, schedule, recorded_from) VALUES (%s, '{\"after_end\": 60}', now())",
        task.id,
    )
    for run_id, age in zip(runs, (1, 2), strict=True):
        at = NOW - timedelta(hours=age)
        statement = "INSERT INTO scheduler.slots VALUES (%s, %s, 0, %s, 1, %s, NULL, NULL)"
        _execute(database_url, statement, task.id, at, at, run_id)


async def _in_quarantine(store: Store, database_url: str, runs: list[int], task: Task) -> None:
    set_runs(database_url, runs[:1], status="QUARANTINED")
    async with store.autocommit() as work:
        assert await work.quarantine.record(10) == runs[:1]


async def _in_quarantine_without_evidence(store: Store, database_url: str, runs: list[int], task: Task) -> None:
    set_runs(database_url, runs[:1], status="QUARANTINED")


async def _run_again_now(store: Store, database_url: str, runs: list[int], task: Task) -> None:
    (other,) = await create_runs(store, build_plan(await create_task(store, keep_seconds=1e9)))
    set_runs(database_url, [other.run_id], retry_of=runs[0])


async def _group_with_members(store: Store, database_url: str, runs: list[int], task: Task) -> None:
    other = await create_task(store, keep_seconds=1e9)
    (member,) = await ended(store, other)
    set_runs(database_url, [member], group_id=runs[0])
    set_runs(database_url, runs[:1], group_size=1)


async def _throttles(store: Store, database_url: str, runs: list[int], task: Task) -> None:
    async with store.transaction() as work:
        await work.unique_runs.lock(task.id, ["x"])
        await work.unique_runs.take(task.id, "x", runs[0])


def _execute(database_url: str, statement: Any, *parameters: Any) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert connection.execute(statement, parameters).rowcount == 1


UNFINISHED = "waiting.status IN ('PENDING', 'DISPATCHED', 'RUNNING')"
# Each situation with what in the statement guards it.
SITUATIONS: list[tuple[Situation, str, str]] = [
    (_unsettled, "AND NOT run.needs_settlement", ""),
    (_flow_goes_on, "busy.id = candidate.flow_id", "false"),
    (_waited_for, f"AND {UNFINISHED})\n          AND (candidate", "AND false)\n          AND (candidate"),
    (_slot_waited_for, f"AND {UNFINISHED}))", "AND false))"),
    (_awaited_by_a_schedule, "schedules.awaits_run_id = candidate.id", "false"),
    (_latest_of_a_fixed_delay, "schedules.schedule ->> 'after_end' IS NOT NULL", "false"),
    (_in_quarantine, "known.decision IS NOT NULL", "true"),
    (_in_quarantine_without_evidence, "member.status = 'QUARANTINED'", "false"),
    (_run_again_now, "again.id = candidate.id", "false"),
    (_group_with_members, "member.group_id = candidate.id", "false"),
    (_throttles, "held.run_id = candidate.id", "false"),
]
each_situation = pytest.mark.parametrize(
    ("situation", "guard", "instead"), SITUATIONS, ids=[situation.__name__ for situation, _, _ in SITUATIONS]
)


async def remove_beside(store: Store, database_url: str, situation: Situation) -> tuple[list[int], list[int]]:
    """Two runs, the first of them in a situation, and what is left after a removal."""
    task = await create_task(store, unique=UniquePolicy(throttle_seconds=100_000.0))
    runs = await ended(store, task, 2)
    await situation(store, database_url, runs, task)
    await remove(store, now=NOW + timedelta(hours=20))
    return runs, await left(store)


@each_situation
async def test_retention_integration_keeps_what_is_needed(
    store: Store, database_url: str, situation: Situation, guard: str, instead: str
) -> None:
    """A run that somebody still needs stays however old it is, and the one beside it goes."""
    runs, found = await remove_beside(store, database_url, situation)
    assert [run_id in found for run_id in runs] == [True, False]


@each_situation
async def test_retention_integration_would_take_what_is_needed(
    store: Store, database_url: str, query_change: QueryChange, situation: Situation, guard: str, instead: str
) -> None:
    """Without its guard the run in that situation is removed, too: the test above can fail."""
    query_change("remove_runs", guard, instead)
    runs, found = await remove_beside(store, database_url, situation)
    assert [run_id in found for run_id in runs] == [False, False]


async def test_retention_integration_keeps_flows_whole_until_they_end(store: Store, database_url: str) -> None:
    """Of a flow nothing is removed before its last run has ended, and then all of it is."""
    _, runs = await create_flow(store, {"a": (), "b": ("a",), "c": ("b",)})
    set_runs(database_url, [runs["a"], runs["b"]], status="COMPLETED", needs_settlement=False, waiting_on=0)
    assert await remove(store) == (None, 0)
    set_runs(database_url, [runs["c"]], status="FAILED", waiting_on=0)
    assert await remove(store) == (None, 3)


async def test_retention_integration_takes_groups_together(store: Store) -> None:
    """The runs of a group count with it: they go when it is old, and it goes after them."""
    driver = FlowDriver(store)
    await driver.task("a", shards=4, keep_runs=1)
    old, new = await driver.trigger("a"), await driver.trigger("a")
    await driver.carry_out(old)
    kept = [run.id for run in (await driver.carry_out(new))["a"]]
    assert await remove(store, keep_seconds=None) == (None, 4)
    assert await left(store) == [old, *kept]
    assert await remove(store, keep_seconds=None) == (None, 1)
    assert await left(store) == sorted(kept)


async def test_retention_integration_keeps_a_group_until_the_rest_of_it_has_run_again(
    store: Store, database_url: str
) -> None:
    """The runs of a group that a rerun takes over are kept until the flow of the rerun has ended."""
    task = await create_task(store)
    head = (await create_runs(store, build_plan(task)))[0].run_id
    members = add_members(database_url, head, ["COMPLETED", "FAILED"])
    set_runs(database_url, [head], status="FAILED", waiting_on=0)
    set_runs(database_url, members, needs_settlement=False)
    (again,) = await create_runs(store, build_plan(task))
    set_runs(database_url, [again.run_id], retry_of=head)
    assert await remove(store) == (None, 0)
    set_runs(database_url, [again.run_id], status="COMPLETED")
    assert await remove(store) == (None, 3)


async def test_retention_integration_steps_over_locked_runs(store: Store, database_url: str) -> None:
    """A run that another transaction holds is left for the next time, and nobody waits for anybody."""
    runs = await ended(store, await create_task(store), 3)
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT FROM scheduler.task_runs WHERE id = %s FOR NO KEY UPDATE", [runs[1]])
        assert await remove(store) == (None, 2)
    assert await left(store) == [runs[1]]
    assert await remove(store) == (None, 1)


async def test_retention_integration_works_in_batches(store: Store, database_url: str) -> None:
    """No call removes more than it may, or looks at more tasks; together they remove all, past what is needed."""
    first, second, third = await create_task(store), await create_task(store), await create_task(store)
    needed = await ended(store, first, 15)
    set_runs(database_url, needed, needs_settlement=True)
    for task in (first, second, third):
        await ended(store, task, 25)
    place: int | None = 0
    counts = []
    while place is not None:
        place, removed = await remove(store, after_task_id=place, tasks=2, limit=10)
        counts.append(removed)
        assert len(counts) < 20
    assert (sum(counts), max(counts)) == (75, 10)
    assert await left(store) == needed


async def test_retention_integration_removes_little_output_at_once(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of runs that have printed very much one statement removes few, and one in any case."""
    runs = await ended(store, await create_task(store), 3)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO scheduler.task_run_logs SELECT id, 1, number, 'stdout', now(), 'x' "
            "FROM unnest(%s::bigint[]) AS id, generate_series(1, 10) AS number",
            [runs],
        )
    monkeypatch.setattr("scheduler_infra.database.retention_repository._PIECES_MAX", 5)
    assert await remove(store) == (0, 1)
    assert await left(store) == runs[1:]
    assert count_rows(database_url, "task_run_logs") == 20


async def test_retention_integration_reads_no_more_than_is_old(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is old a look at a task reads its first runs and no more, however many it has."""
    task = await create_task(store)
    await ended(store, task)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO scheduler.task_runs (task_id, task_version_id, flow_id, scheduled_at, not_before, created_at, "
            "completed_at, max_retries, waiting_on, priority, needs_settlement, held, status, trigger, namespace, "
            "queue, task_type) "
            "SELECT task_id, task_version_id, flow_id, now(), now(), now(), now(), 0, 0, 5, false, false, "
            "'COMPLETED', 'MANUAL', namespace, queue, task_type "
            "FROM scheduler.task_runs, generate_series(1, 20000)"
        )
    plans: dict[str, str] = {}
    async with store.autocommit() as work:
        repository: Any = work.retention
        execute = repository._rows

        async def rows(name: str, parameters: Any) -> Any:
            plan = await repository._execute("EXPLAIN (ANALYZE) " + query(name), parameters)
            plans[name] = "\n".join(row["QUERY PLAN"] for row in plan)
            return await execute(name, parameters)

        monkeypatch.setattr(repository, "_rows", rows)
        asked = {"keep_seconds": HOUR, "after_task_id": 0, "tasks": 100, "limit": 1000}
        assert await repository.remove_finished(keep_runs=20_001, **asked) == (None, 0)
        assert await repository.remove_finished(keep_runs=None, **asked) == (None, 0)
    assert plans.keys() == {"retention_tasks", "old_runs"}
    for plan in plans.values():
        assert "idx_task_runs_task_id_id" in plan
        assert "Sort Key: run" not in plan
    assert "rows=100" in plans["old_runs"]
