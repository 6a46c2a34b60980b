"""Recovery: who is reaped, when it looks again, and who is told."""

import asyncio

import msgspec

from fixtures.clock import FrozenClock
from fixtures.dispatcher_fakes import ScriptedStore
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from scheduler_core.models import DISPATCHERS, ReapedRun, SessionSighting
from scheduler_core.runtime.process_identity import ProcessIdentity
from scheduler_dispatcher.recovery_service import RecoveryService
from scheduler_dispatcher.ringer import Ringer


def recovery(store: ScriptedStore, clock: FrozenClock) -> tuple[RecoveryService, InMemoryMessageQueue]:
    """A service and the queue it rings."""
    queue = InMemoryMessageQueue()
    return RecoveryService(store.as_store(), Ringer(store.as_store(), queue), clock), queue


async def test_look_reaps_within_five_seconds_of_the_lease(frozen_clock: FrozenClock) -> None:
    """A worker killed right after a renewal is declared lost at most five seconds after its lease has passed."""
    store = ScriptedStore()
    service, queue = recovery(store, frozen_clock)
    await service.look()
    store.reap_calls.clear()
    renewed_at = frozen_clock.monotonic()
    while not store.reap_calls or not store.reap_calls[-1]:
        age = frozen_clock.monotonic() - renewed_at
        assert age < 35
        store.sighted = [SessionSighting(7, "worker-7", 3, 30.0, age > 30)]
        store.reaped = [ReapedRun(1, 7, "PENDING", 1)]
        frozen_clock.advance(await service.look())
    assert store.reap_calls[-1] == [7]
    assert DISPATCHERS in queue.wire.rung


async def test_look_scans_often_enough_for_a_short_lease(frozen_clock: FrozenClock) -> None:
    """The scan follows the shortest lease that is alive."""
    store = ScriptedStore()
    service, _ = recovery(store, frozen_clock)
    assert await service.look() == 2.5
    store.sighted = [SessionSighting(1, "a", 1, 30.0, False), SessionSighting(2, "b", 1, 3.0, False)]
    assert await service.look() == 0.25


async def test_look_does_not_spin_on_a_verdict_that_the_database_denies(frozen_clock: FrozenClock) -> None:
    """A counter that stands still while the lease runs is looked at soon, not at once."""
    store = ScriptedStore()
    service, _ = recovery(store, frozen_clock)
    store.sighted = [SessionSighting(1, "a", 1, 30.0, False)]
    await service.look()
    frozen_clock.advance(100)
    assert await service.look() == 0.25


async def test_look_sweeps_up_runs_of_sessions_that_ended(frozen_clock: FrozenClock) -> None:
    """Runs whose session is not alive any more are freed from time to time though no session is lost."""
    store = ScriptedStore()
    service, queue = recovery(store, frozen_clock)
    await service.look()
    frozen_clock.advance(5)
    await service.look()
    assert store.reap_calls == [[]]
    assert queue.wire.rung == []
    frozen_clock.advance(30)
    store.reaped = [ReapedRun(1, 7, "PENDING", 1)]
    await service.look()
    assert store.reap_calls == [[], []]
    assert queue.wire.rung == [DISPATCHERS]


async def test_look_frees_a_dead_process_of_this_host_at_once(frozen_clock: FrozenClock) -> None:
    """A session whose process is known to have ended is lost without waiting for its lease, and no other one is."""
    ended = await asyncio.create_subprocess_exec("true")
    await ended.wait()
    here = ProcessIdentity.own()
    store = ScriptedStore()
    service, queue = recovery(store, frozen_clock)

    def session(number: int, **changes: object) -> SessionSighting:
        alive = SessionSighting(
            number, f"worker-{number}", 1, 30.0, False, here.hostname, here.boot_id, here.pid, here.started_at
        )
        return msgspec.structs.replace(alive, **changes)

    store.sighted = [
        session(1),
        session(2, pid=ended.pid, process_started_at=5),
        session(3, hostname="elsewhere", pid=ended.pid, process_started_at=5),
        session(4, process_started_at=here.started_at + 1),
    ]
    await service.look()
    lost = [line for line in store.log if line.startswith("lost")]
    assert lost == [f"lost worker-2 {ended.pid} 5", f"lost worker-4 {here.pid} {here.started_at + 1}"]
    assert queue.wire.rung == [DISPATCHERS]


async def test_look_frees_a_dead_process_when_its_jobs_have_ended(frozen_clock: FrozenClock) -> None:
    """As long as somebody has still to end them it is not lost, and is looked at again within a moment."""
    store, queue, guarded = ScriptedStore(), InMemoryMessageQueue(), {2}
    service = RecoveryService(
        store.as_store(),
        Ringer(store.as_store(), queue),
        frozen_clock,
        is_dead=lambda sighting: sighting.session_id > 1,
        is_guarded=lambda sighting: sighting.session_id in guarded,
    )
    store.sighted = [SessionSighting(number, f"worker-{number}", 1, 30.0, False) for number in (1, 2, 3)]
    assert await service.look() == 0.25
    assert [line.split()[1] for line in store.log if line.startswith("lost")] == ["worker-3"]
    del store.sighted[2]
    assert await service.look() == 0.25
    guarded.clear()
    await service.look()
    assert [line.split()[1] for line in store.log if line.startswith("lost")] == ["worker-3", "worker-2"]
    del store.sighted[1]
    assert await service.look() == 2.5


async def test_look_writes_down_evidence_when_runs_may_have_been_quarantined(frozen_clock: FrozenClock) -> None:
    """The evidence is written down right after a loss, and after a sweep what somebody else has declared lost."""
    store = ScriptedStore()
    service, _ = recovery(store, frozen_clock)
    await service.look()
    frozen_clock.advance(5)
    await service.look()
    assert store.quarantine.record_calls == 1
    store.quarantine.unrecorded = [1]
    store.reaped = [ReapedRun(1, 7, "QUARANTINED", 5)]
    frozen_clock.advance(30)
    await service.look()
    assert (store.quarantine.record_calls, store.quarantine.unrecorded) == (2, [])


async def test_look_forgets_old_answers_hourly(frozen_clock: FrozenClock) -> None:
    """Answers kept for repeated requests are removed once an hour."""
    store = ScriptedStore()
    service, _ = recovery(store, frozen_clock)
    for _ in range(3):
        await service.look()
        frozen_clock.advance(1801)
    assert store.log.count("remove expired") == 2
