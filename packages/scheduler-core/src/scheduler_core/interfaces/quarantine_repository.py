"""Runs that took their workers with them too often."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from scheduler_core.models.quarantine import QuarantineDecision, QuarantinedRun


class QuarantineRepository(Protocol):
    """Quarantined runs and what was decided of them."""

    async def record(self, limit: int) -> list[int]:
        """Write down the evidence of up to `limit` QUARANTINED runs that have none yet; returns their ids."""

    async def get(self, run_id: int) -> QuarantinedRun:
        """One run with its evidence; raises NotFoundError when it is not QUARANTINED."""

    async def page(
        self, *, namespace: str | None = None, open_only: bool = True, before_id: int | None = None, limit: int = 50
    ) -> list[QuarantinedRun]:
        """A page, newest first; `open_only` leaves out those that were decided."""

    async def decide(
        self,
        run_ids: Sequence[int],
        decision: QuarantineDecision,
        released_run_id: int | None = None,
        now: datetime | None = None,
    ) -> list[int]:
        """Write down a decision; returns the runs for which none had been made before."""
