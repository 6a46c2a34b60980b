"""The way of gated runs from PENDING to a worker: keyed, sorted into streams, let through a small window."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from scheduler_core.models.dispatch_options import DispatchOptions
from scheduler_core.models.flow import Lane
from scheduler_core.models.limit import LimitKeyState


class GatedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A locked run that waits for nothing but its turn; `parameters` are the version's with the run's own over them.

    `limit_keys` are the expressions of the limits that its task names, `limit_names` their names, in the order of their
    ids. `has_item`: it is a run of a map, for `item`.
    """

    id: int
    task_id: int
    task_version_id: int
    task_name: str
    namespace: str
    queue: str
    task_type: str
    priority: int
    parameters: dict[str, Any]
    options: DispatchOptions
    is_background: bool = False
    item: Any = None
    has_item: bool = False
    shard_index: int | None = None
    shard_total: int | None = None
    scheduled_at: datetime
    attempt: int = 0
    flow_id: int
    limit_ids: tuple[int, ...] = ()
    limit_names: tuple[str, ...] = ()
    limit_keys: tuple[str | None, ...] = ()


class StreamKey(msgspec.Struct, frozen=True, kw_only=True, order=True, omit_defaults=True):
    """What makes runs interchangeable to the dispatcher: runs of equal keys are one stream, first come first served.

    `limits` are (limit id, value of its key). `hash_value` chooses the worker under consistent_hash.
    """

    queue: str
    task_type: str
    background: bool = False
    fairness_key: str | None = None
    weight: float = 1.0
    limits: tuple[tuple[int, str], ...] = ()
    strategy: str | None = None
    required_tags: tuple[str, ...] = ()
    preferred_tags: tuple[str, ...] = ()
    forbidden_tags: tuple[str, ...] = ()
    resources: tuple[tuple[str, float], ...] = ()
    hash_value: str | None = None


class KeyedRun(msgspec.Struct, frozen=True, kw_only=True):
    """The stream that a run belongs to, or why its keys cannot be evaluated: it is FAILED with that.

    `version_id` is named where the stream is that of all runs of that version of the task.
    """

    run_id: int
    version_id: int | None = None
    stream: StreamKey | None = None
    error: str | None = None


class StreamClass(StrEnum):
    """Which window the runs of a stream go through."""

    PLAIN = "PLAIN"
    """By priority and age."""
    FAIR = "FAIR"
    """Keys in turn, by weight."""
    BACKGROUND = "BACKGROUND"
    """After all others, but for the guaranteed share; among themselves in turn."""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream with runs that wait or are claimable, as the window is decided from it.

    `head_at` and `head_id` are the claim_at and the id of its first waiting run, None when none waits. `claimable` and
    `running` are its runs in these states, `far` those of the claimable ones that come after all others.
    `virtual_time` is its fairness key's.
    """

    id: int
    key: StreamKey
    limit_key_ids: tuple[int, ...] = ()
    fairness_id: int | None = None
    virtual_time: float = 0.0
    head_at: datetime | None = None
    head_id: int | None = None
    claimable: int = 0
    far: int = 0
    running: int = 0

    @property
    def lane(self) -> Lane:
        """What a worker must take."""
        return Lane(self.key.queue, self.key.task_type)

    @property
    def stream_class(self) -> StreamClass:
        """Its window."""
        if self.key.background:
            return StreamClass.BACKGROUND
        return StreamClass.PLAIN if self.key.fairness_key is None else StreamClass.FAIR


class WorkerView(msgspec.Struct, kw_only=True):
    """A live session as strategies see it. Who assigns runs keeps `assigned`, `used` and `turn` up to date.

    `running` runs are carried out, `assigned` ones are given to it and not claimed yet. `resources` are all it has,
    `used` is what running and assigned runs take of them. `turn` is greater the later it was last chosen, 0: never.
    `recent_types` are the task types that it runs or was given lately. `ahead` is how many runs beyond its places it
    would take within the moment that a decision needs. The last one of the running runs began `newest_seconds` ago.
    `takes_grants`: it claims runs that are granted to it by name; a worker of an earlier version does not.
    """

    session_id: int
    worker_id: str
    queues: frozenset[str]
    task_types: frozenset[str]
    tags: frozenset[str] = frozenset()
    places: int = 1
    running: int = 0
    assigned: int = 0
    resources: dict[str, float] = {}
    used: dict[str, float] = {}
    turn: int = 0
    recent_types: frozenset[str] = frozenset()
    ahead: int = 0
    newest_seconds: float = 0.0
    takes_grants: bool = True

    @property
    def free(self) -> int:
        """Places that nothing is given to; never below 0."""
        return max(0, self.places - self.running - self.assigned)

    @property
    def room(self) -> int:
        """How many runs more can be given to it now: for free places, and ahead; never below 0."""
        return max(0, self.places + self.ahead - self.running - self.assigned)

    @property
    def takes_more(self) -> bool:
        """Whether it has a free place, or will have one by the time that a run which is given to it now arrives."""
        return self.running + self.assigned < self.places + self.ahead

    @property
    def load(self) -> float:
        """The share of its places that are taken."""
        return (self.running + self.assigned) / self.places


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a strategy finds a worker for."""

    run_id: int
    stream: StreamKey


class WindowWork(msgspec.Struct, frozen=True, kw_only=True):
    """What the window has to do: runs to be sorted into streams, and streams with waiting or claimable runs.

    `has_grants`: runs are granted and not taken, or were when they went another way.
    `seconds_to_next` is until the next gated run is due, None when none waits for its time.
    """

    has_unsorted: bool
    has_streams: bool
    has_grants: bool
    seconds_to_next: float | None = None


class WindowFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides which waiting runs become claimable now.

    `clocks` are how far the fairness of (queue, background) is. `workers` are in ascending order of session id.
    """

    now: datetime
    streams: tuple[Stream, ...]
    limit_keys: tuple[LimitKeyState, ...] = ()
    clocks: dict[tuple[str, bool], float] = {}
    workers: tuple[WorkerView, ...] = ()


class TakenBack(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs were taken back from a session, and whether it had let one wait too long although it had room."""

    session_id: int
    runs: int
    is_missed: bool


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A run that becomes claimable: of whom (None: of any worker of its lane), and in which order.

    `granted_of` is the stream of a run that is granted to its session: named to it, without being written.
    """

    run_id: int
    claim_at: datetime
    session_id: int | None = None
    granted_of: int | None = None


class WindowPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is decided: runs to release, virtual times by fairness id and by (queue, background), when to look again.

    `seconds_to_next` is until a rate lets the next run go, 0 where there was more to release than was asked for, None
    where neither is so.
    """

    releases: tuple[Release, ...] = ()
    virtual_times: dict[int, float] = {}
    clocks: dict[tuple[str, bool], float] = {}
    seconds_to_next: float | None = None
