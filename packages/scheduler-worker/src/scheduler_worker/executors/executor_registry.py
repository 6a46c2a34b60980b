"""Which task types this worker can carry out."""

import contextlib
import logging
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from scheduler_core.config import Settings
from scheduler_core.interfaces import TaskExecutor
from scheduler_worker.containment import supervision

GROUP = "scheduler.executors"

logger = logging.getLogger("scheduler.worker")


class ExecutorRegistry:
    """Executors by task type, found by entry points and made when first needed.

    A class with a `from_settings(settings)` is made with it, any other without arguments. One whose
    `is_enabled(settings)` says no is not offered, for its operator does not want it. A plug-in that cannot be
    loaded or made is reported with its distribution and left out.
    """

    def __init__(self, settings: Settings, entries: Iterable[EntryPoint] | None = None) -> None:
        self._settings = settings
        self._classes: dict[str, Any] = {}
        self._executors: dict[str, TaskExecutor] = {}
        for entry in sorted(entry_points(group=GROUP) if entries is None else entries, key=lambda entry: entry.name):
            try:
                loaded = _loaded(entry)
                if not hasattr(loaded, "is_enabled") or loaded.is_enabled(settings):
                    self._classes[entry.name] = loaded
            except Exception as error:  # a plug-in may fail in any way
                owner = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"
                logger.warning(
                    "The executor for task type '%s' of %s cannot be loaded and is left out: %s: %s. Reinstall or "
                    "remove that distribution.", entry.name, owner, type(error).__name__, error,
                )  # fmt: skip

    @property
    def task_types(self) -> list[str]:
        """The types that can be carried out, in ascending order; makes the executors, so that none is missing later."""
        return [name for name in sorted(self._classes) if self.get(name) is not None]

    def get(self, task_type: str) -> TaskExecutor | None:
        """The executor for a type; None when there is none that works."""
        executor = self._executors.get(task_type)
        if executor is None and task_type in self._classes:
            made = self._classes[task_type]
            try:
                executor = made.from_settings(self._settings) if hasattr(made, "from_settings") else made()
            except Exception:  # a plug-in may fail in any way
                logger.exception("The executor for task type '%s' cannot be made and is left out.", task_type)
                del self._classes[task_type]
                return None
            self._executors[task_type] = executor
        return executor

    def kill_now(self) -> None:
        """Kill every child process of every executor at once, from any thread."""
        for executor in list(self._executors.values()):
            try:
                executor.kill_now()
            except Exception:  # the children of the others must die all the same
                logger.exception("executor did not kill its children")

    def lease_extended(self, deadline: float) -> None:
        """Every child process dies at this monotonic second unless a later one is told by then, from any thread."""
        supervision.lease_extended(deadline)

    async def close(self) -> None:
        """Close all executors; nothing is executing any more."""
        async with contextlib.AsyncExitStack() as stack:
            for executor in self._executors.values():
                stack.push_async_callback(executor.close)
        self._executors.clear()


def _loaded(entry: EntryPoint) -> Any:
    loaded = entry.load()
    missing = [word for word in ("check", "execute", "kill_now", "close") if not hasattr(loaded, word)]
    if missing:
        raise TypeError(f"{entry.value} is not a task executor (it lacks {', '.join(missing)})")
    return loaded
