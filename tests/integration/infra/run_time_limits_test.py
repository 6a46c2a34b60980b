"""What the database keeps of a run's time: the queue, all attempts together, pauses, and runs given back for later."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from fixtures.database import every_postgresql
from fixtures.factories import PYTHON_LANE, build_plan, claim, create_runs, create_task, open_session, report
from scheduler_core.errors import SessionFencedError
from scheduler_core.interfaces import Store
from scheduler_core.interfaces.repository_answer import HoldingSession
from scheduler_core.models import PauseReport, RunKey, TaskRun, TaskRunStatus, TaskStatus
from scheduler_core.models.task_run import SkipReason

pytestmark = every_postgresql

_LANES = (PYTHON_LANE,)
MINUTE = timedelta(minutes=1)


async def shown(store: Store, run_id: int) -> TaskRun:
    """A run as users see it."""
    async with store.autocommit() as work:
        return await work.task_runs.get(run_id)


def due(run: TaskRun) -> datetime:
    """When a run could start."""
    assert run.not_before is not None
    return run.not_before


async def give_up(store: Store, at: datetime) -> int:
    """Look for late runs at an instant; how many were given up."""
    async with store.autocommit() as work:
        return (await work.task_runs.give_up_late(10, at)).given_up


async def test_infra_integration_queue_timeout_gives_up_a_run_that_nobody_takes(store: Store) -> None:
    """It counts from when the run could have started, ends it as TIMEOUT, and those downstream are settled at once."""
    task, child = await create_task(store, queue_timeout_seconds=60.0), await create_task(store)
    (run, waiting) = await create_runs(store, build_plan(task, child))
    before = await shown(store, run.run_id)
    assert before.start_before == due(before) + MINUTE

    assert await give_up(store, due(before) + MINUTE / 2) == 0
    assert await give_up(store, due(before) + MINUTE) == 1

    after = await shown(store, run.run_id)
    assert after.status is TaskRunStatus.TIMEOUT
    assert after.error == "It waited longer than queue_timeout_seconds (60 s) for a worker."
    assert (await shown(store, waiting.run_id)).skip_reason is SkipReason.UPSTREAM_FAILED


async def test_infra_integration_queue_timeout_counts_from_the_last_end_upstream(store: Store) -> None:
    """A run that waits for others has all of its time once they have ended."""
    first, second = await create_task(store), await create_task(store, queue_timeout_seconds=60.0)
    (root, child) = await create_runs(store, build_plan(first, second))
    assert (await shown(store, child.run_id)).start_before is None
    session = await open_session(store)
    (claimed,) = await claim(store, session)
    async with store.autocommit() as work:
        await work.task_runs.finish(session, [report(claimed)])
        await work.task_runs.settle(10, [root.run_id])

    released = await shown(store, child.run_id)

    assert released.start_before == due(released) + MINUTE


async def test_infra_integration_queue_timeout_stands_still_while_the_task_is_paused(store: Store) -> None:
    """Runs of a paused task are not given up however long the pause is; resumed, they have all of their time again."""
    task = await create_task(store, queue_timeout_seconds=60.0)
    (run,) = await create_runs(store, build_plan(task))
    async with store.transaction() as work:
        await work.tasks.set_status([task.id], TaskStatus.PAUSED)
    late = datetime.now(UTC) + 10 * MINUTE
    assert await give_up(store, late) == 0
    async with store.transaction() as work:
        await work.tasks.set_status([task.id], TaskStatus.ACTIVE, late)

    assert await give_up(store, late + MINUTE / 2) == 0
    assert await give_up(store, late + MINUTE) == 1
    assert (await shown(store, run.run_id)).status is TaskRunStatus.TIMEOUT


async def test_infra_integration_queue_timeout_is_over_with_the_first_start(store: Store) -> None:
    """A run that has been started once is not given up when it waits for a worker again."""
    await create_runs(store, build_plan(await create_task(store, queue_timeout_seconds=60.0)))
    session = await open_session(store)
    (run,) = await claim(store, session)
    assert (await shown(store, run.id)).start_before is None
    async with store.autocommit() as work:
        await work.task_runs.hand_back(session, [RunKey(run.id, run.attempt)])

    assert await give_up(store, datetime.now(UTC) + 10 * MINUTE) == 0
    assert (await shown(store, run.id)).status is TaskRunStatus.PENDING


async def test_infra_integration_total_timeout_counts_from_the_first_claim(store: Store) -> None:
    """Each claim says how much is left of it; a retry that would begin after it is not made, and the error says so."""
    await create_runs(store, build_plan(await create_task(store, total_timeout_seconds=60.0, max_retries=5)))
    session = await open_session(store)
    (first,) = await claim(store, session)
    assert first.seconds_left == pytest.approx(60.0)
    started = (await shown(store, first.id)).started_at
    assert started is not None
    async with store.autocommit() as work:
        failed = report(first, TaskRunStatus.FAILED, error="no", retry_delay_seconds=0.0)
        await work.task_runs.finish(session, [failed], started + MINUTE / 2)
        await work.task_runs.admit(10, started + MINUTE / 2)
        (second,) = await work.task_runs.claim(session, [*_LANES], 1, started + MINUTE / 2)
        assert second.seconds_left == pytest.approx(30.0)
        failed = report(second, TaskRunStatus.FAILED, error="Again no.", retry_delay_seconds=30.0)
        (change,) = await work.task_runs.finish(session, [failed], started + MINUTE / 2)

    assert change.status is TaskRunStatus.FAILED
    error = "Again no. It is not tried again: total_timeout_seconds (60 s) would be over by then."
    assert (await shown(store, first.id)).error == error


async def test_infra_integration_total_timeout_ends_a_run_that_waits_for_its_retry(store: Store) -> None:
    """A retry that no worker takes in time is given up when the time of all attempts is over."""
    await create_runs(store, build_plan(await create_task(store, total_timeout_seconds=60.0, max_retries=5)))
    session = await open_session(store)
    (run,) = await claim(store, session)
    async with store.autocommit() as work:
        failed = report(run, TaskRunStatus.FAILED, error="no", retry_delay_seconds=1.0)
        (change,) = await work.task_runs.finish(session, [failed])
    assert change.status is TaskRunStatus.PENDING
    end = (await shown(store, run.id)).end_before
    assert end is not None

    assert await give_up(store, end - MINUTE / 60) == 0
    assert await give_up(store, end) == 1
    after = await shown(store, run.id)
    assert (after.status, after.error) == (
        TaskRunStatus.TIMEOUT,
        "total_timeout_seconds (60 s) were over before another attempt had begun.",
    )


async def test_infra_integration_finish_skips_a_run_whose_job_asked_for_it(store: Store) -> None:
    """SKIPPED with its reason; what waits for it is skipped as after any run upstream that was not to be done."""
    task, child = await create_task(store), await create_task(store)
    (run, waiting) = await create_runs(store, build_plan(task, child))
    session = await open_session(store)
    (claimed,) = await claim(store, session)
    async with store.autocommit() as work:
        await work.task_runs.finish(session, [report(claimed, TaskRunStatus.SKIPPED, error="nothing new")])
        await work.task_runs.settle(10, [run.run_id])

    skipped = await shown(store, run.run_id)
    assert (skipped.status, skipped.skip_reason) == (TaskRunStatus.SKIPPED, SkipReason.JOB_ASKED)
    assert (await shown(store, waiting.run_id)).skip_reason is SkipReason.UPSTREAM_SKIPPED


async def test_infra_integration_pause_is_asked_told_and_forgotten(store: Store) -> None:
    """The wish reaches the renewal, the report the run; the time of all attempts is put off by the pause."""
    await create_runs(store, build_plan(await create_task(store, total_timeout_seconds=60.0)))
    session = await open_session(store)
    (run,) = await claim(store, session)
    key = RunKey(run.id, run.attempt)
    async with store.autocommit() as work:
        answer = await work.task_runs.ask_for_pause(run.id, pause=True)
        assert answer == HoldingSession(TaskRunStatus.RUNNING, session, False)
        (held,) = await work.worker_sessions.renew(session) or []
        assert held.pause_requested
        await work.task_runs.report_pauses(session, {key: PauseReport.PAUSED})
    paused = await shown(store, run.id)
    assert paused.pause_requested
    assert paused.paused_at is not None
    assert paused.end_before is not None
    async with store.autocommit() as work:
        await work.task_runs.ask_for_pause(run.id, pause=False)
        await work.task_runs.report_pauses(session, {key: PauseReport.RESUMED}, paused.paused_at + MINUTE)

    resumed = await shown(store, run.id)
    assert (resumed.pause_requested, resumed.paused_at) == (False, None)
    assert resumed.end_before == paused.end_before + MINUTE


async def test_infra_integration_pause_counts_for_a_retry_before_its_end_is_told(store: Store) -> None:
    """A job that fails in the moment in which it goes on has the time that it stood still, like any other."""
    await create_runs(store, build_plan(await create_task(store, total_timeout_seconds=60.0, max_retries=1)))
    session = await open_session(store)
    (run,) = await claim(store, session)
    async with store.autocommit() as work:
        await work.task_runs.report_pauses(session, {RunKey(run.id, run.attempt): PauseReport.PAUSED})
    paused = await shown(store, run.id)
    assert paused.paused_at is not None
    assert paused.end_before is not None
    async with store.autocommit() as work:
        failed = report(run, TaskRunStatus.FAILED, error="no", retry_delay_seconds=1.0)
        (change,) = await work.task_runs.finish(session, [failed], paused.paused_at + 10 * MINUTE)

    waiting = await shown(store, run.id)
    assert change.status is TaskRunStatus.PENDING
    assert waiting.end_before == waiting.start_before == paused.end_before + 10 * MINUTE


async def test_infra_integration_pause_that_an_older_version_left_is_over_with_the_next_claim(
    store: Store, database_url: str
) -> None:
    """A worker that knows nothing of pauses leaves the wish when it reports: the next attempt begins without it."""
    (created,) = await create_runs(store, build_plan(await create_task(store)))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE scheduler.task_runs SET pause_requested = true, paused_at = created_at WHERE id = %s",
            [created.run_id],
        )

    (run,) = await claim(store, await open_session(store))

    now = await shown(store, run.id)
    assert (now.pause_requested, now.paused_at) == (False, None)


async def test_infra_integration_pause_ends_with_its_attempt(store: Store) -> None:
    """The next attempt of a paused run that was given back begins unpaused, and what the old one reports is nothing."""
    await create_runs(store, build_plan(await create_task(store)))
    session = await open_session(store)
    (run,) = await claim(store, session)
    old = RunKey(run.id, run.attempt)
    async with store.autocommit() as work:
        await work.task_runs.ask_for_pause(run.id, pause=True)
        await work.task_runs.report_pauses(session, {old: PauseReport.PAUSED})
        await work.task_runs.hand_back(session, [old])
        await work.task_runs.admit(10)
    (again,) = await claim(store, session)
    async with store.autocommit() as work:
        await work.task_runs.report_pauses(session, {old: PauseReport.PAUSED})
        with pytest.raises(SessionFencedError):
            await work.task_runs.report_pauses(10**9, {old: PauseReport.PAUSED})

    now = await shown(store, again.id)
    assert (now.status, now.pause_requested, now.paused_at) == (TaskRunStatus.RUNNING, False, None)


async def test_infra_integration_pause_ends_with_a_lost_session(store: Store) -> None:
    """The next attempt of a paused run whose worker was lost begins unpaused, with what it stood still to its good."""
    await create_runs(store, build_plan(await create_task(store, total_timeout_seconds=600.0)))
    session = await open_session(store)
    (run,) = await claim(store, session)
    async with store.autocommit() as work:
        await work.task_runs.ask_for_pause(run.id, pause=True)
        await work.task_runs.report_pauses(session, {RunKey(run.id, run.attempt): PauseReport.PAUSED})
    paused = await shown(store, run.id)
    assert paused.paused_at is not None
    assert paused.end_before is not None
    async with store.autocommit() as work:
        await work.worker_sessions.reap([session], paused.paused_at + MINUTE)

    lost = await shown(store, run.id)
    assert (lost.status, lost.pause_requested, lost.paused_at) == (TaskRunStatus.PENDING, False, None)
    assert lost.end_before == lost.start_before == paused.end_before + MINUTE


async def test_infra_integration_hand_back_for_later_waits_longer_each_time(store: Store) -> None:
    """What its worker could not carry out is offered again after a while that doubles, a minute at most."""
    (created,) = await create_runs(store, build_plan(await create_task(store)))
    session = await open_session(store)
    now = datetime.now(UTC)
    waits = []
    for _ in range(8):
        async with store.autocommit() as work:
            (run,) = await work.task_runs.claim(session, [*_LANES], 1, now)
            await work.task_runs.hand_back(session, [RunKey(run.id, run.attempt)], now, delay_seconds=1.0)
        later = (await shown(store, created.run_id)).not_before
        assert later is not None
        waits.append((later - now).total_seconds())
        now = later
        async with store.autocommit() as work:
            await work.task_runs.admit(10, now)

    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
