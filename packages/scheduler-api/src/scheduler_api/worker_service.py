"""Looks at workers, and tells them to take nothing new, or runs again."""

from typing import TypeVar

import msgspec

from scheduler_api.transactions import Transactions
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.errors import WorkerNotFoundError
from scheduler_core.interfaces import Clock, Store, UnitOfWork
from scheduler_core.models import SessionState, WorkerSession
from scheduler_core.models.worker import WorkerDetail

_ID_LENGTH_MAX = 200

_Session = TypeVar("_Session", bound=WorkerSession)


class WorkerService:
    """What can be done with workers; one is named by its worker id, or by the id of any of its sessions."""

    def __init__(self, store: Store, clock: Clock, ringer: WorkRinger) -> None:
        self._store = store
        self._ringer = ringer
        self._transactions = Transactions(store, clock)

    async def page(self, *, alive_only: bool, before_id: int | None, limit: int) -> list[WorkerSession]:
        """Sessions, newest first, with the queues that they share; the own queue of each says nothing to anybody."""
        async with self._store.autocommit() as work:
            sessions = await work.worker_sessions.page(alive_only=alive_only, before_id=before_id, limit=limit)
        return [_with_shared_queues(session) for session in sessions]

    async def get(self, reference: str) -> WorkerDetail:
        """The newest session of a worker and what it runs; raises WorkerNotFoundError."""
        async with self._store.autocommit() as work:
            session = await work.worker_sessions.newest(_checked(reference))
            runs = await work.worker_sessions.held_by(session.id)
        return _with_shared_queues(WorkerDetail(**msgspec.structs.asdict(session), runs=tuple(runs)))

    async def drain(self, reference: str) -> WorkerSession:
        """Let a worker start nothing new from this answer on, also in later sessions; raises WorkerNotFoundError."""
        return await self._set_drained(reference, True)

    async def resume(self, reference: str) -> WorkerSession:
        """Let it take runs again, at once; raises WorkerNotFoundError."""
        return await self._set_drained(reference, False)

    async def _set_drained(self, reference: str, drained: bool) -> WorkerSession:
        async def act(work: UnitOfWork) -> WorkerSession:
            worker = await work.worker_sessions.newest(_checked(reference))
            await work.worker_sessions.drain(worker.worker_id, drained)
            return await work.worker_sessions.newest(worker.worker_id)

        session = await self._transactions.run(act)
        if session.state is SessionState.ALIVE and not drained:
            await self._ringer.ring_sessions([session.id])
        # There is room for runs that take turns, or some that were meant for this worker have to go elsewhere.
        await self._ringer.ring_dispatchers()
        return _with_shared_queues(session)


def _checked(reference: str) -> str:
    if len(reference) > _ID_LENGTH_MAX or "\0" in reference:
        raise WorkerNotFoundError(reference.replace("\0", ""))
    return reference


def _with_shared_queues(session: _Session) -> _Session:
    shared = tuple(queue for queue in session.queues if not queue.startswith("@"))
    return msgspec.structs.replace(session, queues=shared)
