"""The session protocol: leases, renewal, reaping, and what happens when they meet claims and finishes."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from fixtures.database import every_postgresql
from fixtures.factories import (
    PYTHON_LANE,
    build_plan,
    build_session,
    claim,
    create_runs,
    create_task,
    open_session,
    report,
    status_of,
)
from fixtures.query_change import QueryChange
from fixtures.waiting import wait_until_blocked
from scheduler_core.errors import SessionFencedError, WorkerIdTakenError, WorkerNotFoundError
from scheduler_core.interfaces import Store
from scheduler_core.models import FinishedRun, HeldRun, Lane, SessionState, TaskRunStatus

pytestmark = every_postgresql


def after_lease() -> datetime:
    """An instant at which every default lease has run out."""
    return datetime.now(UTC) + timedelta(seconds=31)


async def claimed_run(store: Store, session: int) -> int:
    """A run that the session holds."""
    await create_runs(store, build_plan(await create_task(store)))
    (run,) = await claim(store, session)
    return run.id


async def test_infra_integration_open_refuses_a_live_worker_id(store: Store) -> None:
    """A second live worker with the same id is refused, with host and pid of the first."""
    first = build_session(hostname="alpha", pid=77)
    async with store.autocommit() as work:
        await work.worker_sessions.open(first)
        with pytest.raises(WorkerIdTakenError, match="process 77 on host alpha"):
            await work.worker_sessions.open(build_session(worker_id=first.worker_id))
        assert await work.worker_sessions.alive_with_id(first.worker_id) == first
        assert await work.worker_sessions.alive_with_id("nobody") is None


async def test_infra_integration_open_replaces_an_expired_session(store: Store) -> None:
    """An expired session of the same id is declared lost, and its runs are free."""
    old = build_session()
    async with store.autocommit() as work:
        old_id = await work.worker_sessions.open(old)
        run = await claimed_run(store, old_id)
        new_id = await work.worker_sessions.open(build_session(worker_id=old.worker_id), now=after_lease())
        assert new_id != old_id
    assert await status_of(store, run) is TaskRunStatus.PENDING


async def test_infra_integration_declare_lost_frees_a_dead_process_at_once(store: Store) -> None:
    """A session whose process is known to be dead need not wait for its lease, but only exactly that process."""
    old = build_session()
    async with store.autocommit() as work:
        session = await work.worker_sessions.open(old)
        run = await claimed_run(store, session)
        await work.worker_sessions.declare_lost(old.worker_id, old.pid, old.process_started_at + 1)
        assert await status_of(store, run) is TaskRunStatus.RUNNING
        await work.worker_sessions.declare_lost(old.worker_id, old.pid, old.process_started_at)
        assert await status_of(store, run) is TaskRunStatus.PENDING
        await work.worker_sessions.open(build_session(worker_id=old.worker_id))


async def test_infra_integration_renew_tells_what_the_session_holds(store: Store) -> None:
    """Each renewal extends the lease and lists the session's RUNNING runs with their cancel flags."""
    session = await open_session(store)
    run = await claimed_run(store, session)
    async with store.autocommit() as work:
        soon = datetime.now(UTC) + timedelta(seconds=20)
        assert await work.worker_sessions.renew(session, now=soon) == [HeldRun(run, 1, False)]
        await work.task_runs.cancel([run])
        later = soon + timedelta(seconds=20)
        assert await work.worker_sessions.renew(session, now=later) == [HeldRun(run, 1, True)]
        (sighting,) = await work.worker_sessions.sightings(later)
    assert (sighting.renewals, sighting.lease_expired) == (2, False)


async def test_infra_integration_renew_changes_the_places_and_keeps_them(store: Store) -> None:
    """A renewal that names places sets them; one that names none leaves them, and the runs held are as before."""
    session = await open_session(store, places=5)
    run = await claimed_run(store, session)
    for places, expected in ((None, 5), (1, 1), (None, 1), (8, 8)):
        async with store.autocommit() as work:
            assert await work.worker_sessions.renew(session, places=places) == [HeldRun(run, 1, False)]
            (seen,) = await work.worker_sessions.page()
        assert seen.places == expected


async def test_infra_integration_renew_goes_on_until_the_session_is_reaped(store: Store) -> None:
    """A lease that has passed by the wall clock can be renewed until somebody has ended the session, not afterwards."""
    session = await open_session(store)
    later = after_lease()
    async with store.autocommit() as work:
        assert await work.worker_sessions.renew(session, now=later) == []
        await work.worker_sessions.reap([session], later + timedelta(hours=1))
        assert await work.worker_sessions.renew(session, now=later) is None


async def test_infra_integration_close_hands_back_what_is_held(store: Store) -> None:
    """A worker that says goodbye leaves nothing RUNNING, and cannot do anything any more."""
    session = await open_session(store)
    run = await claimed_run(store, session)
    async with store.autocommit() as work:
        (change,) = await work.worker_sessions.close(session)
        assert (change.run_id, change.status) == (run, TaskRunStatus.PENDING)
        assert await work.worker_sessions.renew(session) is None
        (stored,) = await work.worker_sessions.page()
        assert stored.state is SessionState.ENDED


async def test_infra_integration_close_hands_back_also_after_the_lease(store: Store) -> None:
    """Runs of a session that ends late, before anybody has taken them, are free at once and lose nothing."""
    session = await open_session(store)
    run = await claimed_run(store, session)
    async with store.autocommit() as work:
        (change,) = await work.worker_sessions.close(session, after_lease())
        assert (change.run_id, change.status) == (run, TaskRunStatus.PENDING)
        assert (await work.task_runs.get(run)).losses == 0
        assert await work.worker_sessions.reap([], after_lease()) == []


async def test_infra_integration_reap_takes_only_expired_sessions(store: Store) -> None:
    """A session with a lease keeps its runs, whoever asks for it to be reaped."""
    session = await open_session(store)
    run = await claimed_run(store, session)
    async with store.autocommit() as work:
        assert await work.worker_sessions.reap([session]) == []
        assert await status_of(store, run) is TaskRunStatus.RUNNING
        (reaped,) = await work.worker_sessions.reap([session], after_lease())
    assert (reaped.run_id, reaped.session_id, reaped.status, reaped.losses) == (run, session, "PENDING", 1)


async def test_infra_integration_reap_quarantines_after_the_last_loss(store: Store) -> None:
    """A run whose sessions are lost five times is not given to a sixth; losses use up no retries."""
    await create_runs(store, build_plan(await create_task(store)))
    statuses = []
    async with store.autocommit() as work:
        for _ in range(5):
            session = await open_session(store)
            await work.task_runs.admit(10, after_lease())
            (run,) = await claim(store, session)
            statuses += [r.status for r in await work.worker_sessions.reap([session], after_lease())]
        stored = await work.task_runs.get(run.id)
    assert statuses == ["PENDING"] * 4 + ["QUARANTINED"]
    assert (stored.losses, stored.failures, stored.attempt) == (5, 0, 5)
    assert "lost 5 times" in (stored.error or "")


async def test_infra_integration_reap_quarantines_as_the_task_says(store: Store) -> None:
    """A task says how many lost sessions its runs survive."""
    task = await create_task(store, max_losses=1)
    [run] = await create_runs(store, build_plan(task))
    session = await open_session(store)
    await claim(store, session)
    async with store.autocommit() as work:
        (reaped,) = await work.worker_sessions.reap([session], after_lease())
        found = await work.task_runs.get(run.run_id)
    assert (reaped.status, reaped.losses) == ("QUARANTINED", 1)
    assert found.error == "Its worker session was lost once, so it is not tried again."


async def test_infra_integration_reap_counts_losses_and_no_failures(store: Store) -> None:
    """A failed attempt brings a run no nearer to its quarantine: only lost sessions do."""
    task = await create_task(store, max_losses=2, max_retries=1)
    [made] = await create_runs(store, build_plan(task))
    session = await open_session(store)
    [run] = await claim(store, session)
    async with store.autocommit() as work:
        await work.task_runs.finish(session, [report(run, TaskRunStatus.FAILED, retry_delay_seconds=0.0)])
        statuses = []
        for _ in range(2):
            await work.task_runs.admit(10, after_lease())
            session = await open_session(store)
            assert [each.id for each in await claim(store, session)] == [made.run_id]
            statuses += [each.status for each in await work.worker_sessions.reap([session], after_lease())]
        stored = await work.task_runs.get(made.run_id)
    assert statuses == ["PENDING", "QUARANTINED"]
    assert (stored.losses, stored.failures) == (2, 1)


async def test_infra_integration_reap_cancels_a_flagged_run(store: Store) -> None:
    """A run whose cancel was asked for is not tried again after a loss."""
    session = await open_session(store)
    run = await claimed_run(store, session)
    async with store.autocommit() as work:
        await work.task_runs.cancel([run])
        (reaped,) = await work.worker_sessions.reap([session], after_lease())
    assert (reaped.run_id, reaped.status) == (run, "CANCELLED")


async def test_infra_integration_reap_waits_for_a_finish_in_flight(
    store: Store, second_store: Store, database_url: str
) -> None:
    """A finish that was first keeps its outcome: the reaper that waited for it takes nothing."""
    session = await open_session(store)
    run = await claimed_run(store, session)
    async with store.transaction() as work:
        held = await work.task_runs.get_many([run])
        finished = [report_of(run, held[0].attempt)]
        assert await work.task_runs.finish(session, finished)
        reaping = asyncio.create_task(reap(second_store, session))
        await wait_until_blocked(database_url)
    assert await reaping == []
    assert await status_of(store, run) is TaskRunStatus.COMPLETED


async def test_infra_integration_finish_waits_for_a_reap_in_flight_and_is_refused(
    store: Store, second_store: Store, database_url: str
) -> None:
    """A reaper that was first wins: the finish that waited for it is told that its session is over."""
    session = await open_session(store)
    run = await claimed_run(store, session)
    async with store.transaction() as work:
        await work.worker_sessions.reap([session], after_lease())
        finishing = asyncio.create_task(finish(second_store, session, run))
        await wait_until_blocked(database_url)
    with pytest.raises(SessionFencedError):
        await finishing
    assert await status_of(store, run) is TaskRunStatus.PENDING


async def test_infra_integration_finish_without_the_session_test_would_end_a_reaped_run(
    store: Store, query_change: QueryChange
) -> None:
    """What refuses a lost worker is the session's state in the statement: without it a stale report would count."""
    query_change("finish_runs", "AND state = 'ALIVE'", "")
    query_change("finish_runs", "AND held.session_id = (SELECT id FROM session)", "")
    lost, heir = await open_session(store), await open_session(store)
    run = await claimed_run(store, lost)
    async with store.autocommit() as work:
        await work.worker_sessions.reap([lost], after_lease())
        await work.task_runs.admit(10, after_lease())
        (again,) = await claim(store, heir)
        assert await work.task_runs.finish(lost, [report_of(run, again.attempt)])


async def test_infra_integration_claim_in_flight_at_a_reap_is_found_by_the_next_one(
    store: Store, second_store: Store, database_url: str
) -> None:
    """Runs claimed while the reaper waited are RUNNING with a lost session: the next scan frees them."""
    session = await open_session(store)
    await create_runs(store, build_plan(await create_task(store)))
    async with store.transaction() as work:
        (run,) = await work.task_runs.claim(session, [PYTHON_LANE], 1)
        reaping = asyncio.create_task(reap(second_store, session))
        await wait_until_blocked(database_url)
    first = await reaping
    async with store.autocommit() as work:
        second = await work.worker_sessions.reap([])
    assert [*first, *(r.run_id for r in second)] == [run.id]
    assert await status_of(store, run.id) is TaskRunStatus.PENDING


async def test_infra_integration_claim_after_a_reap_in_flight_is_refused(
    store: Store, second_store: Store, database_url: str
) -> None:
    """A worker cannot take work for a session that is being declared lost."""
    session = await open_session(store)
    await create_runs(store, build_plan(await create_task(store)))
    async with store.transaction() as work:
        await work.worker_sessions.reap([session], after_lease())
        claiming = asyncio.create_task(claim(second_store, session))
        await wait_until_blocked(database_url)
    with pytest.raises(SessionFencedError):
        await claiming


async def test_infra_integration_renewal_in_flight_saves_the_session(
    store: Store, second_store: Store, database_url: str
) -> None:
    """The reaper looks at the lease again under the lock: a renewal that was first keeps the session alive."""
    session = await open_session(store)
    run = await claimed_run(store, session)
    at_the_end = datetime.now(UTC) + timedelta(seconds=29)
    async with store.transaction() as work:
        assert await work.worker_sessions.renew(session, now=at_the_end)
        reaping = asyncio.create_task(reap(second_store, session))
        await wait_until_blocked(database_url)
    assert await reaping == []
    assert await status_of(store, run) is TaskRunStatus.RUNNING


async def test_infra_integration_renewal_after_a_reap_in_flight_is_refused(
    store: Store, second_store: Store, database_url: str
) -> None:
    """A reaper that was first fences the session: the renewal that waited for it changes nothing."""
    session = await open_session(store)
    async with store.transaction() as work:
        await work.worker_sessions.reap([session], after_lease())
        renewing = asyncio.create_task(renew(second_store, session))
        await wait_until_blocked(database_url)
    assert await renewing is None


async def test_infra_integration_ring_targets_are_idle_sessions_that_can_take_it(store: Store) -> None:
    """Only live sessions with a free place, the queue and the type; the emptiest first, one for each run."""
    busy = await open_session(store, places=1)
    await claimed_run(store, busy)
    wide = await open_session(store, places=5)
    narrow = await open_session(store, places=2)
    await open_session(store, queues=("other",))
    draining = await open_session(store)
    async with store.autocommit() as work:
        await work.worker_sessions.renew(draining, draining=True)
        assert await work.worker_sessions.ring_targets([PYTHON_LANE], [1]) == [wide]
        assert sorted(await work.worker_sessions.ring_targets([PYTHON_LANE], [50])) == sorted([wide, narrow])
        assert await work.worker_sessions.ring_targets([Lane("default", "http")], [1]) == []


async def test_infra_integration_ring_targets_of_several_lanes_share_no_place(store: Store) -> None:
    """Runs of two lanes ring two sessions where one session is the emptiest for both, and never more than the runs."""
    both = await open_session(store, places=9, task_types=("python", "shell"))
    other = await open_session(store, places=1, task_types=("shell",))
    for _ in range(3):
        await open_session(store, places=1, task_types=("python", "shell"))
    lanes = [PYTHON_LANE, Lane("default", "shell")]
    async with store.autocommit() as work:
        for _ in range(10):
            targets = await work.worker_sessions.ring_targets(lanes, [1, 1])
            assert (len(targets), len(set(targets)), both in targets) == (2, 2, True)
        assert other in await work.worker_sessions.ring_targets(lanes, [1, 9])
        assert len(await work.worker_sessions.ring_targets(lanes, [50, 50])) == 5


async def test_infra_integration_ring_targets_have_a_lease(store: Store, database_url: str) -> None:
    """Who has not renewed in time is not rung, although nobody has reaped it yet, until it renews."""
    late, alive = await open_session(store, places=9), await open_session(store, places=1)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE scheduler.worker_sessions SET lease_expires_at = now() - interval '1 s' WHERE id = %s", [late]
        )
    async with store.autocommit() as work:
        assert await work.worker_sessions.ring_targets([PYTHON_LANE], [50]) == [alive]
        assert await work.worker_sessions.renew(late) == []
        assert await work.worker_sessions.ring_targets([PYTHON_LANE], [50]) == [late, alive]


async def test_infra_integration_page_lists_sessions_newest_first(store: Store) -> None:
    """Pages of sessions carry how many runs each holds."""
    sessions = [await open_session(store) for _ in range(3)]
    await claimed_run(store, sessions[1])
    async with store.autocommit() as work:
        first = await work.worker_sessions.page(limit=2)
        rest = await work.worker_sessions.page(limit=2, before_id=first[-1].id)
    assert [(s.id, s.running) for s in (*first, *rest)] == [(sessions[2], 0), (sessions[1], 1), (sessions[0], 0)]


async def test_infra_integration_drain_lets_no_run_start(store: Store) -> None:
    """A drained worker is alive, keeps what it holds and starts nothing; resumed it does."""
    session = await open_session(store, worker_id="one")
    held = await claimed_run(store, session)
    await create_runs(store, build_plan(await create_task(store)))
    async with store.autocommit() as work:
        await work.worker_sessions.drain("one", True)
        assert await claim(store, session) == []
        assert await work.worker_sessions.renew(session) == [HeldRun(held, 1, False)]
        seen = await work.worker_sessions.newest("one")
        assert (seen.state, seen.draining, seen.drain_requested) == (SessionState.ALIVE, True, True)
        assert await work.worker_sessions.ring_targets([PYTHON_LANE], [9]) == []
        await work.worker_sessions.drain("one", False)
        assert [run.attempt for run in await claim(store, session)] == [1]
        assert not (await work.worker_sessions.newest("one")).draining


async def test_infra_integration_drain_waits_for_the_claim_under_way(
    store: Store, second_store: Store, database_url: str
) -> None:
    """What a claim takes that began before is taken when the drain is answered, and nothing after that."""
    session = await open_session(store, worker_id="one")
    await create_runs(store, build_plan(await create_task(store)))
    async with store.transaction() as work:
        assert len(await work.task_runs.claim(session, [PYTHON_LANE], 5)) == 1
        draining = asyncio.create_task(drain(second_store, "one"))
        await wait_until_blocked(database_url)
    await draining
    await create_runs(store, build_plan(await create_task(store)))
    assert await claim(store, session) == []


async def test_infra_integration_claim_that_waits_for_a_drain_takes_nothing(
    store: Store, second_store: Store, database_url: str
) -> None:
    """A claim that had seen a run, and nothing of the drain that is committed meanwhile, leaves the run."""
    session = await open_session(store, worker_id="one")
    (run,) = await create_runs(store, build_plan(await create_task(store)))
    async with store.transaction() as work:
        await work.worker_sessions.drain("one", True)
        claiming = asyncio.create_task(claim(second_store, session))
        await wait_until_blocked(database_url)
    assert await claiming == []
    assert await status_of(store, run.run_id) is TaskRunStatus.DISPATCHED


async def test_infra_integration_claim_of_nothing_writes_nothing(store: Store) -> None:
    """Whoever looks and finds no run has locked nothing, so there is no commit to wait for."""
    session = await open_session(store)
    async with store.transaction() as work:
        assert await work.task_runs.claim(session, [PYTHON_LANE], 5) == []
        connection = work._connection  # type: ignore[attr-defined]  # what no repository tells
        row = await (await connection.execute("SELECT pg_current_xact_id_if_assigned()")).fetchone()
    assert row == (None,)


async def test_infra_integration_drain_reaches_the_session_that_begins_meanwhile(
    store: Store, second_store: Store, database_url: str
) -> None:
    """Whichever of the two is first: a worker that is told to take nothing while it starts again takes nothing."""
    async with store.autocommit() as work:
        await work.worker_sessions.close(await open_session(store, worker_id="one"))
    async with store.transaction() as work:
        opened = await work.worker_sessions.open(build_session(worker_id="one"))
        draining = asyncio.create_task(drain(second_store, "one"))
        await wait_until_blocked(database_url)
    await draining
    async with store.autocommit() as work:
        assert (await work.worker_sessions.newest("one")).drain_requested
        await work.worker_sessions.close(opened)
        await work.worker_sessions.drain("one", False)
    async with store.transaction() as work:
        await work.worker_sessions.drain("one", True)
        opening = asyncio.create_task(open_session(second_store, worker_id="one"))
        await wait_until_blocked(database_url)
    await opening
    async with store.autocommit() as work:
        assert (await work.worker_sessions.newest("one")).drain_requested


async def test_infra_integration_drain_belongs_to_the_worker_id(store: Store) -> None:
    """It holds for sessions after the present one, also when it was told to a worker that has ended."""
    first = await open_session(store, worker_id="one")
    await open_session(store, worker_id="two")
    async with store.autocommit() as work:
        await work.worker_sessions.close(first)
        await work.worker_sessions.drain("one", True)
        second = await work.worker_sessions.open(build_session(worker_id="one"))
        assert [(s.worker_id, s.draining) for s in await work.worker_sessions.page(alive_only=True)] == [
            ("one", True),
            ("two", False),
        ]
        await work.worker_sessions.drain("one", False)
        await work.worker_sessions.close(second)
        await work.worker_sessions.open(build_session(worker_id="one"))
        assert not (await work.worker_sessions.newest("one")).draining


async def test_infra_integration_newest_finds_workers_by_name_and_session(store: Store) -> None:
    """A worker id is looked for first; the id of any session names its worker."""
    old = await open_session(store, worker_id="one")
    async with store.autocommit() as work:
        await work.worker_sessions.close(old)
        new = await work.worker_sessions.open(build_session(worker_id="one", python_version="3.13.1"))
        assert [(await work.worker_sessions.newest(text)).id for text in ("one", str(old), str(new))] == [new, new, new]
        assert (await work.worker_sessions.newest("one")).python_version == "3.13.1"
        digits = await work.worker_sessions.open(build_session(worker_id=str(old)))
        assert (await work.worker_sessions.newest(str(old))).id == digits
        for nobody in ("nobody", str(digits + 1), "9" * 30):
            with pytest.raises(WorkerNotFoundError, match="There is no worker"):
                await work.worker_sessions.newest(nobody)


async def test_infra_integration_renew_stores_what_is_told_of_the_host(store: Store) -> None:
    """The last report is what is seen; a renewal without one leaves it."""
    session = await open_session(store, worker_id="one")
    async with store.autocommit() as work:
        for load in ({"cpu_share": 0.5}, {"cpu_share": 0.25, "load_average": 1.5}, None):
            await work.worker_sessions.renew(session, load=load)
        assert (await work.worker_sessions.newest("one")).load == {"cpu_share": 0.25, "load_average": 1.5}


async def test_infra_integration_held_by_tells_the_runs_of_a_session(store: Store) -> None:
    """The oldest first, and no more than asked for; those of others are not among them."""
    session = await open_session(store)
    held = [await claimed_run(store, session) for _ in range(2)]
    await claimed_run(store, await open_session(store))
    async with store.autocommit() as work:
        runs = await work.worker_sessions.held_by(session)
        assert [(run.run_id, run.attempt, run.cancel_requested) for run in runs] == [(each, 1, False) for each in held]
        assert [run.run_id for run in await work.worker_sessions.held_by(session, limit=1)] == held[:1]


async def drain(store: Store, worker_id: str) -> None:
    """Drain now."""
    async with store.autocommit() as work:
        await work.worker_sessions.drain(worker_id, True)


async def reap(store: Store, session: int) -> list[int]:
    """Reap at an instant when every lease given until now has run out."""
    async with store.autocommit() as work:
        return [run.run_id for run in await work.worker_sessions.reap([session], after_lease())]


async def finish(store: Store, session: int, run_id: int) -> None:
    """Report a first attempt as completed."""
    async with store.autocommit() as work:
        await work.task_runs.finish(session, [report_of(run_id, 1)])


async def renew(store: Store, session: int) -> list[HeldRun] | None:
    """Renew now."""
    async with store.autocommit() as work:
        return await work.worker_sessions.renew(session)


def report_of(run_id: int, attempt: int) -> FinishedRun:
    """A completed attempt."""
    return FinishedRun(run_id=run_id, attempt=attempt, status=TaskRunStatus.COMPLETED)
