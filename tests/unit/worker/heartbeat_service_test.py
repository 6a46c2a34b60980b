"""The renewal of the lease."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from fixtures.worker import FakeStore, eventually
from scheduler_core.errors import StoreUnavailableError
from scheduler_core.models import HeldRun
from scheduler_core.runtime import SystemClock
from scheduler_worker.heartbeat_service import HeartbeatService
from scheduler_worker.lease import Lease


class FakeSessions:
    """A WorkerSessionRepository whose renewals the test answers."""

    def __init__(self, answer: Callable[[], Awaitable[list[HeldRun] | None]]) -> None:
        self._answer = answer
        self.renewals: list[bool] = []
        self.places: list[int | None] = []
        self.loads: list[Mapping[str, float] | None] = []
        self.threads: set[int] = set()

    async def renew(
        self,
        session_id: int,
        draining: bool = False,
        places: int | None = None,
        load: Mapping[str, float] | None = None,
    ) -> list[HeldRun] | None:
        """Answer a renewal."""
        self.places.append(places)
        self.loads.append(load)
        self.threads.add(threading.get_ident())
        self.renewals.append(draining)
        return await self._answer()


class Bench:
    """A heartbeat with a lease of half a second and everything that it tells."""

    def __init__(self, answer: Callable[[], Awaitable[list[HeldRun] | None]], lease_seconds: float = 0.5) -> None:
        self.sessions = FakeSessions(answer)
        self.store = FakeStore(worker_sessions=self.sessions)
        self.told: list[Any] = []
        self.killed_at: list[float] = []
        self.began_at = time.monotonic()
        self.lease = Lease(lease_seconds, self.began_at)
        self.service = HeartbeatService(
            self._open,
            7,
            self.lease,
            SystemClock(),
            interval_seconds=0.1,
            on_renewed=self._renewed,
            on_lost=lambda reason: self.told.append(("lost", reason)),
            on_failed=lambda reason: self.told.append(("failed", reason)),
            kill_now=lambda: self.killed_at.append(time.monotonic()),
            load=lambda: {"cpu_share": 0.5},
        )

    async def _open(self) -> Any:
        return self.store

    def _renewed(self, rows: Sequence[HeldRun], requested_at: float) -> None:
        self.told.append(("renewed", list(rows)))


async def alive() -> list[HeldRun] | None:
    """The answer of a healthy database."""
    return [HeldRun(1, 1, False)]


async def fenced() -> list[HeldRun] | None:
    """The answer to a session that is not alive."""
    return None


async def away() -> list[HeldRun] | None:
    """A database that cannot be reached."""
    raise StoreUnavailableError("away")


async def silent() -> list[HeldRun] | None:
    """A database that does not answer."""
    await asyncio.Event().wait()
    return None


async def broken() -> list[HeldRun] | None:
    """A fault of ours."""
    raise RuntimeError("a defect")


async def test_start_renews_in_a_thread_of_its_own() -> None:
    """Renewals go on while the worker's loop is blocked for longer than the lease."""
    bench = Bench(alive)
    bench.service.start()

    time.sleep(0.8)  # noqa: ASYNC251 - the block is what is tested

    assert not bench.lease.is_lost
    assert len(bench.sessions.renewals) >= 4
    assert threading.get_ident() not in bench.sessions.threads
    await eventually(lambda: ("renewed", [HeldRun(1, 1, False)]) in bench.told)
    await bench.service.stop()
    assert bench.store.is_closed
    assert bench.killed_at == []


@pytest.mark.parametrize("answer", [away, silent])
async def test_start_kills_when_trust_ends(answer: Callable[[], Awaitable[list[HeldRun] | None]]) -> None:
    """Without an answer the children are killed when trust ends: before the lease does, also with a blocked loop."""
    bench = Bench(answer, lease_seconds=1.5)
    bench.service.start()

    time.sleep(1.7)  # noqa: ASYNC251 - the block is what is tested

    (killed_at,) = bench.killed_at
    assert 1.35 <= killed_at - bench.began_at < 1.5
    await eventually(lambda: bench.told == [("lost", "its lease could not be renewed in time")])
    await bench.service.stop()


async def test_start_kills_at_once_when_fenced() -> None:
    """A session that the database calls dead is over at once."""
    bench = Bench(fenced, lease_seconds=60.0)
    bench.service.start()

    await eventually(lambda: bench.told == [("lost", "the database says that it is not alive")])

    assert bench.lease.is_lost
    assert len(bench.killed_at) == 1
    await bench.service.stop()


async def test_start_kills_when_it_fails_itself() -> None:
    """A heartbeat that ends by a fault of its own does not leave jobs without a lease."""
    bench = Bench(broken, lease_seconds=60.0)
    bench.service.start()

    await eventually(lambda: bench.told == [("failed", "its heartbeat failed: a defect")])

    assert len(bench.killed_at) == 1
    await bench.service.stop()


async def test_nudge_renews_before_the_interval() -> None:
    """A nudge brings the next renewal forward and says that the session drains."""
    bench = Bench(alive, lease_seconds=600.0)
    bench.service._interval_seconds = 100.0
    bench.service.start()
    await eventually(lambda: bench.sessions.renewals == [False])

    bench.service.nudge(draining=True)

    await eventually(lambda: bench.sessions.renewals == [False, True])
    await bench.service.stop()


async def test_nudge_tells_the_places_with_this_and_every_later_renewal() -> None:
    """A renewal that gets lost must not leave the database with the old number."""
    bench = Bench(alive, lease_seconds=600.0)
    bench.service._interval_seconds = 100.0
    bench.service.start()
    await eventually(lambda: bench.sessions.places == [None])
    bench.service.nudge(places=3)
    await eventually(lambda: bench.sessions.places == [None, 3])
    bench.service.nudge()
    await eventually(lambda: bench.sessions.places == [None, 3, 3])
    await bench.service.stop()


async def test_stop_is_quick_and_kills_nobody() -> None:
    """A heartbeat that is stopped ends at once, even in the middle of a renewal, and loses nothing."""
    bench = Bench(silent, lease_seconds=60.0)
    bench.service.start()
    await eventually(lambda: len(bench.sessions.renewals) == 1)

    began = time.monotonic()
    await bench.service.stop()

    assert time.monotonic() - began < 2
    assert (bench.told, bench.killed_at) == ([], [])


async def test_start_tells_of_the_host_at_each_renewal() -> None:
    """What the host's load is goes with every renewal."""
    bench = Bench(alive)
    bench.service.start()
    await eventually(lambda: len(bench.sessions.loads) >= 2)
    assert all(load == {"cpu_share": 0.5} for load in bench.sessions.loads)
    await bench.service.stop()


async def test_answers_tells_a_thread_that_hangs() -> None:
    """A thread that does not come to answer is told, and one that goes on is well again."""
    hold = threading.Event()

    async def stuck() -> list[HeldRun] | None:
        hold.wait(20)  # the block is what is tested
        return []

    bench = Bench(stuck, lease_seconds=60.0)
    assert bench.service.answers()
    bench.service.start()
    await eventually(lambda: len(bench.sessions.renewals) == 1)
    assert [bench.service.answers(), bench.service.answers(), bench.service.answers()] == [True, False, False]
    hold.set()
    await eventually(bench.service.answers)
    await bench.service.stop()
    assert bench.service.answers()
