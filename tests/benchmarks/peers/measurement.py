"""What every measurement of a system works with."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from benchmarks.peers.crew import Crew
from benchmarks.peers.marks import Marks
from benchmarks.peers.peer import CALLERS, Finished, Peer, shares

_WARM_UP_JOBS = 16
_WARM_UP_SECONDS = 60.0


class Figure(NamedTuple):
    """One figure."""

    metric: str
    value: float
    unit: str


class Measurement(NamedTuple):
    """The system, its worker processes and the marks of its jobs; nothing waits longer than `limit` seconds."""

    peer: Peer
    crew: Crew
    marks: Marks
    jobs: int
    limit: float

    async def begin(self) -> Finished | None:
        """Have the workers at work and the connections open, and the marks empty; what is recorded as done by then."""
        await self.peer.prepare()
        await self.peer.connect()
        self.crew.start(self.peer.worker_commands())
        await self.create_by_callers(_WARM_UP_JOBS, CALLERS)
        await self.all_begun(_WARM_UP_JOBS, "warm-up", _WARM_UP_SECONDS)
        # Reports of finished jobs may be written a moment later.
        await asyncio.sleep(1.0)
        self.marks.clear()
        return await self.peer.finished()

    async def call(self, index: int) -> None:
        """Create one job."""
        answer = self.peer.create(index)
        if self.peer.is_async:
            await answer

    async def create_by_callers(self, jobs: int, callers: int) -> None:
        """Create the first `jobs`, one by one by so many callers at once."""
        if self.peer.is_async:
            await asyncio.gather(*(self._create_share(share) for share in shares(jobs, callers)))
        else:
            with ThreadPoolExecutor(callers) as pool:
                list(pool.map(self.peer.create_share, shares(jobs, callers)))

    async def _create_share(self, share: range) -> None:
        for index in share:
            await self.peer.create(index)

    async def all_begun(self, jobs: int, what: str, seconds: float = 0.0) -> None:
        """Return once the first `jobs` have begun; RuntimeError when a worker ends or the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (seconds or self.limit)
        while (begun := self.marks.count(jobs)) < jobs:
            self.crew.check()
            if loop.time() > deadline:
                raise RuntimeError(f"{what}: only {begun} of {jobs} jobs began within the time. {self.crew.tail()}")
            await asyncio.sleep(0.02)

    async def all_finished(self, before: Finished | None, jobs: int) -> Finished | None:
        """What is recorded once `jobs` more than `before` are done; None where nothing is recorded."""
        if before is None:
            return None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 30.0
        while True:
            found = await self.peer.finished()
            if found is None or found.jobs - before.jobs == jobs:
                return found
            if loop.time() > deadline:
                raise RuntimeError(f"{found.jobs - before.jobs} of {jobs} jobs are recorded as done, though all began")
            await asyncio.sleep(0.05)


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
