"""New gated runs get their streams: key expressions are evaluated, without slow ones holding up all others."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from scheduler_core.decisions.stream_keys import keyed
from scheduler_core.decisions.templates import TemplateContext, evaluate
from scheduler_core.interfaces import Clock, UnitOfWork
from scheduler_core.models.dispatch import GatedRun, KeyedRun

# About how long the expressions of one look are evaluated: the locks of their runs and tasks are held meanwhile.
_SECONDS: Final = 1.0
_SLOW_SHARE: Final = 0.25
# A definition one of whose runs takes longer has its turn after all others, for so long.
_SLOW_SECONDS: Final = 0.02
_REMEMBERED_SECONDS: Final = 60.0
_SLOW_BATCH: Final = 10


class Sorted(NamedTuple):
    """Whether somebody waits for a run that has failed by it, and whether there may be more to sort."""

    has_ended: bool
    is_more: bool


class KeySorter:
    """Sorts gated runs into streams, a batch each time; those of definitions with slow expressions come last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slow: dict[int, float] = {}
        self._is_warm = False

    async def sort(self, work: UnitOfWork, limit: int) -> Sorted:
        """Sort up to `limit` runs, or as many as can be in about a second; the window is held."""
        now = self._clock.monotonic()
        self._slow = {version_id: until for version_id, until in self._slow.items() if until > now}
        slow = list(self._slow)
        runs = await work.dispatch.gated(limit, but=slow)
        # In a thread: presence and recovery go on while expressions are evaluated.
        done = await asyncio.to_thread(self._keyed, runs, _SECONDS, but_slow=True)
        is_more = len(runs) >= limit or len(done) < len(runs)
        if slow:
            late = await work.dispatch.gated(_SLOW_BATCH, only=slow)
            done += await asyncio.to_thread(self._keyed, late, _SECONDS * _SLOW_SHARE, but_slow=False)
            is_more |= bool(late)
        ended = await work.dispatch.sort(done) if done else []
        return Sorted(bool(ended), is_more)

    def _keyed(self, runs: Sequence[GatedRun], seconds: float, *, but_slow: bool) -> list[KeyedRun]:
        """The streams of the runs, or of the first of them when that takes long; `but_slow`: without slow ones."""
        if not self._is_warm:
            # The first expression of a process pays for what it imports, whose ever it is.
            evaluate("params", TemplateContext(params={}, upstream={}, run={}))
            self._is_warm = True
        found: list[KeyedRun] = []
        until = time.monotonic() + seconds
        for run in runs:
            if but_slow and run.task_version_id in self._slow:
                continue
            # What this thread itself has worked: a busy machine makes no definition slow.
            before = time.thread_time()
            found.append(keyed(run))
            if time.thread_time() - before >= _SLOW_SECONDS:
                self._slow[run.task_version_id] = self._clock.monotonic() + _REMEMBERED_SECONDS
            if time.monotonic() >= until:
                break
        return found
