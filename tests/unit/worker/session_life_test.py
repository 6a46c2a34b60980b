"""One session against repositories that the test plays: what no real database does on demand."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from fixtures.in_memory_message_queue import InMemoryMessageQueue, InMemoryWire
from fixtures.worker import FakeStore, build_claimed, build_version, eventually
from scheduler_core.errors import StoreUnavailableError
from scheduler_core.interfaces import RunNotice, RunOutcome, Settlement
from scheduler_core.models import (
    DISPATCHERS,
    ClaimedRun,
    CreatedRun,
    FinishedRun,
    HeldRun,
    Lane,
    PauseReport,
    RunChange,
    RunInputs,
    RunKey,
    RunLogEntry,
    TaskRunStatus,
    TaskVersion,
    UpstreamRun,
    session_address,
)
from scheduler_core.runtime import SystemClock
from scheduler_worker import session_life
from scheduler_worker.lease import Lease
from scheduler_worker.session_life import SessionEnd, SessionLife
from scheduler_worker.task_runner import TaskRunner
from scheduler_worker.version_cache import VersionCache
from scheduler_worker.worker_config import WorkerConfig
from scheduler_worker.worker_error import LeaseEndedError

COMPLETED = RunOutcome(status=TaskRunStatus.COMPLETED)


class Runs:
    """A task run repository with runs to claim, which remembers what was done to them."""

    def __init__(self, *waiting: ClaimedRun) -> None:
        self.waiting = list(waiting)
        self.finished: list[FinishedRun] = []
        self.handed_back: list[RunKey] = []
        self.delays: list[float] = []
        self.pauses: list[tuple[int, PauseReport]] = []
        self.may_read_versions = asyncio.Event()
        self.may_read_versions.set()
        self.asked_for_versions = asyncio.Event()
        self.is_away = False
        self.parameters: dict[int, dict[str, Any]] = {}
        self.claims: list[bool] = []
        self.are_gated = False
        self.released: list[CreatedRun] = []
        self.claims_along = 0
        self.before_commit: Callable[[], None] = lambda: None
        self.may_claim_along = asyncio.Event()
        self.may_claim_along.set()
        self.lost_claims = 0

    async def settle(self, limit: int, run_ids: Sequence[int]) -> Settlement:
        """What waits for the first run that ends."""
        released, self.released = self.released, []
        self.waiting += [build_claimed(run.run_id) for run in released]
        return Settlement(released)

    async def claim_along(self, session_id: int, lanes: Sequence[Lane], limit: int) -> list[ClaimedRun]:
        """Give what waits."""
        self.claims_along += 1
        await self.may_claim_along.wait()
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        self.before_commit()
        return taken

    async def claim(
        self, session_id: int, lanes: Sequence[Lane], limit: int, *, has_grants: bool = False
    ) -> list[ClaimedRun]:
        """Give what waits."""
        self.claims.append(has_grants)
        if self.lost_claims:
            self.lost_claims -= 1
            raise StoreUnavailableError("the answer was lost")
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken

    async def versions(self, ids: Sequence[int]) -> list[TaskVersion]:
        """Give versions when the test lets it."""
        self.asked_for_versions.set()
        await self.may_read_versions.wait()
        return [
            build_version(id=number, timeout_seconds=None, parameters=self.parameters.get(number, {})) for number in ids
        ]

    async def finish(self, session_id: int, finished: Sequence[FinishedRun]) -> list[RunChange]:
        """Record outcomes."""
        if self.is_away:
            raise StoreUnavailableError("away")
        self.finished += finished
        return [RunChange(run.run_id, run.status, run.needs_settlement, self.are_gated) for run in finished]

    async def report_pauses(self, session_id: int, reports: Mapping[RunKey, PauseReport]) -> None:
        """Record who stands still."""
        if self.is_away:
            raise StoreUnavailableError("away")
        self.pauses += [(key.run_id, report) for key, report in reports.items()]

    async def hand_back(
        self, session_id: int, runs: Sequence[RunKey], *, delay_seconds: float = 0.0
    ) -> list[RunChange]:
        """Record what was given up."""
        self.delays.append(delay_seconds)
        if self.is_away:
            raise StoreUnavailableError("away")
        self.handed_back += runs
        return [RunChange(key.run_id, TaskRunStatus.PENDING) for key in runs]


class Flows:
    """A flow repository that knows one result upstream of every run, once it can be reached."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.asked: list[list[int]] = []

    async def inputs(self, run_ids: Sequence[int]) -> dict[int, RunInputs]:
        """The same for all."""
        self.asked.append(list(run_ids))
        if len(self.asked) <= self.failures:
            raise StoreUnavailableError("away")
        upstream = UpstreamRun(task_name="a", run_id=9, status=TaskRunStatus.COMPLETED, result=5)
        return {run_id: RunInputs(run_id=run_id, upstream=(upstream,)) for run_id in run_ids}


class Sessions:
    """A session repository that lets the session end."""

    def __init__(self) -> None:
        self.closed: list[int] = []
        self.held: list[HeldRun] = []
        self.renewals = 0

    async def renew(self, session_id: int, draining: bool) -> list[HeldRun]:
        """What it holds."""
        self.renewals += 1
        return self.held

    async def close(self, session_id: int) -> list[RunChange]:
        """Remember it."""
        self.closed.append(session_id)
        return []


class Logs:
    """A run log repository that keeps what it is given."""

    def __init__(self) -> None:
        self.text = ""

    async def append(self, session_id: int, entries: Sequence[RunLogEntry]) -> int:
        """Keep it."""
        self.text += "".join(entry.content for entry in entries)
        return len(entries)


class StillHeartbeat:
    """A heartbeat that renews nothing; the test says what renewals answer."""

    def start(self) -> None:
        """Do nothing."""

    def __init__(self) -> None:
        self.places: list[int] = []
        self.nudges = 0

    def nudge(self, *, draining: bool = False, places: int | None = None) -> None:
        """Remember it, and the places."""
        self.nudges += 1
        self.places += [] if places is None else [places]

    async def stop(self) -> None:
        """Do nothing."""


class Executor:
    """An executor that does what the test says."""

    def __init__(self, act: Callable[[], Awaitable[Any]]) -> None:
        self._act = act
        self.checked: list[object] = []
        self.notices: list[tuple[int, RunNotice]] = []
        self.can_pause = True

    def check(self, parameters: object) -> list[str]:
        """Everything is right."""
        self.checked.append(parameters)
        return []

    async def execute(self, *_: object) -> RunOutcome:
        """Do it."""
        return cast(RunOutcome, await self._act())

    def notify(self, run: RunKey, notice: RunNotice) -> bool:
        """Remember it."""
        self.notices.append((run.run_id, notice))
        return self.can_pause


class Stage:
    """One session and everything around it."""

    def __init__(
        self,
        runs: Runs,
        act: Callable[[], Awaitable[Any]],
        flows: Flows | None = None,
        *,
        lacks_type: bool = False,
        **changes: Any,
    ) -> None:
        self.runs = runs
        self.sessions = Sessions()
        self.logs = Logs()
        self.heartbeat = StillHeartbeat()
        self.stopping = asyncio.Event()
        self._changes = changes
        config = self.config()
        clock = SystemClock()
        self.lease = Lease(60.0, clock.monotonic())
        self.executor = Executor(act)
        self.wire = InMemoryWire()
        self.store = FakeStore(runs, self.sessions, self.logs, flows=flows)
        self.life = SessionLife(
            1,
            self.lease,
            store=cast(Any, self.store),
            queue=InMemoryMessageQueue(self.wire),
            clock=clock,
            config=config,
            lanes=[Lane("default", "fake")],
            runner=TaskRunner(lambda _: cast(Any, None if lacks_type else self.executor), result_limit_bytes=1000),
            versions=VersionCache(),
            heartbeat=lambda _: cast(Any, self.heartbeat),
            kill_now=lambda: None,
        )

    def config(self, **changes: Any) -> WorkerConfig:
        """The worker's settings, changed."""
        fields: dict[str, Any] = {"kill_grace_seconds": 0.0, "drain_seconds": 0.0, "poll_interval_seconds": 0.05}
        return WorkerConfig(**{**fields, **self._changes, **changes})

    def renew(self, *rows: HeldRun) -> None:
        """Answer a renewal that was asked for just now."""
        self.life.renewed(rows, SystemClock().monotonic() + 1)

    async def run(self) -> SessionEnd:
        """The session from beginning to end."""
        return await asyncio.wait_for(self.life.run(self.stopping), 20)


async def at_once() -> RunOutcome:
    """Be ready."""
    return COMPLETED


async def stubbornly() -> RunOutcome:
    """Never end, not even when cancelled, until the loop is closed around it."""
    left = 3
    while left:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            left -= 1
    return COMPLETED


async def test_reconfigure_takes_more_runs_at_once_and_fewer_when_some_have_ended() -> None:
    """More places are filled without a ring; fewer end nothing, and nothing is taken until fewer runs are left."""
    ends = [asyncio.Event() for _ in range(5)]
    begun: list[int] = []

    async def until_told() -> RunOutcome:
        begun.append(len(begun))
        await ends[len(begun) - 1].wait()
        return COMPLETED

    runs = Runs(*(build_claimed(number) for number in range(1, 6)))
    stage = Stage(runs, until_told, max_concurrent_tasks=1, poll_interval_seconds=3600.0)
    running = asyncio.create_task(stage.run())
    await eventually(lambda: len(begun) == 1)

    stage.life.reconfigure(stage.config(max_concurrent_tasks=3))
    await eventually(lambda: len(begun) == 3)
    stage.life.reconfigure(stage.config(max_concurrent_tasks=2))
    ends[0].set()
    await eventually(lambda: len(runs.finished) == 1)
    assert len(begun) == 3
    ends[1].set()
    await eventually(lambda: len(begun) == 4)

    assert stage.heartbeat.places == [3, 2]
    for end in ends:
        end.set()
    await eventually(lambda: len(runs.finished) == 5)
    stage.stopping.set()
    assert await running is SessionEnd.DRAINED


async def test_run_ends_a_run_that_is_cancelled_before_it_starts() -> None:
    """A cancel that is seen while the run's version is still being read ends the run, and its place is free again."""
    runs = Runs(build_claimed(1), build_claimed(2))
    runs.may_read_versions.clear()
    stage = Stage(runs, at_once, max_concurrent_tasks=1)
    running = asyncio.create_task(stage.run())
    await runs.asked_for_versions.wait()

    stage.renew(HeldRun(1, 1, cancel_requested=True))
    runs.may_read_versions.set()

    await eventually(lambda: runs.handed_back == [RunKey(1, 1)])
    await eventually(lambda: [run.run_id for run in runs.finished] == [2])
    stage.stopping.set()
    assert await running is SessionEnd.DRAINED


async def test_run_ends_a_run_that_is_cancelled_before_its_first_step() -> None:
    """A cancel between the start of a run's task and its first step leaves nothing behind either."""
    runs = Runs(build_claimed(1))
    stage = Stage(runs, at_once, kill_grace_seconds=60.0)
    starting = stage.life._start

    async def start_and_cancel(claimed: Sequence[ClaimedRun]) -> None:
        await starting(claimed)
        stage.renew(*(HeldRun(run.id, run.attempt, cancel_requested=True) for run in claimed))

    stage.life._start = start_and_cancel  # type: ignore[method-assign]
    running = asyncio.create_task(stage.run())

    await eventually(lambda: runs.handed_back == [RunKey(1, 1)])
    stage.stopping.set()
    assert await running is SessionEnd.DRAINED


async def test_run_begins_nothing_after_its_lease_although_nobody_has_noticed_its_end() -> None:
    """A worker that stood still between its claim and its first step, and wakes late, starts nothing of that claim."""
    runs = Runs(build_claimed(1))
    runs.may_read_versions.clear()
    begun: list[int] = []

    async def begin() -> RunOutcome:
        begun.append(1)
        return COMPLETED

    stage = Stage(runs, begin)
    running = asyncio.create_task(stage.run())
    await runs.asked_for_versions.wait()

    stage.lease._trusted_until = SystemClock().monotonic() - 1
    runs.may_read_versions.set()

    await eventually(lambda: runs.handed_back == [RunKey(1, 1)])
    assert not begun
    stage.stopping.set()
    assert await running is SessionEnd.DRAINED


async def test_run_loses_the_session_when_jobs_were_killed_with_its_lease() -> None:
    """A renewal that is answered after the jobs were killed does not make failures of them: they are lost."""

    async def be_killed() -> RunOutcome:
        raise LeaseEndedError

    runs = Runs(build_claimed(1))
    stage = Stage(runs, be_killed)

    assert await stage.run() is SessionEnd.LOST
    assert not runs.finished
    assert not runs.handed_back


async def test_run_forgets_a_run_that_is_taken_away_before_it_starts() -> None:
    """A run that others have got while its version was being read is not started, and its place is free again."""
    runs = Runs(build_claimed(1), build_claimed(2))
    runs.may_read_versions.clear()
    stage = Stage(runs, at_once, max_concurrent_tasks=1)
    running = asyncio.create_task(stage.run())
    await runs.asked_for_versions.wait()

    stage.renew()
    runs.may_read_versions.set()

    await eventually(lambda: [run.run_id for run in runs.finished] == [2])
    stage.stopping.set()
    assert await running is SessionEnd.DRAINED
    assert runs.handed_back == []


async def test_run_gives_up_a_run_that_ignores_its_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine that swallows its cancellation is reported as CANCELLED after a while, and its place is free."""
    monkeypatch.setattr(session_life, "_OVERTIME_SECONDS", 0.1)
    monkeypatch.setattr(session_life, "_SWEEP_SECONDS", 0.05)
    acts = [stubbornly, at_once]
    runs = Runs(build_claimed(1), build_claimed(2))
    stage = Stage(runs, lambda: acts.pop(0)(), max_concurrent_tasks=1)
    running = asyncio.create_task(stage.run())
    await eventually(lambda: len(acts) == 1)

    stage.renew(HeldRun(1, 1, cancel_requested=True))

    await eventually(lambda: len(runs.finished) == 2)
    assert [(run.run_id, run.status) for run in runs.finished] == [
        (1, TaskRunStatus.CANCELLED),
        (2, TaskRunStatus.COMPLETED),
    ]
    stage.stopping.set()
    assert await running is SessionEnd.DRAINED


async def test_run_says_goodbye_although_a_run_ignores_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain is not held up by a run that does not stop: the session is closed, which hands the run back."""
    monkeypatch.setattr(session_life, "_OVERTIME_SECONDS", 0.1)
    monkeypatch.setattr(session_life, "_GOODBYE_SECONDS", 0.2)
    begun = asyncio.Event()

    async def act() -> RunOutcome:
        begun.set()
        return await stubbornly()

    stage = Stage(Runs(build_claimed(1)), act)
    running = asyncio.create_task(stage.run())
    await begun.wait()

    stage.stopping.set()

    assert await running is SessionEnd.DRAINED
    assert (stage.sessions.closed, stage.runs.finished) == ([1], [])


async def test_run_drains_through_an_outage() -> None:
    """An outcome that cannot be reported while the worker stops is reported when the database is back, then goodbye."""
    release = asyncio.Event()

    async def act() -> RunOutcome:
        await release.wait()
        return COMPLETED

    runs = Runs(build_claimed(1))
    stage = Stage(runs, act, drain_seconds=10.0)
    running = asyncio.create_task(stage.run())
    await eventually(lambda: not runs.waiting)
    runs.is_away = True
    stage.stopping.set()
    release.set()
    await asyncio.sleep(0.1)
    assert (runs.finished, stage.sessions.closed) == ([], [])

    runs.is_away = False

    assert await running is SessionEnd.DRAINED
    assert [run.run_id for run in runs.finished] == [1]
    assert stage.sessions.closed == [1]


async def test_run_leaves_when_the_database_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that stops while the database is away for good leaves when its lease would have ended."""
    monkeypatch.setattr(session_life, "_GOODBYE_SECONDS", 0.2)
    runs = Runs(build_claimed(1))
    stage = Stage(runs, at_once)
    stage.lease._trusted_until = SystemClock().monotonic() + 0.5
    runs.is_away = True
    running = asyncio.create_task(stage.run())
    await eventually(lambda: not runs.waiting)

    stage.stopping.set()

    assert await running in (SessionEnd.DRAINED, SessionEnd.LOST)
    assert runs.finished == []


async def test_lose_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A session that several notice to be lost is lost once."""
    stage = Stage(Runs(), at_once)

    stage.life.lose("the first")
    stage.life.lose("the second")

    assert [record.message for record in caplog.records].count("session lost") == 1


async def test_run_fails_a_run_whose_executor_gives_no_outcome() -> None:
    """An executor that returns nothing has failed; its run is not claimed and handed back for ever."""

    async def act() -> None:
        return None

    runs = Runs(build_claimed(1))
    stage = Stage(runs, act)
    running = asyncio.create_task(stage.run())

    await eventually(lambda: bool(runs.finished or runs.handed_back))

    stage.stopping.set()
    await running
    assert [run.status for run in runs.finished] == [TaskRunStatus.FAILED]
    assert "it gave a NoneType instead of a RunOutcome" in str(runs.finished[0].error)


async def test_run_asks_for_granted_runs_at_once_as_long_as_it_gets_some() -> None:
    """Whose last claim had to do with grants says so in the next two, and no more when these had not."""
    grants = [1, 0, None, 0, None, None, None]
    runs = Runs(*(build_claimed(number, granted_left=left) for number, left in enumerate(grants, 1)))
    stage = Stage(runs, at_once, max_concurrent_tasks=1)
    running = asyncio.create_task(stage.run())

    await eventually(lambda: len(runs.finished) == len(grants))

    stage.stopping.set()
    await running
    assert runs.claims[:7] == [False, True, True, True, True, True, False]


@pytest.mark.parametrize(
    ("granted_left", "places"),
    [
        pytest.param([1, 0], 1, id="the first end is not told, because the next claim fills its place"),
        pytest.param([1], 2, id="what a claim with room to spare has left has been cancelled"),
        pytest.param([1], 1, id="what the next claim does not find has been cancelled"),
    ],
)
async def test_run_tells_once_of_room_that_no_granted_run_takes(granted_left: list[int], places: int) -> None:
    """A dispatcher hears of a free place as soon as nothing that is granted can fill it, and not before."""
    runs = Runs(*(build_claimed(number, granted_left=left) for number, left in enumerate(granted_left, 1)))
    runs.are_gated = True
    stage = Stage(runs, at_once, max_concurrent_tasks=places, poll_interval_seconds=60.0)
    running = asyncio.create_task(stage.run())

    await eventually(lambda: len(runs.finished) == len(granted_left) and bool(stage.wire.rung))

    stage.stopping.set()
    await running
    assert stage.wire.rung == [DISPATCHERS]


async def test_run_tells_of_room_that_a_claim_has_left() -> None:
    """The next claim finds some of what was granted, and not all: the places that are left are told of at once."""
    runs = Runs(*(build_claimed(number, granted_left=left) for number, left in enumerate([1, 1, 0], 1)))
    runs.are_gated = True
    begun: list[int] = []
    last_may_end = asyncio.Event()

    async def act() -> RunOutcome:
        begun.append(1)
        if len(begun) == 3:
            await last_may_end.wait()
        return COMPLETED

    stage = Stage(runs, act, max_concurrent_tasks=2, poll_interval_seconds=60.0)
    running = asyncio.create_task(stage.run())

    await eventually(lambda: len(begun) == 3 and bool(stage.wire.rung))

    assert stage.wire.rung == [DISPATCHERS]
    last_may_end.set()
    stage.stopping.set()
    await running


def chain_of_two() -> Runs:
    """Runs of which the second waits for the end of the first."""
    runs = Runs(build_claimed(1, needs_settlement=True))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    runs.released = [CreatedRun(2, 1, 1, TaskRunStatus.DISPATCHED, "default", "fake", at)]
    return runs


async def test_run_goes_on_with_what_the_end_of_a_run_has_released() -> None:
    """The next step is claimed with the report of the one before, also where there is but one place, and begun."""
    runs = chain_of_two()
    stage = Stage(runs, at_once, max_concurrent_tasks=1, poll_interval_seconds=60.0)
    running = asyncio.create_task(stage.run())

    await eventually(lambda: len(runs.finished) == 2)

    stage.stopping.set()
    assert await running is SessionEnd.DRAINED
    assert ([run.run_id for run in runs.finished], runs.claims_along, runs.handed_back) == ([1, 2], 1, [])


async def test_run_hands_back_what_it_has_claimed_while_it_was_told_to_stop() -> None:
    """Nobody begins it any more."""
    runs = chain_of_two()
    stage = Stage(runs, at_once, max_concurrent_tasks=1, poll_interval_seconds=60.0, drain_seconds=5.0)
    runs.before_commit = stage.stopping.set

    assert await stage.run() is SessionEnd.DRAINED
    assert ([run.run_id for run in runs.finished], runs.handed_back) == ([1], [RunKey(2, 1)])


async def test_run_looks_for_what_it_holds_when_the_answer_to_a_report_that_claimed_was_lost() -> None:
    """The next claim comes after a renewal, whose answer names the run; it is handed back and not begun."""
    runs = chain_of_two()
    stage = Stage(runs, at_once, max_concurrent_tasks=1, poll_interval_seconds=60.0)
    stage.sessions.held = [HeldRun(2, 1, cancel_requested=False)]

    stage.store.lost_answers = 1
    running = asyncio.create_task(stage.run())

    await eventually(lambda: runs.handed_back == [RunKey(2, 1)])

    stage.stopping.set()
    await running
    assert {run.run_id for run in runs.finished} == {1}


async def test_run_takes_the_claim_of_a_report_under_way_for_no_lost_answer() -> None:
    """While it looks for what an earlier claim may have left behind, it sees a run that it is just getting."""
    runs = chain_of_two()
    runs.may_claim_along.clear()
    stage = Stage(runs, at_once, max_concurrent_tasks=2, poll_interval_seconds=60.0)
    stage.sessions.held = [HeldRun(2, 1, cancel_requested=False)]
    running = asyncio.create_task(stage.run())
    await eventually(lambda: runs.claims_along == 1)
    runs.waiting = []
    runs.lost_claims = 1
    stage.life.look()
    await eventually(lambda: stage.sessions.renewals == 1)
    runs.waiting = [build_claimed(2)]
    runs.may_claim_along.set()

    await eventually(lambda: len(runs.finished) == 2)

    stage.stopping.set()
    await running
    assert ([run.run_id for run in runs.finished], runs.handed_back) == ([1, 2], [])


async def test_run_reads_the_inputs_of_all_claimed_runs_at_once() -> None:
    """One question per claim, for those runs only whose templates ask for something upstream."""
    runs = Runs(*(build_claimed(number, task_version_id=number) for number in (1, 2, 3)))
    runs.parameters = {1: {"x": "{{ upstream.a.result }}"}, 3: {"y": "{{ upstream.a.result + 1 }}"}}
    flows = Flows()
    stage = Stage(runs, at_once, flows)
    running = asyncio.create_task(stage.run())

    await eventually(lambda: len(runs.finished) == 3)

    stage.stopping.set()
    await running
    assert flows.asked == [[1, 3]]
    assert sorted(map(str, stage.executor.checked)) == ["{'x': 5}", "{'y': 6}", "{}"]


async def test_run_waits_for_inputs_through_an_outage() -> None:
    """Runs whose inputs cannot be read are kept and begin when they can; others have begun long before."""
    runs = Runs(build_claimed(1, task_version_id=1), build_claimed(2, task_version_id=2))
    runs.parameters = {1: {"x": "{{ upstream.a.result }}"}}
    flows = Flows(failures=3)
    stage = Stage(runs, at_once, flows)
    running = asyncio.create_task(stage.run())

    await eventually(lambda: len(runs.finished) == 2)

    stage.stopping.set()
    await running
    assert [run.run_id for run in runs.finished] == [2, 1]
    assert [run.status for run in runs.finished] == [TaskRunStatus.COMPLETED] * 2
    assert (len(flows.asked), runs.handed_back) == (4, [])


async def test_run_hands_back_runs_without_inputs_when_it_stops() -> None:
    """A worker that is told to stop while inputs cannot be read gives these runs to others."""
    runs = Runs(build_claimed(1))
    runs.parameters = {4: {"x": "{{ upstream.a.result }}"}}
    flows = Flows(failures=1_000)
    stage = Stage(runs, at_once, flows)
    running = asyncio.create_task(stage.run())
    await eventually(lambda: bool(flows.asked))

    stage.stopping.set()

    assert await running is SessionEnd.DRAINED
    assert (runs.finished, runs.handed_back) == ([], [RunKey(1, 1)])


async def test_run_hands_back_what_it_cannot_carry_out_for_later() -> None:
    """A run of a type without an executor does not fail; it is given back so that this worker is not its next one."""
    runs = Runs(build_claimed(1))
    stage = Stage(runs, at_once, lacks_type=True)
    running = asyncio.create_task(stage.run())

    await eventually(lambda: bool(runs.handed_back or runs.finished))

    stage.stopping.set()
    await running
    assert (runs.handed_back, runs.finished) == ([RunKey(1, 1)], [])
    assert runs.delays[0] > 0


async def test_run_asks_for_a_renewal_when_it_rings_while_a_run_goes_on() -> None:
    """The ring may mean that the run is cancelled, whether it has just begun or not."""
    stage = Stage(Runs(build_claimed(1)), stubbornly)
    session = asyncio.create_task(stage.run())
    await eventually(lambda: len(stage.life._live_runs) == 1)
    assert stage.heartbeat.nudges == 0
    await InMemoryMessageQueue(stage.wire).ring([session_address(1)])
    await eventually(lambda: stage.heartbeat.nudges == 1)
    stage.life.lose("the test is over")
    await session


async def test_run_cancels_a_hundred_runs_by_one_renewal() -> None:
    """However many are cancelled at once, each of them is stopped by what one renewal tells."""
    begun: list[int] = []

    async def for_ever() -> RunOutcome:
        begun.append(1)
        await asyncio.Event().wait()
        return COMPLETED

    runs = Runs(*(build_claimed(number) for number in range(1, 101)))
    stage = Stage(runs, for_ever, max_concurrent_tasks=100)
    running = asyncio.create_task(stage.run())
    await eventually(lambda: len(begun) == 100)

    stage.renew(*(HeldRun(number, 1, cancel_requested=True) for number in range(1, 101)))

    await eventually(lambda: len(runs.finished) == 100)
    stage.stopping.set()
    await running
    assert {run.status for run in runs.finished} == {TaskRunStatus.CANCELLED}


async def test_run_lets_a_run_stand_still_and_go_on() -> None:
    """Its job is told once each time, the database is told what came of it, and its place stays taken."""
    end = asyncio.Event()

    async def until_told() -> RunOutcome:
        await end.wait()
        return COMPLETED

    runs = Runs(build_claimed(1), build_claimed(2))
    stage = Stage(runs, until_told, max_concurrent_tasks=1)
    running = asyncio.create_task(stage.run())
    await eventually(lambda: len(stage.executor.checked) == 1)

    for _ in range(2):
        stage.renew(HeldRun(1, 1, cancel_requested=False, pause_requested=True))
    await eventually(lambda: runs.pauses == [(1, PauseReport.PAUSED)])
    assert [run.id for run in runs.waiting] == [2]
    stage.renew(HeldRun(1, 1, cancel_requested=False))
    await eventually(lambda: runs.pauses[1:] == [(1, PauseReport.RESUMED)])

    assert stage.executor.notices == [(1, RunNotice.PAUSE), (1, RunNotice.RESUME)]
    end.set()
    await eventually(lambda: len(runs.finished) == 2)
    stage.stopping.set()
    await running


async def test_run_says_that_a_run_cannot_stand_still() -> None:
    """A job that cannot be paused goes on: the wish is taken back, and its output says why."""
    end = asyncio.Event()

    async def until_told() -> RunOutcome:
        await end.wait()
        return COMPLETED

    runs = Runs(build_claimed(1))
    stage = Stage(runs, until_told)
    stage.executor.can_pause = False
    running = asyncio.create_task(stage.run())
    await eventually(lambda: len(stage.executor.checked) == 1)

    stage.renew(HeldRun(1, 1, cancel_requested=False, pause_requested=True))

    await eventually(lambda: runs.pauses == [(1, PauseReport.REFUSED)])
    end.set()
    await eventually(lambda: len(runs.finished) == 1)
    assert "cannot be paused" in stage.logs.text
    stage.stopping.set()
    await running


async def test_run_reports_a_pause_after_an_outage() -> None:
    """A database that is away while a run is paused is told when it is back, and only what holds then."""
    runs = Runs(build_claimed(1))
    runs_on = asyncio.Event()

    async def until_told() -> RunOutcome:
        await runs_on.wait()
        return COMPLETED

    stage = Stage(runs, until_told)
    running = asyncio.create_task(stage.run())
    await eventually(lambda: len(stage.executor.checked) == 1)
    runs.is_away = True
    stage.renew(HeldRun(1, 1, cancel_requested=False, pause_requested=True))
    await eventually(lambda: bool(stage.executor.notices))
    stage.renew(HeldRun(1, 1, cancel_requested=False))

    runs.is_away = False

    await eventually(lambda: runs.pauses == [(1, PauseReport.RESUMED)])
    runs_on.set()
    await eventually(lambda: len(runs.finished) == 1)
    stage.stopping.set()
    await running
