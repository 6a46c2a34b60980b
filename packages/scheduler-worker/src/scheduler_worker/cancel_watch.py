"""Whether a ring has told of a cancel, which only the answer to a renewal says."""

import asyncio
from collections.abc import Callable
from typing import Final

from scheduler_core.interfaces import Clock
from scheduler_worker.live_runs import LiveRuns

_LONG_SECONDS: Final = 0.2
"""A run that is held so long will not have ended by itself in a moment."""

_MOMENT_SECONDS: Final = 0.1


class CancelWatch:
    """Asks for a renewal because of a ring, unless all runs that were held then end within a moment.

    Most rings tell of work, and with short runs there are many: a renewal for each of them costs more than the runs.
    """

    def __init__(self, live_runs: LiveRuns, clock: Clock, nudge: Callable[[], None]) -> None:
        self._live_runs = live_runs
        self._clock = clock
        self._nudge = nudge
        self._rung = asyncio.Event()

    def rung(self) -> None:
        """It rang: what is held now, or is being claimed, may be cancelled."""
        if self._live_runs.executes_since(self._clock.monotonic() - _LONG_SECONDS):
            self._nudge()
        elif self._live_runs.executing or self._live_runs.is_claiming:
            self._rung.set()

    async def run(self) -> None:
        """Look after a moment whether the runs of a ring are still there, until cancelled."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            claims = self._live_runs.claims_started
            await self._clock.sleep(_MOMENT_SECONDS)
            if self._live_runs.executes_of(claims):
                self._nudge()
            elif self._live_runs.claims_settled < claims:
                # Its reply may bring the run that is meant.
                self._rung.set()
