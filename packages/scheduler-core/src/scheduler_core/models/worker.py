"""A worker and its sessions: one session is one life of one worker process."""

from datetime import datetime
from enum import StrEnum

import msgspec


class SessionState(StrEnum):
    """ALIVE holds a lease; LOST was declared dead by a dispatcher; ENDED said goodbye."""

    ALIVE = "ALIVE"
    LOST = "LOST"
    ENDED = "ENDED"


class NewWorkerSession(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of itself when it begins.

    `places` is how many runs it can hold at once. (`boot_id`, `pid`, `process_started_at`) name the process
    beyond doubt on its host; the last is in clock ticks since boot. Tasks name `tags` that a worker
    must or must not have, and amounts of its `resources`.
    """

    worker_id: str
    hostname: str
    pid: int
    boot_id: str
    process_started_at: int
    queues: tuple[str, ...]
    task_types: tuple[str, ...]
    places: int
    lease_seconds: float
    version: str
    tags: tuple[str, ...] = ()
    resources: dict[str, float] = {}


class WorkerSession(msgspec.Struct, frozen=True, kw_only=True):
    """A stored session as users see it; `running` is how many runs it holds now."""

    id: int
    worker_id: str
    hostname: str
    pid: int
    state: SessionState
    draining: bool
    queues: tuple[str, ...]
    task_types: tuple[str, ...]
    places: int
    running: int
    lease_seconds: float
    lease_expires_at: datetime
    version: str
    started_at: datetime
    last_heartbeat_at: datetime
    ended_at: datetime | None
    tags: tuple[str, ...] = ()
    resources: dict[str, float] = {}


class HeldRun(msgspec.Struct, frozen=True):
    """A run that the database says the session holds, told at each renewal."""

    run_id: int
    attempt: int
    cancel_requested: bool


class SessionSighting(msgspec.Struct, frozen=True):
    """What an observer sees of a live session: `lease_expired` is judged by the database's clock.

    The process is named as in NewWorkerSession, so that an observer on the same host can see whether it lives.
    """

    session_id: int
    worker_id: str
    renewals: int
    lease_seconds: float
    lease_expired: bool
    hostname: str = ""
    boot_id: str = ""
    pid: int = 0
    process_started_at: int = 0


class ReapedRun(msgspec.Struct, frozen=True):
    """A run taken from a lost session and where it went."""

    run_id: int
    session_id: int
    status: str
    losses: int
