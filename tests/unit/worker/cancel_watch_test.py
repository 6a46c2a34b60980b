"""Which rings ask for a renewal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fixtures.clock import FrozenClock
from fixtures.worker import build_claimed
from scheduler_worker.cancel_watch import CancelWatch
from scheduler_worker.live_runs import LiveRuns


class GatedClock(FrozenClock):
    """A clock whose sleeps end when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeps: list[float] = []
        self._gate = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait for the test."""
        self.sleeps.append(seconds)
        await self._gate.wait()
        self._gate.clear()
        self.advance(seconds)

    async def pass_by(self) -> None:
        """Let the present sleep end, and all that comes of it happen."""
        self._gate.set()
        await settled()


async def settled() -> None:
    """Whoever can go on has done so."""
    for _ in range(5):
        await asyncio.sleep(0)


class Bench:
    """A watch over runs that the test claims and ends."""

    def __init__(self) -> None:
        self.clock = GatedClock()
        self.live_runs = LiveRuns()
        self.nudges = 0
        self.watch = CancelWatch(self.live_runs, self.clock, self._nudge)

    def _nudge(self) -> None:
        self.nudges += 1

    def claim(self, *run_ids: int) -> None:
        """A claim from its beginning to its reply."""
        self.live_runs.claim_started()
        self.answer(*run_ids)

    def answer(self, *run_ids: int) -> None:
        """The reply of a claim."""
        for run_id in run_ids:
            self.live_runs.add(build_claimed(run_id), self.clock.monotonic())
        self.live_runs.claim_ended()

    def end(self, run_id: int) -> None:
        """A run has an outcome."""
        live = self.live_runs.get(run_id)
        assert live is not None
        self.live_runs.ended(live)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The watch at work."""
        task = asyncio.create_task(self.watch.run())
        await settled()
        yield
        task.cancel()


async def test_rung_asks_at_once_for_runs_that_are_held_for_long() -> None:
    """A cancel of a job that has run for a while waits for nothing."""
    bench = Bench()
    bench.claim(1)
    bench.clock.advance(0.2)
    bench.watch.rung()
    assert bench.nudges == 1


async def test_rung_asks_nothing_where_nothing_is_held() -> None:
    """It rang for work, and there is nothing that could have been cancelled."""
    bench = Bench()
    async with bench.running():
        bench.watch.rung()
        bench.claim(1)
        await settled()
        assert (bench.nudges, bench.clock.sleeps) == (0, [])


async def test_rung_asks_nothing_for_runs_that_end_in_a_moment() -> None:
    """Runs that were claimed after the ring do not count: a cancel of theirs rings again."""
    bench = Bench()
    async with bench.running():
        bench.claim(1, 2)
        bench.watch.rung()
        await settled()
        for run_id in (1, 2):
            bench.end(run_id)
        bench.claim(3)
        await bench.clock.pass_by()
        assert bench.nudges == 0


async def test_rung_asks_in_a_moment_for_a_young_run_that_goes_on() -> None:
    """A cancel of a job that has just begun is noticed a tenth of a second later."""
    bench = Bench()
    async with bench.running():
        bench.claim(1, 2)
        bench.watch.rung()
        await settled()
        bench.end(1)
        assert bench.nudges == 0
        await bench.clock.pass_by()
        assert bench.nudges == 1
        assert bench.clock.sleeps == [0.1]


async def test_rung_waits_for_the_reply_of_a_claim_that_was_under_way() -> None:
    """The run that is meant may be one whose claim is committed and not answered yet."""
    bench = Bench()
    async with bench.running():
        bench.live_runs.claim_started()
        bench.watch.rung()
        await settled()
        await bench.clock.pass_by()
        assert bench.nudges == 0
        bench.answer(1)
        await bench.clock.pass_by()
        assert bench.nudges == 1


async def test_rung_waits_for_every_claim_that_was_under_way() -> None:
    """Claims overlap: one that began after the ring may be answered before the one that brings the run."""
    bench = Bench()
    async with bench.running():
        bench.live_runs.claim_started()
        bench.watch.rung()
        await settled()
        bench.claim()
        await bench.clock.pass_by()
        assert bench.nudges == 0
        bench.live_runs.claim_started()
        bench.answer(1)
        await bench.clock.pass_by()
        assert bench.nudges == 1


async def test_rung_counts_every_ring() -> None:
    """A ring while an earlier one is looked after is looked after, too, with the runs that are held by then."""
    bench = Bench()
    async with bench.running():
        bench.claim(1)
        bench.watch.rung()
        await settled()
        bench.end(1)
        bench.claim(2)
        bench.watch.rung()
        await bench.clock.pass_by()
        assert bench.nudges == 0
        await bench.clock.pass_by()
        assert bench.nudges == 1
