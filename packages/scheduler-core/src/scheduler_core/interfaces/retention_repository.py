"""Finished runs are kept for a time."""

from datetime import datetime
from typing import Protocol


class RetentionRepository(Protocol):
    """Removes what is old in bounded batches, without waiting for or blocking live work."""

    async def remove_finished(
        self,
        *,
        keep_seconds: float | None,
        keep_runs: int | None,
        after_task_id: int,
        tasks: int,
        limit: int,
        now: datetime | None = None,
    ) -> tuple[int | None, int]:
        """Remove up to `limit` finished runs, with their attempts, logs and edges, of up to `tasks` tasks.

        A task's own `keep_seconds` and `keep_runs` go before the given ones; None keeps for ever. Runs of flows that
        have not ended, that others wait for, or that are not settled are kept. Returns (the last task that is done,
        None after the last of all; how many runs were removed).
        """
