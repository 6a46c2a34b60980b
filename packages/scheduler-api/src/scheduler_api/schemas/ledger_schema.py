"""The ledger of slots in answers."""

from datetime import datetime

import msgspec

from scheduler_core.models import TaskStatus
from scheduler_core.models.ledger import LedgerEntry, LedgerReport


class LedgerPage(msgspec.Struct, kw_only=True):
    """Entries of a task's ledger, oldest first."""

    items: list[LedgerEntry]
    next_cursor: str | None


class VerifiedTask(LedgerReport, frozen=True, kw_only=True):
    """What the verification of a task's ledger saw."""

    task_id: int
    task_name: str
    namespace: str
    status: TaskStatus


class VerificationPage(msgspec.Struct, kw_only=True, rename={"start": "from", "end": "to"}):
    """Verified ledgers in ascending task id order.

    A task with very many entries goes on with the next page: what its items say adds up. `from` null: from where the
    ledger begins. `checked_at` is the database's clock.
    """

    items: list[VerifiedTask]
    next_cursor: str | None
    start: datetime | None
    end: datetime
    checked_at: datetime
