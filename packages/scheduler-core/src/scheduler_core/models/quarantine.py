"""Runs that took their workers with them too often, and what is known of that."""

from datetime import datetime
from enum import StrEnum

import msgspec


class QuarantineDecision(StrEnum):
    """What was decided of a quarantined run."""

    RELEASED = "RELEASED"
    """A new run was made in its place."""
    DISCARDED = "DISCARDED"
    """It is left as it is."""


class LossEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """One lost attempt: on which worker, how the loss was noticed, and the last lines that the run had written.

    `signal` is the one that ended the worker's process, where somebody has seen that.
    """

    attempt: int
    worker_id: str | None
    hostname: str | None
    started_at: datetime | None
    ended_at: datetime | None
    reason: str
    signal: str | None = None
    last_lines: tuple[str, ...] = ()


class QuarantinedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A QUARANTINED run, the evidence oldest first, and what was decided."""

    run_id: int
    task_id: int
    task_name: str
    namespace: str
    quarantined_at: datetime
    losses: int
    evidence: tuple[LossEvidence, ...]
    decision: QuarantineDecision | None = None
    decided_at: datetime | None = None
    released_run_id: int | None = None
