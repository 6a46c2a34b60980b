"""Output and progress stored in batches."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from fixtures.clock import FrozenClock
from fixtures.worker import FakeStore, eventually
from scheduler_core.errors import RepositoryError, StoreUnavailableError
from scheduler_core.models import RunKey, RunLogEntry, RunProgress
from scheduler_worker.log_buffer import LogBuffer
from scheduler_worker.run_output import BufferedOutput


class YieldingClock(FrozenClock):
    """Lets others run whenever it sleeps."""

    async def sleep(self, seconds: float) -> None:
        """See Clock."""
        await asyncio.sleep(0)
        self.advance(seconds)


class FakeRunLogs:
    """Keeps what is stored; raises what it is told to, once."""

    def __init__(self) -> None:
        self.batches: list[list[RunLogEntry]] = []
        self.progress: list[dict[RunKey, RunProgress]] = []
        self.error: Exception | None = None

    async def append(self, session_id: int, entries: Sequence[RunLogEntry]) -> int:
        """See RunLogRepository."""
        self._fail()
        self.batches.append(list(entries))
        return len(entries)

    async def report_progress(self, session_id: int, progress: Mapping[RunKey, RunProgress]) -> int:
        """See RunLogRepository."""
        self._fail()
        self.progress.append(dict(progress))
        return len(progress)

    def text(self, run_id: int) -> str:
        """What was stored of a run."""
        return "".join(entry.content for batch in self.batches for entry in batch if entry.run_id == run_id)

    def _fail(self) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error


def make_buffer(store: FakeRunLogs, clock: FrozenClock | None = None, **changes: int) -> LogBuffer:
    """The buffer of session 9."""
    fields = {"limit_bytes": 100_000_000, **changes}
    return LogBuffer(FakeStore(run_logs=store), 9, clock or YieldingClock(), interval_seconds=1.0, **fields)


class FloodedRunLogs(FakeRunLogs):
    """While it stores something, a job prints more than that."""

    def __init__(self) -> None:
        super().__init__()
        self.flood = 0
        self.output: BufferedOutput | None = None

    async def append(self, session_id: int, entries: Sequence[RunLogEntry]) -> int:
        """See RunLogRepository."""
        if self.output is not None and self.flood:
            self.flood -= 1
            self.output.write("stdout", (b"x" * 99 + b"\n") * 60_000)
        return await super().append(session_id, entries)


async def test_worker_unit_flush_does_not_wait_for_the_end_of_a_flood() -> None:
    """Who has ended is stored and can be reported although another run prints faster than the database takes it."""
    store = FloodedRunLogs()
    logs = make_buffer(store, waiting_bytes_max=1_000_000_000)
    store.output, store.flood = logs.output(RunKey(1, 1)), 9
    store.output.write("stdout", (b"x" * 99 + b"\n") * 60_000)
    ended = logs.output(RunKey(2, 1))
    ended.write("stdout", b"done\n")
    ended.close()

    await logs.flush()

    assert (store.text(2), store.flood > 5, logs.is_empty) == ("done\n", True, False)
    while not logs.is_empty:
        await logs.flush()
    assert len(store.text(1)) == 10 * 6_000_000


async def test_worker_unit_flush_stores_all_in_bounded_batches() -> None:
    """Much output is taken and stored in steps, in order, and the latest progress of all runs in one statement."""
    store = FakeRunLogs()
    logs = make_buffer(store)
    outputs = [logs.output(RunKey(run_id, 1)) for run_id in (1, 2, 3)]
    for output in outputs:
        output.write("stdout", (b"x" * 99 + b"\n") * 60_000)
        output.report(RunProgress(share=0.1))
        output.report(RunProgress(text="half"))
    for count in range(2000):
        outputs[0].write("stderr" if count % 2 else "stdout", b"%d\n" % count)

    await logs.flush()

    assert logs.is_empty
    assert store.text(2) == ("x" * 99 + "\n") * 60_000
    assert store.text(1).endswith("1998\n1999\n")
    assert max(sum(len(entry.content) for entry in batch) for batch in store.batches) <= 4 * 1024 * 1024 + 65_536
    assert max(len(batch) for batch in store.batches) <= 500
    assert store.progress == [{RunKey(run_id, 1): RunProgress(share=0.1, text="half") for run_id in (1, 2, 3)}]


async def test_worker_unit_flush_keeps_what_the_database_did_not_take() -> None:
    """While the database is away entries and progress wait, and come once, whole and in order, when it is back."""
    store = FakeRunLogs()
    logs = make_buffer(store)
    first, second = logs.output(RunKey(1, 1)), logs.output(RunKey(2, 1))
    first.write("stdout", (b"x" * 99 + b"\n") * 90_000)
    second.write("stdout", b"one\n")
    second.report(RunProgress(share=0.5))
    store.error = StoreUnavailableError("away")
    with pytest.raises(StoreUnavailableError):
        await logs.flush()
    assert not logs.is_empty
    first.write("stdout", b"later\n")
    second.close()

    await logs.flush()

    assert logs.is_empty
    assert store.text(1) == ("x" * 99 + "\n") * 90_000 + "later\n"
    assert store.text(2) == "one\n"
    assert store.progress == [{RunKey(2, 1): RunProgress(share=0.5)}]


async def test_worker_unit_flush_drops_what_the_database_refuses() -> None:
    """Output that the database never takes keeps neither other output nor the report of the run back."""
    store = FakeRunLogs()
    logs = make_buffer(store)
    output = logs.output(RunKey(1, 1))
    output.write("stdout", b"refused\n")
    store.error = RepositoryError("no")
    await logs.flush()
    output.write("stdout", b"taken\n")
    output.report(RunProgress(share=0.5))
    await logs.flush()

    assert logs.is_empty
    assert store.text(1) == "taken\n"
    assert len(store.progress) == 1


async def test_worker_unit_waiting_output_of_all_runs_shares_one_room() -> None:
    """Runs that print more than may wait lose it, each with a marker; what is stored makes room for all."""
    store = FakeRunLogs()
    logs = make_buffer(store, waiting_bytes_max=100_000)
    first, second = logs.output(RunKey(1, 1)), logs.output(RunKey(2, 1))
    first.write("stdout", b"a" * 60_000 + b"\n")
    second.write("stdout", b"b" * 60_000 + b"\n")
    await logs.flush()
    second.write("stdout", b"c\n")
    second.close()
    await logs.flush()

    assert store.text(1) == "a" * 60_000 + "\n"
    assert store.text(2) == "[60001 bytes of output were not kept: too much was waiting for the database]\nc\n"


async def test_worker_unit_run_stores_what_comes_in_between() -> None:
    """The loop stores what is printed from any thread, also after a time without the database, and else sleeps."""
    store = FakeRunLogs()
    clock = YieldingClock()
    logs = make_buffer(store, clock)
    output = logs.output(RunKey(1, 1))
    loop = asyncio.create_task(logs.run())
    await asyncio.sleep(0.01)
    before = clock.monotonic()
    await asyncio.sleep(0.01)
    assert clock.monotonic() == before, "nobody has printed anything"
    for number in range(3):
        store.error = StoreUnavailableError("away")
        await asyncio.to_thread(output.write, "stdout", b"%d\n" % number)
        await eventually(lambda expected=number + 1: len(store.batches) == expected)  # type: ignore[misc]
    loop.cancel()

    assert store.text(1) == "0\n1\n2\n"


async def test_worker_unit_run_stores_at_once_when_room_gets_scarce() -> None:
    """Who prints much is not made to wait for the interval, in which the rest would find no room."""

    class StandingClock(FrozenClock):
        async def sleep(self, seconds: float) -> None:
            await asyncio.Event().wait()

    store = FakeRunLogs()
    logs = make_buffer(store, StandingClock(), waiting_bytes_max=100_000)
    output = logs.output(RunKey(1, 1))
    loop = asyncio.create_task(logs.run())
    await asyncio.sleep(0)
    for number in range(10):
        await asyncio.to_thread(output.write, "stdout", b"%d" % number * 59_999 + b"\n")
        await eventually(lambda: logs.is_empty)
    loop.cancel()

    assert store.text(1) == "".join(f"{str(number) * 59_999}\n" for number in range(10))
