"""What the whole system looks like at one moment."""

from datetime import datetime

import msgspec

from scheduler_core.models.dispatch import StreamClass


class SystemStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by status, live sessions with their places, and how late the oldest claimable run is."""

    now: datetime
    tasks_by_status: dict[str, int]
    runs_active_by_status: dict[str, int]
    runs_finished_last_hour_by_status: dict[str, int]
    workers_alive: int
    places_total: int
    places_taken: int
    oldest_dispatched_seconds: float | None
    oldest_due_schedule_seconds: float | None


class DispatchStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Gated runs by the class of their streams, and by (namespace, name) of a limit held permits and waiting runs."""

    waiting_by_class: dict[StreamClass, int]
    claimable_by_class: dict[StreamClass, int]
    limits: dict[tuple[str, str], tuple[int, int]]


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A stored key; the secret itself is shown once, when it is made."""

    id: int
    name: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class StoredResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that a request with an Idempotency-Key got the first time."""

    request_hash: str
    status_code: int
    body: str
