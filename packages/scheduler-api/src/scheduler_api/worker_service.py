"""Looks at workers."""

from scheduler_core.interfaces import Store
from scheduler_core.models import WorkerSession


class WorkerService:
    """What can be asked about workers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(self, *, alive_only: bool, before_id: int | None, limit: int) -> list[WorkerSession]:
        """Sessions, newest first."""
        async with self._store.autocommit() as work:
            return await work.worker_sessions.page(alive_only=alive_only, before_id=before_id, limit=limit)
