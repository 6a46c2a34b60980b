"""Runs that are to stand still, or to go on, and what the database is told of that."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from scheduler_core.errors import ConflictError, SessionFencedError, StoreUnavailableError
from scheduler_core.interfaces import Clock, RunNotice, Store
from scheduler_core.models import PauseReport, RunKey
from scheduler_worker.backoff import Backoff
from scheduler_worker.live_run import LiveRun

logger = logging.getLogger("scheduler.worker")

_REFUSAL: Final = b"[this run cannot be paused: what carries it out cannot stand still; it goes on]\n"


class RunPauses:
    """Lets the jobs of one session stand still and go on, with their time-outs, and reports it until cancelled."""

    def __init__(self, store: Store, session_id: int, clock: Clock) -> None:
        self._store = store
        self._session_id = session_id
        self._clock = clock
        self._reports: dict[RunKey, PauseReport] = {}
        self._wake = asyncio.Event()

    def pause(self, lives: Iterable[LiveRun]) -> None:
        """Let these stand still; of one that cannot, the wish is taken back, and its output says so."""
        for live in lives:
            if live.timer is None:
                continue  # It has not begun yet: the next renewal tells it again.
            if live.tell(RunNotice.PAUSE):
                live.is_paused = True
                live.timer.pause()
                self._report(live, PauseReport.PAUSED)
            elif self._reports.get(live.key) is not PauseReport.REFUSED:
                if live.output is not None:
                    live.output.write("log", _REFUSAL)
                self._report(live, PauseReport.REFUSED)

    def resume(self, lives: Iterable[LiveRun]) -> None:
        """Let these go on."""
        for live in lives:
            if live.timer is None or not live.tell(RunNotice.RESUME):
                continue
            live.is_paused = False
            live.timer.resume()
            self._report(live, PauseReport.RESUMED)

    async def run(self) -> None:
        """Report again and again, each time all that is new."""
        backoff = Backoff()
        while True:
            await self._wake.wait()
            self._wake.clear()
            reports = dict(self._reports)
            try:
                async with self._store.autocommit() as work:
                    await work.task_runs.report_pauses(self._session_id, reports)
            except SessionFencedError:
                return  # Told by the next renewal, too.
            except (StoreUnavailableError, ConflictError) as error:
                logger.warning("pauses not reported", extra={"runs": len(reports), "reason": str(error)})
                self._wake.set()
                await self._clock.sleep(backoff.next_seconds())
                continue
            backoff.reset()
            # What was added or has changed meanwhile is for the next time.
            for key, report in reports.items():
                if self._reports.get(key) is report:
                    del self._reports[key]
            if self._reports:
                self._wake.set()

    def _report(self, live: LiveRun, report: PauseReport) -> None:
        self._reports[live.key] = report
        self._wake.set()
