"""The beginning of a worker session."""

import logging
from collections.abc import Mapping
from typing import NamedTuple

from scheduler_core.errors import WorkerIdTakenError
from scheduler_core.interfaces import Clock, Store
from scheduler_core.models import NewWorkerSession
from scheduler_core.runtime.process_identity import ProcessIdentity, is_dead, is_guarded
from scheduler_worker.lease import Lease

logger = logging.getLogger("scheduler.worker")

_TRIES_MAX = 3
# How long the end of a dead process's jobs is waited for, which is more than it takes to kill them, and how often is
# looked.
_GUARDED_SECONDS = 15.0
_PAUSE_SECONDS = 0.05


class OpenedSession(NamedTuple):
    """A session's id and its lease, of which this process knows when it was asked for."""

    id: int
    lease: Lease


async def open_session(store: Store, session: NewWorkerSession, clock: Clock) -> OpenedSession:
    """Begin a session, at once also when its worker id is held by a process of this host that is dead.

    A former session of this very process counts as dead: its jobs have been killed. The end of another one's is waited
    for. Raises WorkerIdTakenError when another process lives with this id, or one on a host that cannot be looked at,
    and when the jobs of a dead one do not end; StoreUnavailableError.
    """
    patience_ends = clock.monotonic() + _GUARDED_SECONDS
    for tries_left in reversed(range(_TRIES_MAX)):
        requested_at = clock.monotonic()
        try:
            async with store.autocommit() as work:
                session_id = await work.worker_sessions.open(session)
            return OpenedSession(session_id, Lease(session.lease_seconds, requested_at))
        except WorkerIdTakenError as error:
            until = min(patience_ends, clock.monotonic() + error.seconds_left)
            if not tries_left or not await _declare_dead(store, session, clock, until):
                raise
    raise AssertionError("the last try returns or raises")


async def _declare_dead(store: Store, session: NewWorkerSession, clock: Clock, until: float) -> bool:
    """Whether it is worth trying again: the holder is gone, or it was this or a dead process.

    That is LOST now, unless its jobs have not ended by `until`: its lease may have, meanwhile.
    """
    async with store.autocommit() as work:
        holder = await work.worker_sessions.alive_with_id(session.worker_id)
    if holder is None:
        return True
    if not _is_own(holder, session):
        if not is_dead(*_process_of(holder)):
            return False
        if not await _jobs_have_ended(holder, clock, until):
            return True
    async with store.autocommit() as work:
        await work.worker_sessions.declare_lost(holder.worker_id, holder.pid, holder.process_started_at)
    logger.warning("former session of a dead process ended", extra={"worker_id": holder.worker_id, "pid": holder.pid})
    return True


def _is_own(holder: NewWorkerSession, session: NewWorkerSession) -> bool:
    return bool(holder.boot_id) and _process_of(holder) == _process_of(session)


def _process_of(session: NewWorkerSession) -> tuple[str, str, int, int]:
    return session.hostname, session.boot_id, session.pid, session.process_started_at


async def _jobs_have_ended(holder: NewWorkerSession, clock: Clock, until: float) -> bool:
    """Wait until nobody is there any more who ends the jobs of a dead process; False: that takes too long."""
    while is_guarded(holder.pid, holder.process_started_at):
        if clock.monotonic() >= until:
            return False
        await clock.sleep(_PAUSE_SECONDS)
    return True


def new_session(
    identity: ProcessIdentity,
    *,
    worker_id: str,
    queues: tuple[str, ...],
    task_types: tuple[str, ...],
    places: int,
    lease_seconds: float,
    version: str,
    python_version: str = "",
    tags: tuple[str, ...] = (),
    resources: Mapping[str, float] | None = None,
) -> NewWorkerSession:
    """What this process says of itself when it begins."""
    return NewWorkerSession(
        worker_id=worker_id,
        hostname=identity.hostname,
        pid=identity.pid,
        boot_id=identity.boot_id,
        process_started_at=identity.started_at,
        queues=queues,
        task_types=task_types,
        places=places,
        lease_seconds=lease_seconds,
        version=version,
        python_version=python_version,
        tags=tags,
        resources=dict(resources or {}),
    )
