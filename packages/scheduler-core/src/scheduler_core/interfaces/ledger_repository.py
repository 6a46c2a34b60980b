"""What a store must tell about the ledger of slots; it is written by ScheduleRepository and TaskRunRepository."""

from datetime import datetime
from typing import Protocol

from scheduler_core.models.ledger import LedgerEntry, LedgerTask


class LedgerRepository(Protocol):
    """Reads the ledger.

    Who verifies it asks for tasks, then for the periods of their schedules, then for entries: then whatever is recorded
    meanwhile is either known to be expected or seen to be later.
    """

    async def tasks(
        self,
        *,
        namespace: str | None = None,
        from_id: int = 0,
        limit: int = 50,
        now: datetime | None = None,
    ) -> list[LedgerTask]:
        """Tasks with a schedule or a ledger, INACTIVE ones too, in ascending id order from `from_id` on."""

    async def entries(
        self,
        task_id: int,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
        newest: bool = False,
    ) -> list[LedgerEntry]:
        """The first entries that begin in [start, end), or the `newest` ones; oldest first either way."""

    async def entry_before(self, task_id: int, instant: datetime) -> LedgerEntry | None:
        """The last entry that begins before an instant."""
