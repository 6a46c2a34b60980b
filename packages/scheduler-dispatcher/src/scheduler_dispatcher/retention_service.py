"""Finished runs that were kept for long enough are removed."""

from typing import Final

import structlog

from scheduler_core.interfaces import Clock, Store
from scheduler_dispatcher import dispatcher_metrics

logger = structlog.get_logger("scheduler.dispatcher")

_TASKS_AT_ONCE: Final = 100
_RUNS_AT_ONCE: Final = 1000
# Between two batches others have the database to themselves.
_PAUSE_SECONDS: Final = 0.1


class RetentionService:
    """Goes through all tasks, batch by batch, and begins anew when the interval has passed."""

    name = "retention"
    spacing_seconds = 0.25

    def __init__(
        self, store: Store, clock: Clock, *, keep_seconds: float | None, keep_runs: int | None, interval_seconds: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._keep_seconds = keep_seconds
        self._keep_runs = keep_runs
        self._interval_seconds = interval_seconds
        self._next_look = clock.monotonic()
        self._after_task_id = 0
        self._removed = 0

    async def look(self) -> float:
        """Remove one batch; see Service. Rings are nothing to it."""
        wait = self._next_look - self._clock.monotonic()
        if wait > 0:
            return wait
        async with self._store.autocommit() as work:
            done, removed = await work.retention.remove_finished(
                keep_seconds=self._keep_seconds,
                keep_runs=self._keep_runs,
                after_task_id=self._after_task_id,
                tasks=_TASKS_AT_ONCE,
                limit=_RUNS_AT_ONCE,
            )
        self._removed += removed
        dispatcher_metrics.runs_removed.add(removed)
        self._after_task_id = done or 0
        pause = _PAUSE_SECONDS if removed else 0.0
        if done is None:
            if self._removed:
                logger.info("old runs removed", runs=self._removed)
            self._removed = 0
            pause = self._interval_seconds
        self._next_look = self._clock.monotonic() + pause
        return pause
