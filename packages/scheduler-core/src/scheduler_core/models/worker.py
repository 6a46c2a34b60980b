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
    python_version: str = ""


class WorkerSession(msgspec.Struct, frozen=True, kw_only=True):
    """A stored session as users see it; `running` is how many runs it holds now.

    `drain_requested`: somebody told the worker to take nothing new until it is resumed; `draining` is so for that
    reason or because the worker is coming to its end. `load` is what it last reported of its host, numbers by name.
    """

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
    drain_requested: bool = False
    load: dict[str, float] = {}
    python_version: str = ""


class RunOnWorker(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a session holds now."""

    run_id: int
    task_name: str
    namespace: str
    attempt: int
    started_at: datetime
    cancel_requested: bool
    paused_at: datetime | None = None


class WorkerDetail(WorkerSession, frozen=True, kw_only=True):
    """A worker's newest session with the runs that it holds, the oldest first, the first hundred of them."""

    runs: tuple[RunOnWorker, ...]


class HeldRun(msgspec.Struct, frozen=True):
    """A run that the database says the session holds, told at each renewal."""

    run_id: int
    attempt: int
    cancel_requested: bool
    pause_requested: bool = False


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
