"""Looks at workers."""

import msgspec

from scheduler_core.interfaces import Store
from scheduler_core.models import WorkerSession


class WorkerService:
    """What can be asked about workers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(self, *, alive_only: bool, before_id: int | None, limit: int) -> list[WorkerSession]:
        """Sessions, newest first, with the queues that they share; the own queue of each says nothing to anybody."""
        async with self._store.autocommit() as work:
            sessions = await work.worker_sessions.page(alive_only=alive_only, before_id=before_id, limit=limit)
        return [_with_shared_queues(session) for session in sessions]


def _with_shared_queues(session: WorkerSession) -> WorkerSession:
    shared = tuple(queue for queue in session.queues if not queue.startswith("@"))
    return msgspec.structs.replace(session, queues=shared)
