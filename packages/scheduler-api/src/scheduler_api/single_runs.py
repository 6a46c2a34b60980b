"""Runs of tasks that stand alone, made by one statement for all that are asked for at the same time."""

import asyncio
from collections.abc import Sequence
from itertools import takewhile
from typing import Final, NamedTuple

from scheduler_api.work_ringer import WorkRinger
from scheduler_core.errors import RepositoryError, StoreUnavailableError
from scheduler_core.interfaces import Store
from scheduler_core.models import CreatedRun, SingleRun

BATCH_MAX: Final = 500
_CHARACTERS_MAX = 4_000_000


class _Asked(NamedTuple):
    wanted: SingleRun
    answer: "asyncio.Future[CreatedRun | None]"


class SingleRuns:
    """Makes runs for callers that wait for the commit, and rings for them while the callers go on.

    What is asked for while a statement is on its way goes into the next one, so that many callers share what a commit
    costs. Belongs to the event loop of its callers.
    """

    def __init__(self, store: Store, ringer: WorkRinger) -> None:
        self._store = store
        self._ringer = ringer
        self._asked: list[_Asked] = []
        self._writing: asyncio.Task[None] | None = None
        self._unrung: list[CreatedRun] = []
        self._ringing: asyncio.Task[None] | None = None

    async def create(self, wanted: SingleRun) -> CreatedRun | None:
        """The run, committed; None, and nothing was made, when it has to be made as a flow.

        Raises StoreUnavailableError, after which the run may be there or not. Whoever is cancelled has still asked.
        """
        answer: asyncio.Future[CreatedRun | None] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(wanted, answer))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await answer

    async def _write_all(self) -> None:
        try:
            while self._asked:
                batch = self._next_batch()
                try:
                    created = await self._created([asked.wanted for asked in batch])
                except BaseException as error:
                    for asked in batch:
                        if not asked.answer.done():
                            asked.answer.set_exception(_told(error))
                    if not isinstance(error, Exception):
                        raise
                    continue
                for asked, run in zip(batch, created, strict=True):
                    if not asked.answer.done():
                        asked.answer.set_result(run)
                self._ring_for([run for run in created if run is not None])
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

    async def _created(self, wanted: Sequence[SingleRun]) -> Sequence[CreatedRun | None]:
        try:
            async with self._store.autocommit() as work:
                return await work.task_runs.create_single(wanted)
        except StoreUnavailableError:
            raise
        except RepositoryError:
            # It collided, or one of them is what the database does not take: each finds out by itself.
            return [None] * len(wanted)

    def _ring_for(self, runs: Sequence[CreatedRun]) -> None:
        self._unrung += runs
        if self._unrung and self._ringing is None:
            self._ringing = asyncio.create_task(self._ring_all())

    async def _ring_all(self) -> None:
        try:
            while self._unrung:
                runs, self._unrung = self._unrung, []
                await self._ringer.ring_for_runs(runs)
        finally:
            self._ringing = None


def _told(error: BaseException) -> BaseException:
    """What a caller is told; each is raised from the same error, which no two can share."""
    if isinstance(error, StoreUnavailableError):
        told = StoreUnavailableError(str(error))
        told.__cause__ = error
        return told
    return asyncio.CancelledError() if isinstance(error, asyncio.CancelledError) else error
