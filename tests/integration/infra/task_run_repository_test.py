"""Runs in PostgreSQL: creation, claim, finish, hand-back, settlement, admission."""

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest

from fixtures.database import every_postgresql
from fixtures.factories import (
    PYTHON_LANE,
    build_plan,
    claim,
    create_runs,
    create_task,
    open_session,
    report,
    status_of,
)
from fixtures.query_change import QueryChange
from scheduler_core.errors import SessionFencedError, TaskRunNotFoundError
from scheduler_core.interfaces import Store
from scheduler_core.models import (
    FinishedRun,
    FlowMember,
    FlowPlan,
    FlowRequest,
    Lane,
    RunKey,
    RunTrigger,
    TaskRunStatus,
    TaskStatus,
)

pytestmark = every_postgresql

SLOT = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def slot_request_twice(store: Store) -> int:
    """Fire one slot from two transactions; the number of runs made."""
    task = await create_task(store)
    request = FlowRequest(plan=build_plan(task), trigger=RunTrigger.SCHEDULE, scheduled_at=SLOT, slot=True)
    made = 0
    for _ in range(2):
        async with store.transaction() as work:
            made += len(await work.task_runs.create_flows([request]))
    return made


@pytest.mark.parametrize("is_undone", [True, False])
async def test_infra_integration_claim_along_takes_what_its_transaction_releases(store: Store, is_undone: bool) -> None:
    """The end of a run and the claim of the one that waits for it are one change, and undone together."""
    first, second = await create_task(store), await create_task(store)
    session_id = await open_session(store, places=1)
    root, waiting = await create_runs(store, build_plan(first, second))
    (held,) = await claim(store, session_id)

    with pytest.raises(ZeroDivisionError) if is_undone else nullcontext():
        async with store.transaction() as work:
            await work.task_runs.finish(session_id, [report(held)])
            await work.task_runs.settle(1, [root.run_id])
            claimed = await work.task_runs.claim_along(session_id, [PYTHON_LANE], 1)
            assert [(run.id, run.attempt) for run in claimed] == [(waiting.run_id, 1)]
            1 / (not is_undone)

    before, after = (TaskRunStatus.RUNNING, TaskRunStatus.PENDING), (TaskRunStatus.COMPLETED, TaskRunStatus.RUNNING)
    assert (await status_of(store, root.run_id), await status_of(store, waiting.run_id)) == (
        before if is_undone else after
    )


async def test_infra_integration_claim_along_takes_nothing_for_a_session_that_is_over(store: Store) -> None:
    """As with every claim."""
    task = await create_task(store)
    await create_runs(store, build_plan(task))
    session_id = await open_session(store)
    async with store.transaction() as work:
        await work.worker_sessions.close(session_id)
        with pytest.raises(SessionFencedError):
            await work.task_runs.claim_along(session_id, [PYTHON_LANE], 1)


async def test_infra_integration_slot_makes_one_run(store: Store) -> None:
    """A slot that is fired twice has one run."""
    assert await slot_request_twice(store) == 1


async def test_infra_integration_slot_without_its_key_makes_two_runs(store: Store, query_change: QueryChange) -> None:
    """What keeps a slot single is the primary key: without its verdict, the same steps double the run."""
    query_change("create_flows", "WHERE NOT flow.slot OR flow.root_id IN (SELECT run_id FROM slot)", "")
    assert await slot_request_twice(store) == 2


async def test_infra_integration_create_flows_writes_roots_first(store: Store) -> None:
    """Roots come first and in the order of the requests; members carry the root's flow id."""
    first, second, child = [await create_task(store) for _ in range(3)]
    async with store.transaction() as work:
        runs = await work.task_runs.create_flows(
            [
                FlowRequest(plan=build_plan(first, child), trigger=RunTrigger.MANUAL, parameters='{"x": 1}'),
                FlowRequest(plan=build_plan(second), trigger=RunTrigger.MANUAL),
            ]
        )
    assert [run.task_id for run in runs] == [first.id, second.id, child.id]
    assert runs[2].flow_id == runs[0].run_id == runs[0].flow_id
    async with store.autocommit() as work:
        root, member = await work.task_runs.get(runs[0].run_id), await work.task_runs.get(runs[2].run_id)
        listed = await work.task_runs.page(flow_id=root.id)
    assert (root.parameters, root.trigger) == ({"x": 1}, RunTrigger.MANUAL)
    assert (member.parameters, member.trigger, member.waiting_on) == (None, RunTrigger.DEPENDENCY, 1)
    assert {run.id for run in listed} == {root.id, member.id}


async def test_infra_integration_claim_takes_higher_priority_then_older(store: Store) -> None:
    """D12: over all lanes of a session the order is priority, then age; max_retries has no say in it."""
    low = await create_task(store, priority=1, max_retries=9)
    high = await create_task(store, priority=9, task_type="shell")
    middle = await create_task(store, priority=5)
    created = [await create_runs(store, build_plan(task), copies=2) for task in (low, high, middle)]
    session = await open_session(store)
    taken = await claim(store, session, 5, PYTHON_LANE, Lane("default", "shell"))
    low_ids, high_ids, middle_ids = ([run.run_id for run in runs] for runs in created)
    assert [run.id for run in taken] == [*high_ids, *middle_ids, low_ids[0]]
    assert {run.attempt for run in taken} == {1}


async def test_infra_integration_claim_leaves_other_lanes(store: Store) -> None:
    """Runs of other queues and types are not touched."""
    other_queue = await create_task(store, queue="other")
    other_type = await create_task(store, task_type="http")
    for task in (other_queue, other_type):
        await create_runs(store, build_plan(task))
    assert await claim(store, await open_session(store), 10) == []


async def test_infra_integration_claim_gives_no_run_twice(store: Store, second_store: Store) -> None:
    """Sessions that claim at the same time share the runs out without a double and without more than they asked for."""
    task = await create_task(store)
    await create_runs(store, build_plan(task), copies=400)
    sessions = [(await open_session(store), store), (await open_session(store), second_store)]

    async def drain(session: int, over: Store) -> list[int]:
        mine: list[int] = []
        while taken := await claim(over, session, 7):
            assert len(taken) <= 7
            mine += [run.id for run in taken]
        return mine

    first, second = await asyncio.gather(*(drain(*pair) for pair in sessions))
    assert len(first) + len(second) == len({*first, *second}) == 400


async def test_infra_integration_claim_steps_over_locked_rows(store: Store, second_store: Store) -> None:
    """A run that another transaction holds does not stop the ones behind it."""
    task = await create_task(store)
    await create_runs(store, build_plan(task), copies=2)
    first, second = await open_session(store), await open_session(store)
    async with store.transaction() as work:
        (held,) = await work.task_runs.claim(first, [PYTHON_LANE], 1)
        (other,) = await claim(second_store, second, 1)
    assert held.id != other.id


async def test_infra_integration_claim_refuses_a_session_that_is_over(store: Store) -> None:
    """Closed, lost and unknown sessions get an error, not runs."""
    closed = await open_session(store)
    lost = await open_session(store, lease_seconds=0.0)
    async with store.autocommit() as work:
        await work.worker_sessions.close(closed)
        await work.worker_sessions.reap([lost])
    for session in (closed, lost, 10**9):
        with pytest.raises(SessionFencedError):
            await claim(store, session)


async def test_infra_integration_session_works_on_until_somebody_ends_it(store: Store) -> None:
    """A lease that has passed by the wall clock takes no run away; only being reaped does."""
    await create_runs(store, build_plan(await create_task(store)), copies=2)
    session = await open_session(store, lease_seconds=0.0)
    first, second = await claim(store, session, 2)
    async with store.autocommit() as work:
        (finished,) = await work.task_runs.finish(session, [report(first)])
        (handed_back,) = await work.task_runs.hand_back(session, [RunKey(second.id, second.attempt)])
    assert (finished.status, handed_back.status) == (TaskRunStatus.COMPLETED, TaskRunStatus.PENDING)


async def test_infra_integration_finish_records_the_outcome_once(store: Store) -> None:
    """A repeated report changes nothing: the first one counts."""
    await create_runs(store, build_plan(await create_task(store)))
    session = await open_session(store)
    (run,) = await claim(store, session)
    async with store.autocommit() as work:
        assert await work.task_runs.finish(session, [report(run, result='{"rows": 3}')])
        assert await work.task_runs.finish(session, [report(run, TaskRunStatus.FAILED, error="late")]) == []
        stored = await work.task_runs.get(run.id)
    assert (stored.status, stored.result, stored.error) == (TaskRunStatus.COMPLETED, {"rows": 3}, None)
    assert stored.completed_at is not None


async def stale_report(store: Store) -> TaskRunStatus:
    """A session reports an attempt that was handed back and taken again by itself; where the run stands after."""
    await create_runs(store, build_plan(await create_task(store)))
    session = await open_session(store)
    (old,) = await claim(store, session)
    async with store.autocommit() as work:
        await work.task_runs.hand_back(session, [RunKey(old.id, old.attempt)])
        await work.task_runs.admit(10)
        (new,) = await claim(store, session)
        assert new.attempt == old.attempt + 1
        await work.task_runs.finish(session, [report(old)])
    return await status_of(store, old.id)


async def test_infra_integration_finish_refuses_an_older_attempt(store: Store) -> None:
    """A report of an attempt that is over does not end the present one."""
    assert await stale_report(store) is TaskRunStatus.RUNNING


async def test_infra_integration_finish_without_the_fence_takes_an_older_attempt(
    store: Store, query_change: QueryChange
) -> None:
    """What refuses it is the attempt in the statement: without it, the same steps end the wrong attempt."""
    query_change("finish_runs", "AND report.attempt = held.attempt", "")
    assert await stale_report(store) is TaskRunStatus.COMPLETED


async def test_infra_integration_finish_refuses_another_session(store: Store) -> None:
    """Only the session that holds a run can end it."""
    await create_runs(store, build_plan(await create_task(store)))
    holder, stranger = await open_session(store), await open_session(store)
    (run,) = await claim(store, holder)
    async with store.autocommit() as work:
        assert await work.task_runs.finish(stranger, [report(run)]) == []
    assert await status_of(store, run.id) is TaskRunStatus.RUNNING


async def test_infra_integration_finish_retries_until_failures_reach_the_limit(store: Store) -> None:
    """max_retries failures are tried again after their delay, the next one is final."""
    await create_runs(store, build_plan(await create_task(store, max_retries=2)))
    session = await open_session(store)
    seen = []
    async with store.autocommit() as work:
        for _ in range(3):
            (run,) = await claim(store, session)
            failed = report(run, TaskRunStatus.FAILED, error="boom", retry_delay_seconds=0.0)
            seen += [change.status for change in await work.task_runs.finish(session, [failed])]
            await work.task_runs.admit(10)
        stored = await work.task_runs.get(run.id)
    assert seen == [TaskRunStatus.PENDING, TaskRunStatus.PENDING, TaskRunStatus.FAILED]
    assert (stored.attempt, stored.failures, stored.error) == (3, 3, "boom")


async def test_infra_integration_finish_delays_a_retry_by_the_databases_clock(store: Store) -> None:
    """A retry is not admitted before its delay has passed."""
    await create_runs(store, build_plan(await create_task(store, max_retries=1)))
    session = await open_session(store)
    (run,) = await claim(store, session)
    async with store.autocommit() as work:
        await work.task_runs.finish(session, [report(run, TaskRunStatus.FAILED, retry_delay_seconds=60.0)])
        assert await work.task_runs.admit(10) == []
        seconds = await work.task_runs.seconds_to_next()
        assert seconds is not None
        assert 50 < seconds <= 60
        later = datetime.now(UTC) + timedelta(seconds=61)
        assert [run.status for run in await work.task_runs.admit(10, later)] == [TaskRunStatus.DISPATCHED]


async def test_infra_integration_cancel_flags_a_running_run_and_ends_a_waiting_one(store: Store) -> None:
    """A waiting run is cancelled at once; a running one by its worker, also when it would have been retried."""
    await create_runs(store, build_plan(await create_task(store, max_retries=5)), copies=2)
    session = await open_session(store)
    (running,) = await claim(store, session, 1)
    waiting = running.id + 1
    async with store.autocommit() as work:
        changes = await work.task_runs.cancel([running.id, waiting, 10**9])
        assert [(c.run_id, c.status) for c in changes] == [
            (running.id, TaskRunStatus.RUNNING),
            (waiting, TaskRunStatus.CANCELLED),
        ]
        assert await claim(store, session) == []
        held = await work.worker_sessions.renew(session)
        assert held is not None
        assert [h.cancel_requested for h in held] == [True]
        failed = report(running, TaskRunStatus.FAILED, error="killed", retry_delay_seconds=0.0)
        (change,) = await work.task_runs.finish(session, [failed])
        assert change.status is TaskRunStatus.CANCELLED
        (again,) = await work.task_runs.cancel([running.id])
        assert again.status is TaskRunStatus.CANCELLED


async def test_infra_integration_hand_back_sends_a_flagged_run_to_cancelled(store: Store) -> None:
    """A run that was to be cancelled never goes back to PENDING."""
    await create_runs(store, build_plan(await create_task(store)))
    session = await open_session(store)
    (run,) = await claim(store, session)
    async with store.autocommit() as work:
        await work.task_runs.cancel([run.id])
        (change,) = await work.task_runs.hand_back(session, [RunKey(run.id, run.attempt)])
    assert change.status is TaskRunStatus.CANCELLED


async def test_infra_integration_settle_releases_after_the_last_upstream(store: Store) -> None:
    """A run with two upstreams becomes claimable when the second one completes, and once."""
    left, right, join = [await create_task(store) for _ in range(3)]
    plan = FlowPlan(
        (
            FlowMember(
                task_id=left.id,
                task_version_id=left.task_version_id,
                status=TaskRunStatus.DISPATCHED,
                needs_settlement=True,
            ),
            FlowMember(
                task_id=right.id,
                task_version_id=right.task_version_id,
                status=TaskRunStatus.DISPATCHED,
                needs_settlement=True,
            ),
            FlowMember(
                task_id=join.id, task_version_id=join.task_version_id, status=TaskRunStatus.PENDING, waiting_on=2
            ),
        ),
        ((0, 2), (1, 2)),
    )
    created = await create_runs(store, plan)
    session = await open_session(store)
    first, second = await claim(store, session, 2)
    async with store.autocommit() as work:
        await work.task_runs.finish(session, [report(first)])
        assert (await work.task_runs.settle(10, [first.id])).released == []
        assert (await work.task_runs.settle(10, [first.id])).released == []
        await work.task_runs.finish(session, [report(second)])
        released = (await work.task_runs.settle(10)).released
    assert [run.run_id for run in released] == [created[2].run_id]


async def test_infra_integration_settle_by_two_at_once_releases_once(store: Store, second_store: Store) -> None:
    """Upstreams that are settled in two transactions at the same time count down to zero exactly once."""
    upstreams = [await create_task(store) for _ in range(2)]
    join = await create_task(store)
    members = [
        FlowMember(
            task_id=t.id, task_version_id=t.task_version_id, status=TaskRunStatus.DISPATCHED, needs_settlement=True
        )
        for t in upstreams
    ]
    last = FlowMember(task_id=join.id, task_version_id=join.task_version_id, status=TaskRunStatus.PENDING, waiting_on=2)
    created = await create_runs(store, FlowPlan((*members, last), ((0, 2), (1, 2))), copies=20)
    session = await open_session(store, places=100)
    runs = await claim(store, session, 40)
    async with store.autocommit() as work:
        await work.task_runs.finish(session, [report(run) for run in runs])
    by_task = [[run.id for run in runs if run.task_id == task.id] for task in upstreams]

    async def settle(over: Store, ids: list[int]) -> list[int]:
        released: list[int] = []
        for run_id in ids:
            async with over.transaction() as work:
                released += [run.run_id for run in (await work.task_runs.settle(10, [run_id])).released]
        return released

    first, second = await asyncio.gather(settle(store, by_task[0]), settle(second_store, by_task[1]))
    assert sorted(first + second) == sorted(run.run_id for run in created if run.task_id == join.id)


async def test_infra_integration_settle_skips_what_a_failure_leaves_impossible(store: Store) -> None:
    """A failed upstream skips its downstream with the reason, and what waits for that follows."""
    root, child, grandchild = [await create_task(store) for _ in range(3)]
    plan = FlowPlan(
        (
            FlowMember(
                task_id=root.id,
                task_version_id=root.task_version_id,
                status=TaskRunStatus.DISPATCHED,
                needs_settlement=True,
            ),
            FlowMember(
                task_id=child.id,
                task_version_id=child.task_version_id,
                status=TaskRunStatus.PENDING,
                waiting_on=1,
                needs_settlement=True,
            ),
            FlowMember(
                task_id=grandchild.id,
                task_version_id=grandchild.task_version_id,
                status=TaskRunStatus.PENDING,
                waiting_on=1,
            ),
        ),
        ((0, 1), (1, 2)),
    )
    created = await create_runs(store, plan)
    session = await open_session(store)
    (run,) = await claim(store, session)
    async with store.autocommit() as work:
        await work.task_runs.finish(session, [report(run, TaskRunStatus.FAILED, error="no")])
        assert (await work.task_runs.settle(10, [run.id])).released == []
        after = [await work.task_runs.get(c.run_id) for c in created[1:]]
    assert [r.status for r in after] == [TaskRunStatus.SKIPPED] * 2
    assert [r.error for r in after] == [
        f"Not run: upstream run {created[0].run_id} is FAILED.",
        f"Not run: upstream run {created[1].run_id} is SKIPPED.",
    ]


async def test_infra_integration_settle_goes_on_when_a_batch_releases_nothing(store: Store) -> None:
    """A backlog of cancelled runs is settled to its end at once, however small the batch."""
    root, child = [await create_task(store) for _ in range(2)]
    created = await create_runs(store, build_plan(root, child), copies=5)
    async with store.autocommit() as work:
        await work.task_runs.cancel([run.run_id for run in created if run.task_id == root.id])
        assert (await work.task_runs.settle(2)).released == []
        children = await work.task_runs.get_many([run.run_id for run in created if run.task_id == child.id])
    assert [run.status for run in children] == [TaskRunStatus.SKIPPED] * 5


async def test_infra_integration_admit_steps_over_a_task_that_is_being_changed(
    store: Store, second_store: Store
) -> None:
    """A slow change of one task does not keep the runs of the others waiting; its own are admitted afterwards."""
    changing, other = [await create_task(store) for _ in range(2)]
    for task in (changing, other):
        await create_runs(store, build_plan(task, status=TaskRunStatus.PENDING))
    async with second_store.autocommit() as dispatcher:
        async with store.transaction() as work:
            await work.tasks.update([changing.id], [changing.definition()], [None])
            assert [run.task_id for run in await dispatcher.task_runs.admit(10)] == [other.id]
        assert [run.task_id for run in await dispatcher.task_runs.admit(10)] == [changing.id]


async def test_infra_integration_admit_shares_out_between_dispatchers(store: Store, second_store: Store) -> None:
    """Two dispatchers admit every run once."""
    task = await create_task(store)
    await create_runs(store, build_plan(task, status=TaskRunStatus.PENDING), copies=300)

    async def admit(over: Store) -> list[int]:
        mine: list[int] = []
        async with over.autocommit() as work:
            for _ in range(300):
                got = [run.run_id for run in await work.task_runs.admit(5)]
                mine += got
                if not got and await work.task_runs.seconds_to_next() is None:
                    break
        return mine

    first, second = await asyncio.gather(admit(store), admit(second_store))
    assert len(first) + len(second) == len({*first, *second}) == 300


async def test_infra_integration_admit_puts_a_paused_tasks_runs_aside(store: Store) -> None:
    """A paused task's runs are not looked at again until it is resumed."""
    task = await create_task(store)
    await create_runs(store, build_plan(task, status=TaskRunStatus.PENDING), copies=3)
    async with store.autocommit() as work:
        await work.tasks.set_status([task.id], TaskStatus.PAUSED)
        assert await work.task_runs.admit(10) == []
        assert await work.task_runs.seconds_to_next() is None
        await work.tasks.set_status([task.id], TaskStatus.ACTIVE)
        assert len(await work.task_runs.admit(10)) == 3


async def test_infra_integration_get_names_a_missing_run(store: Store) -> None:
    """An unknown run is an error that names it."""
    async with store.autocommit() as work:
        with pytest.raises(TaskRunNotFoundError, match="424242"):
            await work.task_runs.get(424242)


async def test_infra_integration_statistics_count_what_ended(store: Store) -> None:
    """The success rate is completed over all that ended by itself."""
    task = await create_task(store)
    await create_runs(store, build_plan(task), copies=4)
    session = await open_session(store)
    first, *others = await claim(store, session)
    async with store.autocommit() as work:
        await work.task_runs.finish(
            session, [FinishedRun(run_id=r.id, attempt=1, status=TaskRunStatus.COMPLETED) for r in others]
        )
        await work.task_runs.finish(session, [report(first, TaskRunStatus.TIMEOUT, error="late")])
        figures = await work.task_runs.statistics(task.id, 7)
    assert figures.by_status == {"COMPLETED": 3, "TIMEOUT": 1}
    assert (figures.total, figures.success_rate) == (4, 0.75)
