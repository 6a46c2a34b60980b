"""The task types that somebody can run."""

from functools import cached_property
from importlib.metadata import entry_points

from scheduler_core.decisions.parameter_rules import BUILT_IN_TASK_TYPES
from scheduler_core.interfaces import Store
from scheduler_core.models import FLOW_TASK_TYPE

_SESSIONS_MAX = 1000


class KnownTaskTypes:
    """The built-in types, those of executors installed here, and those of workers that are alive."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @cached_property
    def installed(self) -> frozenset[str]:
        """Types that need no look at the workers; flow among them, which needs no executor."""
        return (
            BUILT_IN_TASK_TYPES | {FLOW_TASK_TYPE} | {entry.name for entry in entry_points(group="scheduler.executors")}
        )

    async def covering(self, task_types: set[str]) -> frozenset[str]:
        """Known types, enough of them to judge `task_types`: workers are asked only when one is not installed."""
        if task_types <= self.installed:
            return self.installed
        async with self._store.autocommit() as work:
            sessions = await work.worker_sessions.page(alive_only=True, limit=_SESSIONS_MAX)
        return self.installed.union(*(session.task_types for session in sessions))
