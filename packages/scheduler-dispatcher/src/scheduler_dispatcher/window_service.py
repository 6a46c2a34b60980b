"""Gated runs take their turns: sorted into streams, and let through a small window to the workers."""

from collections.abc import Sequence
from typing import Final

import structlog

from scheduler_core.decisions.placement_rules import Workers, needs_placement, place
from scheduler_core.decisions.stream_keys import keyed
from scheduler_core.decisions.window_rules import Windows, plan_window, wanted_heads
from scheduler_core.interfaces import Clock, Store, UnitOfWork
from scheduler_core.models import CreatedRun
from scheduler_core.models.dispatch import Placement, Stream, WindowPlan, WindowWork
from scheduler_dispatcher import dispatcher_metrics
from scheduler_dispatcher.dispatcher_config import DispatcherConfig
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.session_memory import SessionMemory
from scheduler_dispatcher.strategies.registry import Strategies

logger = structlog.get_logger("scheduler.dispatcher")

_FORGET_SECONDS: Final = 600.0
_FORGET_BATCH: Final = 1000
# While another dispatcher decides: it sees all that was committed before it began.
_HELD_SECONDS: Final = 0.05


class WindowService:
    """Decides whose turn it is. One dispatcher at a time does, and whichever it is decides alike."""

    name = "window"

    def __init__(
        self,
        store: Store,
        ringer: Ringer,
        clock: Clock,
        config: DispatcherConfig,
        strategies: Strategies,
        memory: SessionMemory,
    ) -> None:
        self._store = store
        self._ringer = ringer
        self._clock = clock
        self._config = config
        self._strategies = strategies
        self._memory = memory
        self._told: str | None = None
        self._next_forget = clock.monotonic() + _FORGET_SECONDS

    async def look(self) -> float:
        """Sort new gated runs, take back what was not taken, and release what is next; see Service."""
        await self._tell_strategy(self._strategies.default_name)
        async with self._store.transaction() as work:
            todo = await work.dispatch.hold_window()
            if todo is None:
                return _HELD_SECONDS
            ended, is_full = await self._sort(work, todo, self._config.max_concurrent_dispatches)
            plan = WindowPlan()
            released: Sequence[tuple[CreatedRun, int | None]] = ()
            if todo.has_streams or todo.has_unsorted:
                await self._recall(work, self._config.dispatch_timeout_seconds)
                plan, released = await self._release(work)
            await self._forget(work)
        if ended:
            await self._ringer.ring_dispatchers()
        await self._ring(released)
        waits = [self._config.poll_interval_seconds, plan.seconds_to_next, todo.seconds_to_next]
        return 0.0 if is_full else max(0.0, min(seconds for seconds in waits if seconds is not None))

    async def _tell_strategy(self, strategy: str) -> None:
        if self._told != strategy:
            async with self._store.autocommit() as work:
                await work.dispatch.set_strategy(strategy)
            self._told = strategy

    async def _sort(self, work: UnitOfWork, todo: WindowWork, limit: int) -> tuple[bool, bool]:
        """Whether somebody waits for a run that has failed by it, and whether there may be more to sort."""
        if not todo.has_unsorted:
            return False, False
        runs = await work.dispatch.gated(limit)
        ended = await work.dispatch.sort([keyed(run) for run in runs]) if runs else []
        return bool(ended), len(runs) >= limit

    async def _recall(self, work: UnitOfWork, timeout_seconds: float) -> None:
        for session_id in await work.dispatch.recall(timeout_seconds):
            logger.warning("chosen worker did not take its run", session_id=session_id, seconds=timeout_seconds)
            self._memory.missed(session_id)
            dispatcher_metrics.runs_recalled.add(1)

    async def _release(self, work: UnitOfWork) -> tuple[WindowPlan, Sequence[tuple[CreatedRun, int | None]]]:
        facts = await work.dispatch.facts()
        windows = Windows(facts, size=self._config.window, background_share=self._config.background_share)
        wanted = wanted_heads(facts, windows)
        if not wanted:
            return plan_window(facts, windows, {}, _nobody, _never), []
        heads = await work.dispatch.heads(wanted)
        workers = Workers(self._memory.apply(facts.workers))

        def choose(run: Placement) -> int | None:
            (session_id,) = place([run], workers, self._strategies.get)
            if session_id is not None:
                self._memory.chosen(session_id, run.stream.task_type)
            return session_id

        default = self._strategies.default_name
        plan = plan_window(facts, windows, heads, choose, lambda stream: needs_placement(stream.key, default))
        released = await work.dispatch.release(plan) if plan.releases else []
        if released:
            dispatcher_metrics.runs_admitted.add(len(released))
        return plan, released

    async def _ring(self, released: Sequence[tuple[CreatedRun, int | None]]) -> None:
        await self._ringer.ring_workers(run for run, session_id in released if session_id is None)
        await self._ringer.ring_sessions({session_id for _, session_id in released if session_id is not None})

    async def _forget(self, work: UnitOfWork) -> None:
        now = self._clock.monotonic()
        if now >= self._next_forget:
            count = await work.dispatch.forget(_FORGET_BATCH)
            self._next_forget = now + (0.0 if count >= _FORGET_BATCH else _FORGET_SECONDS)


def _nobody(_run: Placement) -> int | None:
    return None


def _never(_stream: Stream) -> bool:
    return False
