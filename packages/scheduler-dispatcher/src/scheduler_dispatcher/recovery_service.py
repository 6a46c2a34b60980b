"""Runs of lost worker sessions are moved on."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from scheduler_core.interfaces import Clock, Store
from scheduler_core.models import ReapedRun, SessionSighting
from scheduler_core.runtime.process_identity import is_dead, is_guarded
from scheduler_dispatcher import dispatcher_metrics
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.session_observer import SessionObserver

logger = structlog.get_logger("scheduler.dispatcher")

# A renewal is noticed at most one scan late, and the verdict falls one lease later: scans this often keep the
# takeover well within five seconds of the lease's end.
_SCAN_SECONDS_MAX: Final = 2.5
_SCANS_PER_LEASE: Final = 12
# A verdict's moment is met a little late rather than a little early.
_MARGIN_SECONDS: Final = 0.02
# How soon a session is looked at again whose counter stood still for long enough while its lease still runs, or whose
# process is dead and whose jobs are being ended.
_RECHECK_SECONDS: Final = 0.25
_SWEEP_SECONDS: Final = 30.0
_HOUSEKEEPING_SECONDS: Final = 3600.0
_RECORDED_AT_ONCE: Final = 100


def process_is_dead(sighting: SessionSighting) -> bool:
    """Whether the session's process ran on this host, under this boot, and is not there any more."""
    return is_dead(sighting.hostname, sighting.boot_id, sighting.pid, sighting.process_started_at)


def jobs_are_guarded(sighting: SessionSighting) -> bool:
    """Whether there is still somebody on this host who ends the jobs of the session's process: some may be left."""
    return is_guarded(sighting.pid, sighting.process_started_at)


class RecoveryService:
    """Declares sessions lost, frees what they held, and forgets old answers to repeated requests.

    Of runs that are QUARANTINED by it the evidence is written down, also when somebody else has declared the loss.

    A session is lost when its lease says so (see SessionObserver), or, without waiting for that, when `is_dead` knows
    that its process has ended, and `is_guarded` of nobody on its host who has still to end its jobs.
    """

    name = "recovery"
    spacing_seconds = 0.25

    def __init__(
        self,
        store: Store,
        ringer: Ringer,
        clock: Clock,
        observer: SessionObserver | None = None,
        is_dead: Callable[[SessionSighting], bool] = process_is_dead,
        is_guarded: Callable[[SessionSighting], bool] = jobs_are_guarded,
    ) -> None:
        self._is_dead = is_dead
        self._is_guarded = is_guarded
        self._store = store
        self._ringer = ringer
        self._clock = clock
        self._observer = observer or SessionObserver()
        self._next_sweep = clock.monotonic()
        self._next_housekeeping = clock.monotonic()

    async def look(self) -> float:
        """Look at all live sessions; see Service."""
        asked_at = self._clock.monotonic()
        async with self._store.autocommit() as work:
            sightings = await work.worker_sessions.sightings()
            ended = [sighting for sighting in sightings if self._is_dead(sighting)]
            dead = [sighting for sighting in ended if not self._is_guarded(sighting)]
            for sighting in dead:
                await work.worker_sessions.declare_lost(sighting.worker_id, sighting.pid, sighting.process_started_at)
            lost = self._observer.observe(sightings, asked_at, self._clock.monotonic())
            is_sweep = asked_at >= self._next_sweep
            reaped = await work.worker_sessions.reap(lost) if lost or is_sweep else []
            if lost or dead:
                # A claim that was in flight may have been committed after the reaper looked: the next scan finds it.
                self._next_sweep = asked_at
            elif is_sweep:
                self._next_sweep = asked_at + _SWEEP_SECONDS
            if asked_at >= self._next_housekeeping:
                await work.idempotency.remove_expired()
                self._next_housekeeping = asked_at + _HOUSEKEEPING_SECONDS
        if lost or reaped or dead:
            _tell(sightings, [*lost, *(sighting.session_id for sighting in dead)], reaped)
            await self._ringer.ring_dispatchers()
        if lost or reaped or dead or is_sweep:
            await self._record_evidence()
        scan = self._seconds_to_next_scan(sightings)
        return min(scan, _RECHECK_SECONDS) if len(dead) < len(ended) else scan

    async def _record_evidence(self) -> None:
        async with self._store.autocommit() as work:
            run_ids = await work.quarantine.record(_RECORDED_AT_ONCE)
        for run_id in run_ids:
            logger.warning("run quarantined", run_id=run_id)

    def _seconds_to_next_scan(self, sightings: Sequence[SessionSighting]) -> float:
        shortest_lease = min((sighting.lease_seconds for sighting in sightings), default=float("inf"))
        scan = min(_SCAN_SECONDS_MAX, shortest_lease / _SCANS_PER_LEASE)
        verdict = self._observer.seconds_to_verdict(sightings, self._clock.monotonic())
        if verdict is None:
            return scan
        return min(scan, verdict + _MARGIN_SECONDS if verdict > 0 else _RECHECK_SECONDS)


def _tell(sightings: Sequence[SessionSighting], lost: Sequence[int], reaped: Sequence[ReapedRun]) -> None:
    worker_ids = {sighting.session_id: sighting.worker_id for sighting in sightings}
    for session_id in lost:
        held = sum(run.session_id == session_id for run in reaped)
        logger.warning("worker lost", worker_id=worker_ids[session_id], session_id=session_id, runs=held)
    dispatcher_metrics.sessions_lost.add(len(lost))
    for run in reaped:
        dispatcher_metrics.runs_recovered.add(1, {"status": run.status})
