"""Runs of tasks that stand alone, made by one statement for all that are asked for at the same time."""

import asyncio
import math
from collections.abc import Sequence
from itertools import takewhile
from typing import Final, NamedTuple

from scheduler_api.work_ringer import WorkRinger
from scheduler_core.errors import RepositoryError, StoreUnavailableError
from scheduler_core.interfaces import Store
from scheduler_core.interfaces.repository_answer import SingleAnswer
from scheduler_core.models import CreatedRun, SingleRun

BATCH_MAX: Final = 500
RING_SPACING_SECONDS: Final = 0.002
"""How far apart rings are at least: the runs that are made between two of them share the later one."""

_RING_WAIT_SECONDS: Final = 0.003
"""For so long after a ring the next statement may bring the next one along before it is sent by itself."""

_CHARACTERS_MAX = 4_000_000


class _Asked(NamedTuple):
    wanted: SingleRun
    answer: "asyncio.Future[CreatedRun | None]"


class SingleRuns:
    """Makes runs for callers that wait for the commit, and rings for them.

    What is asked for while a statement is on its way goes into the next one, so that many callers share what a commit
    costs. A statement rings as it commits where it can; else it is rung while the callers go on. After a quiet moment
    that is at once, and then every few milliseconds for all that were made since. Belongs to the event loop of its
    callers.
    """

    def __init__(self, store: Store, ringer: WorkRinger) -> None:
        self._store = store
        self._ringer = ringer
        self._asked: list[_Asked] = []
        self._writing: asyncio.Task[None] | None = None
        self._unrung: list[CreatedRun] = []
        self._unrung_since = -math.inf
        self._ringing: asyncio.Task[None] | None = None
        self._rung_at = -math.inf
        self._is_bringing_ring = False

    async def create(self, wanted: SingleRun) -> CreatedRun | None:
        """The run, committed; None, and nothing was made, when it has to be made as a flow.

        Raises StoreUnavailableError, after which the run may be there or not. Whoever is cancelled has still asked.
        """
        answer: asyncio.Future[CreatedRun | None] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(wanted, answer))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await answer

    async def rung(self) -> None:
        """Return when somebody has been rung for all runs that are made by now."""
        while self._ringing is not None:
            await asyncio.wait({self._ringing})

    async def _write_all(self) -> None:
        try:
            while self._asked:
                batch = self._next_batch()
                try:
                    created, is_rung = await self._created([asked.wanted for asked in batch])
                except BaseException as error:
                    for asked in batch:
                        if not asked.answer.done():
                            asked.answer.set_exception(_told(error))
                    if not isinstance(error, Exception):
                        raise
                    # It may have been to bring a ring along for others.
                    self._see_to_rings([], is_rung=False)
                    continue
                for asked, run in zip(batch, created, strict=True):
                    if not asked.answer.done():
                        asked.answer.set_result(run)
                self._see_to_rings([run for run in created if run is not None], is_rung=is_rung)
                # Who was answered and asks again at once goes along, or would always be one statement behind.
                await asyncio.sleep(0)
        finally:
            self._writing = None

    def _next_batch(self) -> list[_Asked]:
        left = _CHARACTERS_MAX

        def fits(asked: _Asked) -> bool:
            nonlocal left
            left -= len(asked.wanted.parameters or "")
            return left >= 0

        batch = list(takewhile(fits, self._asked[:BATCH_MAX])) or self._asked[:1]
        del self._asked[: len(batch)]
        return batch

    async def _created(self, wanted: Sequence[SingleRun]) -> SingleAnswer:
        ring = self._ringer.commit_ring if self._now() - self._rung_at >= RING_SPACING_SECONDS else None
        self._is_bringing_ring = ring is not None
        try:
            async with self._store.autocommit() as work:
                return await work.task_runs.create_single(wanted, ring, len(wanted) + len(self._unrung))
        except StoreUnavailableError:
            raise
        except RepositoryError:
            pass
        finally:
            self._is_bringing_ring = False
        if len(wanted) == 1:
            return SingleAnswer([None], is_rung=False)
        # It collided, or one of them is what the database does not take: each finds out by itself.
        answers = [await self._created([one]) for one in wanted]
        return SingleAnswer([run for answer in answers for run in answer.runs], is_rung=False)

    def _see_to_rings(self, runs: Sequence[CreatedRun], *, is_rung: bool) -> None:
        if is_rung:
            self._rung_at = self._now()
            # The ring was for those, too, that waited for one, as far as the same sessions take them.
            lanes = {(run.queue, run.task_type) for run in runs}
            self._unrung = [run for run in self._unrung if (run.queue, run.task_type) not in lanes]
        elif runs:
            if not self._unrung:
                self._unrung_since = self._now()
            self._unrung += runs
        if self._unrung and self._ringing is None:
            self._ringing = asyncio.create_task(self._ring_all())

    async def _ring_all(self) -> None:
        try:
            while self._unrung:
                # The later ring may have been for other lanes only: it does not put these off.
                if (left := min(self._rung_at, self._unrung_since) + _RING_WAIT_SECONDS - self._now()) > 0:
                    await asyncio.sleep(left)
                    continue
                if self._is_bringing_ring:
                    # Begun anew after that statement if it leaves somebody to be rung for.
                    return
                runs, self._unrung = self._unrung, []
                self._rung_at = self._now()
                await self._ringer.ring_for_runs(runs)
        finally:
            self._ringing = None

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _told(error: BaseException) -> BaseException:
    """What a caller is told; each is raised from the same error, which no two can share."""
    if isinstance(error, StoreUnavailableError):
        told = StoreUnavailableError(str(error))
        told.__cause__ = error
        return told
    return asyncio.CancelledError() if isinstance(error, asyncio.CancelledError) else error
