"""What every store must do. Methods take and return batches; each promises its effect in one statement.

Every method belongs to a `UnitOfWork` (see unit_of_work). `now` is None in production, where the database's own
clock counts; tests and simulations pass an instant. All raise StoreUnavailableError when the store is away.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from scheduler_core.interfaces.repository_answer import (
    FoundLines,
    HoldingSession,
    LateRuns,
    Settlement,
    SingleAnswer,
    StandingSchedule,
)
from scheduler_core.models import (
    ApiKey,
    ClaimedRun,
    CommitRing,
    CreatedRun,
    DueSchedule,
    FinishedRun,
    FlowRequest,
    HeldRun,
    Lane,
    LogFilter,
    NewWorkerSession,
    PauseReport,
    ReapedRun,
    RunChange,
    RunKey,
    RunLogEntry,
    RunNews,
    RunProgress,
    RunStatistics,
    ScheduleAdvance,
    SchedulePeriod,
    SessionSighting,
    SingleRun,
    SkippedSlots,
    Slot,
    StoredResponse,
    SystemStatistics,
    Task,
    TaskDefinition,
    TaskGraph,
    TaskReference,
    TaskRun,
    TaskRunStatus,
    TaskStatus,
    TaskVersion,
    WorkerSession,
)
from scheduler_core.models.dispatch import StreamClass
from scheduler_core.models.task_link import TaskLink
from scheduler_core.models.worker import RunOnWorker


class TaskRepository(Protocol):
    """Definitions and their versions."""

    async def create(
        self,
        definitions: Sequence[TaskDefinition],
        next_due: Sequence[datetime | None],
        now: datetime | None = None,
    ) -> list[Task]:
        """Store new tasks, in order, with the next due instant of each (None: no schedule or none left).

        Raises TaskNameTakenError. Dependencies are names; TaskNotFoundError names the first missing one.
        A schedule counts from `now` on, or from just before its next due instant where that has passed already.
        """

    async def update(
        self,
        task_ids: Sequence[int],
        definitions: Sequence[TaskDefinition],
        next_due: Sequence[datetime | None],
        now: datetime | None = None,
    ) -> list[Task]:
        """Give each task a new version. The name may change; raises TaskNameTakenError, TaskNotFoundError.

        Runs of it that nobody has claimed take the new version, queue, priority and type at once (what was
        answered holds for what starts later). `next_due` counts for schedules that are new or changed: one that
        stays keeps its place. The former schedule counts until `now`, the new one from then on: what passed of the
        former one is to be recorded before (see ScheduleRepository.lock).
        """

    async def get(self, reference: TaskReference, namespace: str) -> Task:
        """The task with this id or name; raises TaskNotFoundError. An id finds INACTIVE tasks too, a name does not."""

    async def get_many(self, names: Sequence[str], namespace: str) -> list[Task]:
        """The ACTIVE or PAUSED tasks with these names, in ascending id order; names without a task are left out."""

    async def page(
        self,
        namespace: str | None,
        *,
        after_id: int = 0,
        limit: int = 50,
        status: TaskStatus | None = None,
        name_contains: str | None = None,
    ) -> list[Task]:
        """A page in ascending id order, starting after `after_id`; INACTIVE ones only when asked for by status."""

    async def set_status(self, task_ids: Sequence[int], status: TaskStatus, now: datetime | None = None) -> list[Task]:
        """Move tasks to a status and answer when it holds: no run admitted before starts after this commits.

        PAUSED and INACTIVE send their DISPATCHED runs back to PENDING (PAUSED) or to CANCELLED (INACTIVE, which
        cancels their PENDING runs too) and stop their schedules; those of INACTIVE ones count until `now`. ACTIVE does
        not plan the next slots: see ScheduleRepository.record.
        """

    async def dependents_of(self, task_id: int) -> list[str]:
        """Names of the tasks, not INACTIVE, that depend directly on this one, in ascending order."""

    async def links_around(self, task_ids: Sequence[int]) -> list[TaskLink]:
        """Who waits for intervals of whom, and who runs whose flow, in ascending order.

        Of all tasks, not INACTIVE, that are connected with these in any way, over however many others.
        """

    async def graph(self, namespace: str) -> TaskGraph:
        """All tasks of a namespace that are not INACTIVE."""

    async def lock_graph_of(self, root_ids: Sequence[int]) -> TaskGraph:
        """The roots, everything downstream of them, and all their ancestors, locked against change until commit.

        The lock is shared: many may hold it, while update and set_status wait for them. This is what makes a
        birth status decided from the answer still true when it is committed.
        """


class ScheduleRepository(Protocol):
    """Due instants and the ledger of slots."""

    async def take_due(self, limit: int, now: datetime | None = None) -> list[DueSchedule]:
        """Lock up to `limit` schedules that are due and that no other dispatcher holds, oldest slot first."""

    async def record(self, advances: Sequence[ScheduleAdvance], skipped: Sequence[SkippedSlots] = ()) -> None:
        """Move schedules on and write slots that get no run, in the transaction that took or locked them."""

    async def seconds_to_next(self, now: datetime | None = None) -> float | None:
        """Seconds by the database's clock until the next slot is due (0 when late); None when none is planned."""

    async def position(self, task_ids: Sequence[int]) -> list[ScheduleAdvance]:
        """Where the schedules of these tasks stand, in ascending order; tasks without one are left out."""

    async def lock(self, task_ids: Sequence[int], now: datetime | None = None) -> list[StandingSchedule]:
        """Lock these tasks and their schedules for a change, and say where the schedules stand, in ascending order.

        Until the commit no slot of them is taken, and none falls due before the `now` of the answer unseen. A task that
        is given its first schedule while this waits is left out: look at the task after changing it.
        """

    async def last_ends(self, task_ids: Sequence[int]) -> dict[int, datetime | None]:
        """From when the next slot of a fixed delay counts: the end of the latest slot's run, None while that is active.

        For a latest slot without a run it is the slot itself. Tasks whose present schedule has had no slot are left
        out.
        """

    async def slots(self, task_id: int, *, after: datetime | None = None, limit: int = 100) -> list[Slot]:
        """The ledger of a task in ascending order, starting after an instant."""

    async def periods(self, task_ids: Sequence[int]) -> list[SchedulePeriod]:
        """Which schedules of these tasks counted when, in ascending order of task and time."""


class TaskRunRepository(Protocol):
    """Runs, from creation to their end."""

    async def create_flows(self, requests: Sequence[FlowRequest], now: datetime | None = None) -> list[CreatedRun]:
        """Write all runs of the flows, their edges and (where asked) the root's slot.

        A request whose slot exists already makes nothing. Roots come first, in the order of the requests.
        The runs of `after_runs` are to be locked (see lock_active), and the root of such a plan is PENDING. A plan with
        runs that take over what earlier ones had (retry_of) is made alone and once.
        """

    async def create_single(
        self, wanted: Sequence[SingleRun], ring: CommitRing | None = None, ring_runs: int = 0
    ) -> SingleAnswer:
        """Write these runs in one statement and without a transaction around it, each in its place of the answer.

        With `ring` it rings as it commits: for `ring_runs` runs of the lane that the new ones have in common, the
        sessions that `ring_targets` and a choice among them would ring.

        None, and nothing is written, for a task that has another version by now, is not ACTIVE, or whose runs are not
        as simple as that: with others up- or downstream, gated, groups, conditional, or with a time-out in their
        queue. For those there is `create_flows`.
        """

    async def claim(
        self,
        session_id: int,
        lanes: Sequence[Lane],
        limit: int,
        now: datetime | None = None,
        *,
        has_grants: bool = False,
    ) -> list[ClaimedRun]:
        """Take up to `limit` runs of these lanes, or meant for or granted to this session, in the order of claims.

        `has_grants` saves a look where the last claim said so (`ClaimedRun.granted_left`); the answer is the same.

        A run with limits starts with a permit of each of them; where one has none left it waits for its turn again. The
        attempt is one higher afterwards. Raises SessionFencedError when the session is not alive; an empty list
        means that there is nothing to take. Its cost does not grow with runs of other lanes.
        """

    async def claim_along(
        self, session_id: int, lanes: Sequence[Lane], limit: int, now: datetime | None = None
    ) -> list[ClaimedRun]:
        """Take up to `limit` of the runs that `claim` would take, in one statement: for use within a transaction.

        Takes none that needs permits, none that is granted, and nothing that stands behind such a run. Raises
        SessionFencedError when the session is not alive.
        """

    async def versions(self, task_version_ids: Sequence[int]) -> list[TaskVersion]:
        """The immutable task versions with these ids, in any order."""

    async def finish(
        self, session_id: int, finished: Sequence[FinishedRun], now: datetime | None = None
    ) -> list[RunChange]:
        """Record outcomes of attempts that this session still holds; the others are left out of the answer.

        A flagged cancel turns FAILED, TIMEOUT and retries into CANCELLED. Returns where each accepted run went.
        Raises SessionFencedError when the session is not alive and nothing was recorded.
        """

    async def hand_back(
        self,
        session_id: int,
        runs: Sequence[RunKey],
        now: datetime | None = None,
        *,
        delay_seconds: float = 0.0,
    ) -> list[RunChange]:
        """Give up attempts without an outcome: back to PENDING (or CANCELLED when flagged), attempt not refunded.

        With `delay_seconds` they are offered again so much later, twice as much at each hand-back, a minute at most.
        """

    async def settle(self, limit: int, run_ids: Sequence[int] | None = None, now: datetime | None = None) -> Settlement:
        """Tell the runs and the schedules that wait for finished ones.

        With `run_ids` only these finished runs are looked at, else any that nobody has settled, `limit` at a time
        until some run is claimable or all are settled. A run none of whose upstreams can fulfil it any more becomes
        SKIPPED with its reason; what waits for that one follows. A schedule that awaits a finished run is planned,
        unless its task is not ACTIVE, also when a version that knows no such schedules has settled that run.
        """

    async def admit(self, limit: int, now: datetime | None = None) -> list[CreatedRun]:
        """Move up to `limit` PENDING runs with nothing left to wait for to DISPATCHED, oldest first.

        Runs of tasks that another transaction is changing wait for the next call, and do not hold up the others.
        """

    async def seconds_to_next(self, now: datetime | None = None) -> float | None:
        """Seconds by the database's clock until the next PENDING run's delay ends; None when none has one."""

    async def cancel(self, run_ids: Sequence[int], now: datetime | None = None) -> list[RunChange]:
        """Cancel runs: at once when nobody runs them, else by the flag that their worker sees.

        A group takes its runs with it and ends when they have. Final runs are left as they are; all ids that exist are
        answered with where they stand, PENDING for a group that waits for that.
        """

    async def ask_for_pause(self, run_id: int, *, pause: bool) -> HoldingSession | None:
        """Ask that a RUNNING run stands still, or goes on: its worker sees the flag. Any other is left as it is.

        None when there is no such run. One that is being cancelled is not asked to stand still.
        """

    async def report_pauses(
        self, session_id: int, reports: Mapping[RunKey, PauseReport], now: datetime | None = None
    ) -> None:
        """What has come of that, for attempts that this session still holds; of others nothing changes.

        What it stood still is no part of the time that all attempts together may take. Raises SessionFencedError.
        """

    async def give_up_late(self, limit: int, now: datetime | None = None) -> LateRuns:
        """End up to `limit` runs that should have been begun by now as TIMEOUT, and settle them.

        They waited too long for their first start, or the time of all their attempts is over.
        """

    async def seconds_to_late(self, now: datetime | None = None) -> float | None:
        """Seconds by the database's clock until the next run is to be given up so; None when none ever is."""

    async def active(self, task_ids: Sequence[int]) -> list[tuple[int, int]]:
        """The runs of these tasks that have not ended, as (task id, run id) in ascending order of the latter."""

    async def lock_active(self, task_ids: Sequence[int]) -> list[tuple[int, int]]:
        """The same, locked until the commit, and marked so that whoever waits for their end will be told of it."""

    async def sessions_of(self, run_ids: Sequence[int]) -> list[int]:
        """Ids of the sessions that hold any of these runs, or runs of these groups, now."""

    async def get(self, run_id: int) -> TaskRun:
        """One run; raises TaskRunNotFoundError."""

    async def keep(self, run_id: int) -> TaskRun:
        """The same, which nobody removes before the commit."""

    async def get_many(self, run_ids: Sequence[int]) -> list[TaskRun]:
        """The runs with these ids that exist, in ascending id order."""

    async def page(
        self,
        *,
        namespace: str | None = None,
        task_id: int | None = None,
        flow_id: int | None = None,
        group_id: int | None = None,
        statuses: Sequence[TaskRunStatus] = (),
        stale: bool = False,
        before_id: int | None = None,
        limit: int = 50,
    ) -> list[TaskRun]:
        """A page, newest (greatest id) first, of runs with an id below `before_id`.

        `stale` leaves only those that are stale and that no later run of their slot has replaced.
        """

    async def statistics(self, task_id: int, days: int, now: datetime | None = None) -> RunStatistics:
        """Counts and durations of a task's runs created in the last `days`."""


class RunLogRepository(Protocol):
    """The output of runs, and what they say of their progress."""

    async def append(self, session_id: int, entries: Sequence[RunLogEntry]) -> int:
        """Store output of attempts that this session still holds; returns how many entries were taken."""

    async def report_progress(
        self, session_id: int, progress: Mapping[RunKey, RunProgress], now: datetime | None = None
    ) -> int:
        """Store the progress of attempts that this session still holds; returns of how many it was taken."""

    async def read(
        self, run_id: int, *, after: tuple[int, int] = (0, 0), limit: int = 1000, only: LogFilter | None = None
    ) -> list[RunLogEntry]:
        """Entries after (attempt, sequence), in that order; fewer than `limit` where they are long, none at the end."""

    async def tail(self, run_id: int, lines: int, *, only: LogFilter | None = None) -> list[RunLogEntry]:
        """The entries that have the last so many lines, less where those are very long; `since` does not count."""

    async def range(
        self, run_id: int, from_line: int, to_line: int, *, only: LogFilter | None = None
    ) -> list[RunLogEntry]:
        """The entries that have these lines of one attempt, the last one unless it is named; `since` does not count."""

    async def search(
        self,
        run_id: int,
        *,
        text: str | None = None,
        pattern: str | None = None,
        after: tuple[int, int] = (0, 0),
        only: LogFilter | None = None,
    ) -> FoundLines:
        """The lines that contain `text`, or that the regular expression fits, in the next entries; maybe none yet.

        Looks at a bounded number of entries. Raises InvalidInputError for what is no regular expression.
        """

    async def news(self, run_id: int) -> RunNews | None:
        """Where a run stands; None when there is no such run."""


class WorkerSessionRepository(Protocol):
    """Sessions of workers and their leases."""

    async def open(self, session: NewWorkerSession, now: datetime | None = None) -> int:
        """Begin a session with a full lease and return its id.

        A session of the same worker id that is alive raises WorkerIdTakenError; one whose lease has run out is
        first declared LOST and its runs are freed. Who knows that the holder's process is dead calls declare_lost
        before.
        """

    async def alive_with_id(self, worker_id: str) -> NewWorkerSession | None:
        """Who holds this worker id now, if anybody does."""

    async def declare_lost(
        self, worker_id: str, pid: int, process_started_at: int, now: datetime | None = None
    ) -> None:
        """Declare the live session of exactly this process LOST and free its runs, lease or not."""

    async def renew(
        self,
        session_id: int,
        draining: bool = False,
        now: datetime | None = None,
        places: int | None = None,
        load: Mapping[str, float] | None = None,
    ) -> list[HeldRun] | None:
        """Extend the lease and return the RUNNING runs of the session; None when the session is not alive.

        `places` is how many it has from now on, and `load` what is told of its host; None leaves what there was.
        """

    async def drain(self, worker_id: str, drained: bool) -> None:
        """Let a worker take nothing new from now on, or take runs again; what it holds goes on.

        When this has been answered and committed, no run starts there that had not started before. It holds for the
        worker's newest session, alive or not, and for those after it.
        """

    async def close(self, session_id: int, now: datetime | None = None) -> list[RunChange]:
        """End a session; runs that it still holds are handed back, also when its lease has just run out."""

    async def sightings(self, now: datetime | None = None) -> list[SessionSighting]:
        """All sessions that are ALIVE."""

    async def reap(self, session_ids: Sequence[int], now: datetime | None = None) -> list[ReapedRun]:
        """Declare LOST those of the sessions that are ALIVE with an expired lease, and move their runs on.

        A run goes to PENDING with one more loss, to CANCELLED when flagged, to QUARANTINED at max_losses. Also
        frees RUNNING runs of any session that is not ALIVE.
        """

    async def ring_targets(self, lanes: Sequence[Lane], counts: Sequence[int]) -> list[int]:
        """Ids of live sessions to ring for that many runs of each lane (named once): see decisions.ring_choice.

        Each of them has a free place and can take one of the lanes; there are no more of them than runs.
        """

    async def page(
        self, *, alive_only: bool = False, before_id: int | None = None, limit: int = 50
    ) -> list[WorkerSession]:
        """A page of sessions, newest first."""

    async def newest(self, reference: str) -> WorkerSession:
        """The newest session of the worker with this id, or else of the one that a session's id names.

        Raises NotFoundError.
        """

    async def held_by(self, session_id: int, limit: int = 100) -> list[RunOnWorker]:
        """The runs that a session holds now, the oldest first."""


class ApiKeyRepository(Protocol):
    """Keys of the HTTP API, stored as hashes."""

    async def create(self, name: str, prefix: str, key_hash: bytes, now: datetime | None = None) -> ApiKey:
        """Store a key's hash; raises AlreadyExistsError when a live key has this name."""

    async def find(self, key_hash: bytes) -> ApiKey | None:
        """The live key with this hash."""

    async def all(self) -> list[ApiKey]:
        """All keys, in ascending id order."""

    async def revoke(self, name: str, now: datetime | None = None) -> ApiKey:
        """Make a live key useless at once; raises NotFoundError."""


class IdempotencyRepository(Protocol):
    """Answers already given, kept for a day."""

    async def reserve(
        self, scope: str, key: str, request_hash: str, now: datetime | None = None
    ) -> StoredResponse | None:
        """Take the key for this transaction, or return the answer that was given.

        Waits for another transaction that has just taken it.
        """

    async def complete(self, scope: str, key: str, status_code: int, body: str) -> None:
        """Keep the answer for the key that this transaction reserved."""

    async def remove_expired(self, older_than_seconds: float = 86400.0, now: datetime | None = None) -> int:
        """Forget old answers; returns how many."""


class SystemRepository(Protocol):
    """Questions about the whole."""

    async def statistics(self, now: datetime | None = None) -> SystemStatistics:
        """Counted by the database, now."""

    async def gated_runs(self) -> dict[StreamClass, tuple[int, int]]:
        """How many gated runs wait for their turn, and how many are claimable, by the class of their streams."""

    async def now(self) -> datetime:
        """The database's clock, by which everything is due."""

    async def check(self) -> None:
        """Return if the database answers, may be written to and has the schema this version works with."""
