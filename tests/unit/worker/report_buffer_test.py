"""Reports in batches."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest

from fixtures.in_memory_message_queue import InMemoryMessageQueue, InMemoryWire
from fixtures.worker import FakeStore, build_claimed, eventually
from scheduler_core.errors import RepositoryError, SessionFencedError, StoreUnavailableError
from scheduler_core.interfaces import Settlement
from scheduler_core.models import (
    DISPATCHERS,
    ClaimedRun,
    CreatedRun,
    FinishedRun,
    Lane,
    RunChange,
    RunKey,
    RunLogEntry,
    TaskRunStatus,
    session_address,
)
from scheduler_core.runtime import SystemClock
from scheduler_worker.lease import Lease
from scheduler_worker.live_runs import LiveRuns
from scheduler_worker.log_buffer import LogBuffer
from scheduler_worker.next_claim import NextClaim
from scheduler_worker.report_buffer import ReportBuffer


class FakeRuns:
    """A TaskRunRepository that takes reports, or does what `errors` says first."""

    def __init__(self) -> None:
        self.batches: list[list[FinishedRun]] = []
        self.errors: list[Exception] = []
        self.refused: set[str] = set()
        self.settled: list[int] = []
        self.claimable: list[CreatedRun] = []
        self.is_later = False
        self.awaited: set[int] = set()
        self.gated: set[int] = set()
        self.status: TaskRunStatus | None = None

    async def finish(self, session_id: int, finished: Sequence[FinishedRun]) -> list[RunChange]:
        """Take reports."""
        self.batches.append(list(finished))
        if self.errors:
            raise self.errors.pop(0)
        if any(run.result in self.refused for run in finished):
            raise RepositoryError("the value is refused")
        return [
            RunChange(
                run.run_id,
                self.status or run.status,
                run.needs_settlement or run.run_id in self.awaited,
                run.run_id in self.gated,
            )
            for run in finished
        ]

    async def settle(self, limit: int, run_ids: Sequence[int]) -> Settlement:
        """Release what waits."""
        self.settled += run_ids
        return Settlement(self.claimable, self.is_later)

    async def claim_along(self, session_id: int, lanes: Sequence[Lane], limit: int) -> list[ClaimedRun]:
        """The first of what was released."""
        return [build_claimed(run.run_id) for run in self.claimable[:limit]]

    async def ring_targets(self, lanes: Sequence[Lane], counts: Sequence[int]) -> list[int]:
        """Two sessions, the first of which is the tested one."""
        return [9, 10]


class FakeRunLogs:
    """Takes output; raises what it is told to, one after another."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.stored: list[str] = []

    async def append(self, session_id: int, entries: Sequence[RunLogEntry]) -> int:
        """See RunLogRepository."""
        if self.errors:
            raise self.errors.pop(0)
        self.stored += [entry.content for entry in entries]
        return len(entries)


class Bench:
    """A report buffer and everything around it."""

    def __init__(self, interval_seconds: float = 30.0, batch_size_max: int = 3) -> None:
        self.runs = FakeRuns()
        self.run_logs = FakeRunLogs()
        self.store: Any = FakeStore(self.runs, self.runs, self.run_logs)
        self.live_runs = LiveRuns()
        self.wire = InMemoryWire()
        self.fenced: list[str] = []
        self.looks = 0
        self.may_claim = False
        self.took: list[int] = []
        self.doubts = 0
        clock = SystemClock()
        self.lease = Lease(30.0, clock.monotonic())
        self.logs = LogBuffer(self.store, 9, clock, limit_bytes=1000, interval_seconds=1.0)
        self.buffer = ReportBuffer(
            self.store,
            InMemoryMessageQueue(self.wire),
            9,
            self.live_runs,
            self.logs,
            self.lease,
            clock,
            next_claim=NextClaim(
                9,
                [Lane("default", "python")],
                self.live_runs,
                may=lambda: self.may_claim,
                took=lambda claimed: self.took.extend(run.id for run in claimed),
                doubt=self._doubt,
            ),
            batch_size_max=batch_size_max,
            interval_seconds=interval_seconds,
            on_reported=lambda: None,
            on_fenced=self.fenced.append,
            look=self._look,
        )

    def _look(self) -> None:
        self.looks += 1

    def _doubt(self) -> None:
        self.doubts += 1

    def hold(self, *run_ids: int) -> None:
        """Have these runs execute."""
        for run_id in run_ids:
            self.live_runs.add(build_claimed(run_id), 0.0)

    def end(self, run_id: int, status: TaskRunStatus = TaskRunStatus.COMPLETED, **changes: Any) -> None:
        """One of them has an outcome."""
        live = self.live_runs.get(run_id)
        assert live is not None
        self.live_runs.ended(live)
        self.buffer.add(FinishedRun(run_id=run_id, attempt=1, status=status, **changes))

    @property
    def reported(self) -> list[list[int]]:
        """The ids of each statement."""
        return [[run.run_id for run in batch] for batch in self.runs.batches]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A running buffer that is patient for half a minute, in batches of three."""
    bench = Bench()
    running = asyncio.create_task(bench.buffer.run())
    yield bench
    running.cancel()
    await asyncio.wait({running})


async def test_add_is_reported_at_once_when_nothing_else_runs(bench: Bench) -> None:
    """The last outcome does not wait for others."""
    bench.hold(1, 2)
    bench.end(1)
    bench.end(2)

    await asyncio.wait_for(bench.buffer.drained(), 5)

    assert bench.reported == [[1, 2]]
    assert len(bench.live_runs) == 0


async def test_add_waits_for_others_that_still_run(bench: Bench) -> None:
    """While others run an outcome waits for company, until a batch is full."""
    bench.hold(1, 2, 3, 4)
    bench.end(1)
    bench.end(2)
    for _ in range(5):
        await asyncio.sleep(0)
    assert bench.reported == []

    bench.end(3)

    await eventually(lambda: bench.reported == [[1, 2, 3]])


async def test_add_waits_no_longer_than_the_interval() -> None:
    """After the interval an outcome is reported, whatever still runs."""
    bench = Bench(interval_seconds=0.01)
    running = asyncio.create_task(bench.buffer.run())
    bench.hold(1, 2)
    bench.end(1)

    await eventually(lambda: bench.reported == [[1]])
    running.cancel()
    await asyncio.wait({running})


async def test_report_is_repeated_until_it_is_answered(bench: Bench) -> None:
    """A report whose answer is lost is sent again, unchanged."""
    bench.runs.errors = [StoreUnavailableError("away"), StoreUnavailableError("away")]
    bench.hold(1)
    bench.end(1)

    await asyncio.wait_for(bench.buffer.drained(), 5)

    assert bench.reported == [[1], [1], [1]]


async def test_report_gives_up_with_the_lease(bench: Bench) -> None:
    """Once the lease is not trusted any more nothing is reported."""
    bench.runs.errors = [StoreUnavailableError("away")]
    bench.lease.lose()
    bench.hold(1)
    bench.end(1)

    await asyncio.wait_for(bench.buffer.drained(), 5)

    assert (bench.reported, len(bench.fenced)) == ([[1]], 1)


async def test_report_tells_that_the_session_is_over(bench: Bench) -> None:
    """A fenced report is not repeated; the session is told."""
    bench.runs.errors = [SessionFencedError(9)]
    bench.hold(1)
    bench.end(1)

    await asyncio.wait_for(bench.buffer.drained(), 5)

    assert (bench.reported, len(bench.fenced)) == ([[1]], 1)


async def test_report_saves_the_others_from_a_refused_one(bench: Bench) -> None:
    """A report that the database refuses becomes a failure; those beside it are recorded as they were."""
    bench.runs.refused = {'"poison"'}
    bench.hold(1, 2, 3)
    bench.end(1)
    bench.end(2, result='"poison"')
    bench.end(3)

    await asyncio.wait_for(bench.buffer.drained(), 5)

    assert bench.reported == [[1, 2, 3], [1], [2], [2], [3]]
    substitute = bench.runs.batches[3][0]
    assert substitute.status is TaskRunStatus.FAILED
    assert substitute.error == ("The run ended as COMPLETED, but its result cannot be stored: the value is refused")


async def test_report_rings_dispatchers_for_a_retry(bench: Bench) -> None:
    """Dispatchers hear of a run that went back to PENDING."""
    bench.runs.status = TaskRunStatus.PENDING
    bench.hold(1)
    bench.end(1, TaskRunStatus.FAILED, retry_delay_seconds=1.0)

    await asyncio.wait_for(bench.buffer.drained(), 5)

    assert bench.wire.rung == [DISPATCHERS]


def created(run_id: int) -> CreatedRun:
    """A run that became claimable."""
    from datetime import UTC, datetime

    return CreatedRun(run_id, 1, 1, TaskRunStatus.DISPATCHED, "default", "python", datetime(2026, 1, 1, tzinfo=UTC))


async def test_report_settles_in_the_same_transaction(bench: Bench) -> None:
    """What waits for a run is released together with its report; the others are rung, this session just looks."""
    bench.runs.claimable = [created(20), created(21)]
    bench.hold(1)
    bench.end(1, needs_settlement=True)

    await asyncio.wait_for(bench.buffer.drained(), 5)

    assert (bench.store.transactions, bench.runs.settled, bench.looks) == (1, [1], 1)
    assert bench.wire.rung == [session_address(10)]


async def test_report_rings_others_for_a_next_step_that_its_session_does_not_take(bench: Bench) -> None:
    """A session that stops, or holds more than it has places for, does not look for what it has released."""
    bench.runs.claimable = [created(20)]
    bench.hold(1)
    bench.end(1, needs_settlement=True)

    await asyncio.wait_for(bench.buffer.drained(), 5)

    assert (bench.wire.rung, bench.looks) == ([session_address(10)], 1)


async def test_report_claims_the_next_step_of_a_chain_in_its_transaction(bench: Bench) -> None:
    """It is this session's with the commit of the report, so there is nothing to look or ring for."""
    bench.may_claim = True
    bench.runs.claimable = [created(20)]
    bench.hold(1)
    bench.end(1, needs_settlement=True)

    await asyncio.wait_for(bench.buffer.drained(), 5)

    assert (bench.took, bench.store.transactions, bench.wire.rung, bench.looks) == ([20], 1, [], 0)


async def test_report_leaves_the_next_step_while_more_is_to_be_reported(bench: Bench) -> None:
    """The outcomes that wait may release runs, too, and all of them are claimed together."""
    bench.may_claim = True
    bench.runs.claimable = [created(20)]
    bench.hold(1, 2, 3, 4)
    for run_id in (1, 2, 3, 4):
        bench.end(run_id, needs_settlement=True)

    await asyncio.wait_for(bench.buffer.drained(), 5)

    assert bench.reported == [[1, 2, 3], [4]]
    assert bench.took == [20]
    assert bench.looks == 1


async def test_report_rings_dispatchers_for_a_run_that_others_have_come_to_wait_for(bench: Bench) -> None:
    """A run may be waited for only since its claim: the worker leaves its end to the dispatchers, and tells them."""
    bench.runs.awaited = {1}
    bench.hold(1, 2)
    bench.end(1)
    bench.end(2)

    await asyncio.wait_for(bench.buffer.drained(), 5)

    assert (bench.store.transactions, bench.runs.settled) == (0, [])
    assert bench.wire.rung == [DISPATCHERS]


async def test_report_rings_dispatchers_for_what_is_due_later(bench: Bench) -> None:
    """The end of a run may be what the next slot of its schedule counts from."""
    bench.runs.is_later = True
    bench.hold(1)
    bench.end(1, needs_settlement=True)

    await asyncio.wait_for(bench.buffer.drained(), 5)

    assert (bench.runs.settled, bench.wire.rung) == ([1], [DISPATCHERS])


@pytest.mark.parametrize(
    ("error", "stored"), [(StoreUnavailableError("away"), ["printed"]), (RepositoryError("refused"), [])]
)
async def test_report_comes_after_the_output_and_whatever_becomes_of_that(
    bench: Bench, error: Exception, stored: list[str]
) -> None:
    """Where output cannot be stored for a while both wait and come; output that is refused costs no outcome."""
    bench.hold(1)
    output = bench.logs.output(RunKey(1, 1))
    output.write("stdout", b"printed")
    output.close()
    bench.run_logs.errors = [error]
    bench.end(1)

    await asyncio.wait_for(bench.buffer.drained(), 30)

    assert (bench.run_logs.stored, bench.reported) == (stored, [[1]])


async def test_worker_unit_room_is_told_only_where_nothing_more_is_granted(bench: Bench) -> None:
    """The end of a gated run rings dispatchers, unless the newest claim has left granted runs for the next one."""
    bench.runs.gated = {1, 2}
    bench.live_runs.granted_left = 1
    # What it said when it was claimed is of no account any more.
    bench.live_runs.add(msgspec.structs.replace(build_claimed(1), granted_left=0), 0.0)
    bench.end(1)
    await bench.buffer.drained()
    assert (bench.reported, bench.wire.rung) == ([[1]], [])
    bench.live_runs.granted_left = 0
    bench.live_runs.add(msgspec.structs.replace(build_claimed(2), granted_left=1), 0.0)
    bench.end(2)
    await bench.buffer.drained()
    assert bench.wire.rung == [DISPATCHERS]
