"""Quarantined runs in answers; a single one is written as core's QuarantinedRun."""

import msgspec

from scheduler_core.models.quarantine import QuarantinedRun


class QuarantinePage(msgspec.Struct, kw_only=True):
    """Quarantined runs, newest first."""

    items: list[QuarantinedRun]
    next_cursor: str | None
