"""Recovery on a real database: lost workers' runs go on elsewhere."""

import psycopg

from fixtures.clock import FrozenClock
from fixtures.factories import build_plan, claim, create_runs, create_task, open_session, status_of
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from scheduler_core.interfaces import Store
from scheduler_core.models import DISPATCHERS, TaskRunStatus, session_address
from scheduler_dispatcher.dispatch_service import DispatchService
from scheduler_dispatcher.recovery_service import RecoveryService
from scheduler_dispatcher.ringer import Ringer


def expire_leases(url: str) -> None:
    """Let every lease have passed by the database's clock, as a step of that clock would."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE scheduler.worker_sessions SET lease_expires_at = now() - interval '1 second'")


async def test_dispatcher_integration_lost_worker_gives_its_run_to_another(
    store: Store, database_url: str, frozen_clock: FrozenClock
) -> None:
    """The run of a session whose lease passed and whose counter stood still is claimed by another worker."""
    task = await create_task(store)
    lost = await open_session(store)
    [run] = await create_runs(store, build_plan(task))
    await claim(store, lost)
    queue = InMemoryMessageQueue()
    recovery = RecoveryService(store, Ringer(store, queue), frozen_clock)
    await recovery.look()
    expire_leases(database_url)
    frozen_clock.advance(29.9)
    await recovery.look()
    assert await status_of(store, run.run_id) is TaskRunStatus.RUNNING
    frozen_clock.advance(0.2)
    await recovery.look()
    assert await status_of(store, run.run_id) is TaskRunStatus.PENDING
    assert queue.wire.rung == [DISPATCHERS]
    heir = await open_session(store)
    await DispatchService(store, Ringer(store, queue), batch=10, poll_interval_seconds=5.0).look()
    assert queue.wire.rung == [DISPATCHERS, session_address(heir)]
    [claimed] = await claim(store, heir)
    assert (claimed.id, claimed.attempt) == (run.run_id, 2)


async def test_dispatcher_integration_clock_step_takes_nobodys_runs(
    store: Store, database_url: str, frozen_clock: FrozenClock
) -> None:
    """A worker that renews keeps its runs although the database's clock made its lease look expired."""
    task = await create_task(store)
    session_id = await open_session(store)
    [run] = await create_runs(store, build_plan(task))
    await claim(store, session_id)
    recovery = RecoveryService(store, Ringer(store, InMemoryMessageQueue()), frozen_clock)
    for _ in range(8):
        async with store.autocommit() as work:
            assert await work.worker_sessions.renew(session_id) is not None
        with psycopg.connect(database_url, autocommit=True) as connection:
            before = connection.execute("SELECT lease_expires_at FROM scheduler.worker_sessions").fetchone()
            assert before is not None
            expire_leases(database_url)
            await recovery.look()
            connection.execute("UPDATE scheduler.worker_sessions SET lease_expires_at = %s", before)
        frozen_clock.advance(10)
    assert await status_of(store, run.run_id) is TaskRunStatus.RUNNING
