"""Gated runs take their turns: sorted into streams, and let through a small window to the workers."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import structlog

from scheduler_core.decisions.placement_rules import (
    Workers,
    is_granted,
    is_served,
    keep_room,
    needs_placement,
    place_one,
)
from scheduler_core.decisions.window_rules import Windows, plan_window, wanted_heads
from scheduler_core.interfaces import Clock, Store, UnitOfWork
from scheduler_core.models import CreatedRun
from scheduler_core.models.dispatch import Placement, Stream, WindowPlan
from scheduler_dispatcher import dispatcher_metrics
from scheduler_dispatcher.dispatcher_config import DispatcherConfig
from scheduler_dispatcher.key_sorting import KeySorter
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.service_loop import LOOK_SPACING_SECONDS
from scheduler_dispatcher.session_memory import SessionMemory
from scheduler_dispatcher.strategies.registry import Strategies

logger = structlog.get_logger("scheduler.dispatcher")

_FORGET_SECONDS: Final = 600.0
_FORGET_BATCH: Final = 1000
# While another dispatcher decides: it sees all that was committed before it began.
_HELD_SECONDS: Final = 0.05
# How often is looked whether the dispatchers' strategy is noted as this one has it: another one may have noted its own.
_TELL_SECONDS: Final = 5.0
# How soon is looked again for sessions whose runs are short, so that they ring only where they are left with none: what
# is granted ahead lasts until the fourth look (see SessionMemory).
_GRANT_SECONDS: Final = 0.15
# How often is looked for what was not taken, however often it rings.
_RECALL_SECONDS: Final = 0.25


class WindowService:
    """Decides whose turn it is. One dispatcher at a time does, and whichever it is decides alike."""

    name = "window"
    spacing_seconds = LOOK_SPACING_SECONDS

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
        self._sorter = KeySorter(clock)
        self._told: str | None = None
        self._next_tell = clock.monotonic()
        self._next_forget = clock.monotonic() + _FORGET_SECONDS
        self._next_recall = clock.monotonic()

    async def look(self) -> float:
        """Sort new gated runs, take back what was not taken, and release what is next; see Service.

        With very many streams a look is long: rings then wait for as long as the last one took, so that the database
        has as much time for others.
        """
        began = self._clock.monotonic()
        try:
            return await self._look()
        finally:
            self.spacing_seconds = max(LOOK_SPACING_SECONDS, self._clock.monotonic() - began)

    async def _look(self) -> float:
        await self._tell_strategy(self._strategies.default_name)
        async with self._store.transaction() as work:
            todo = await work.dispatch.hold_window()
            if todo is None:
                return _HELD_SECONDS
            has_ended, is_more = (
                await self._sorter.sort(work, self._config.max_concurrent_dispatches)
                if todo.has_unsorted
                else (False, False)
            )
            waits = [self._config.poll_interval_seconds, todo.seconds_to_next]
            done = _Done()
            if todo.has_streams or todo.has_unsorted or todo.has_grants:
                waits.append(await self._recall(work, self._config.dispatch_timeout_seconds))
                # Nobody rings when a session stops taking what is granted to it.
                waits.append(_GRANT_SECONDS if todo.has_grants else None)
            if todo.has_streams or todo.has_unsorted:
                done = await self._release(work)
                waits.append(_GRANT_SECONDS if done.is_fast else None)
            await self._forget(work)
        for session_id, task_type in done.chosen:
            self._memory.chosen(session_id, task_type)
        if has_ended:
            await self._ringer.ring_dispatchers()
        await self._ring(done.plan, done.released)
        waits.append(done.plan.seconds_to_next)
        seconds = 0.0 if is_more else max(0.0, min(seconds for seconds in waits if seconds is not None))
        self._memory.looks_again(seconds)
        return seconds

    async def _tell_strategy(self, strategy: str) -> None:
        now = self._clock.monotonic()
        if self._told == strategy and now < self._next_tell:
            return
        async with self._store.autocommit() as work:
            await work.dispatch.set_strategy(strategy)
        self._told, self._next_tell = strategy, now + _TELL_SECONDS

    async def _recall(self, work: UnitOfWork, timeout_seconds: float) -> float | None:
        """How soon it must be looked for them again although nobody rings: they were not looked for now."""
        now = self._clock.monotonic()
        if now < self._next_recall:
            return self._next_recall - now
        self._next_recall = now + _RECALL_SECONDS
        ahead_seconds = self._memory.ahead_seconds_max
        for taken in await work.dispatch.recall(timeout_seconds, ahead_seconds=ahead_seconds):
            self._memory.taken_back(taken.session_id, taken.runs)
            if taken.is_missed:
                logger.warning(
                    "chosen worker did not take its run", session_id=taken.session_id, seconds=timeout_seconds
                )
                self._memory.missed(taken.session_id)
                dispatcher_metrics.runs_recalled.add(1)
        return None

    async def _release(self, work: UnitOfWork) -> "_Done":
        facts = await work.dispatch.facts()
        default = self._strategies.default_name
        views = self._memory.apply(facts.workers)
        windows = Windows(
            facts,
            size=self._config.window,
            background_share=self._config.background_share,
            is_granted=lambda stream: is_granted(stream, default),
            takers=views,
        )
        workers = Workers(views)
        keep_room([stream.key for stream in facts.streams if stream.head_at is not None], workers)

        def needs_choice(stream: Stream) -> bool:
            return needs_placement(stream.key, default)

        is_fast = any(view.ahead for view in views) and any(
            stream.head_at is not None and windows.is_granted(stream) for stream in facts.streams
        )
        wanted = wanted_heads(
            facts, windows, lambda stream: is_served(stream.key, default, workers, self._strategies.get)
        )
        if not wanted:
            return _Done(plan_window(facts, windows, {}, _nobody, needs_choice), is_fast=is_fast)
        # Whatever stands before the first one by now came meanwhile, and rings.
        since = {
            stream.id: (stream.head_at, stream.head_id)
            for stream in facts.streams
            if stream.head_at is not None and stream.head_id is not None
        }
        heads = await work.dispatch.heads(wanted, since=since)
        # Noted when it is committed: what nobody was given has not ended there.
        chosen: list[tuple[int, str]] = []

        def choose(run: Placement) -> int | None:
            session_id = place_one(run, workers, self._strategies.get)
            if session_id is not None:
                chosen.append((session_id, run.stream.task_type))
            return session_id

        plan = plan_window(facts, windows, heads, choose, needs_choice)
        released = await work.dispatch.release(plan) if plan.releases else []
        granted = sum(release.granted_of is not None for release in plan.releases)
        if released or granted:
            dispatcher_metrics.runs_admitted.add(len(released) + granted)
        return _Done(plan, released, chosen, is_fast=is_fast)

    async def _ring(self, plan: WindowPlan, released: Sequence[tuple[CreatedRun, int | None]]) -> None:
        await self._ringer.ring_workers(run for run, session_id in released if session_id is None)
        chosen = {session_id for _, session_id in released}
        chosen |= {release.session_id for release in plan.releases if release.granted_of is not None}
        await self._ringer.ring_sessions({session_id for session_id in chosen if session_id is not None})

    async def _forget(self, work: UnitOfWork) -> None:
        now = self._clock.monotonic()
        if now >= self._next_forget:
            count = await work.dispatch.forget(_FORGET_BATCH)
            self._next_forget = now + (0.0 if count >= _FORGET_BATCH else _FORGET_SECONDS)


class _Done(NamedTuple):
    """What was decided, what is claimable by that, who was chosen for which type, and whether grants are gone soon."""

    plan: WindowPlan = WindowPlan()
    released: Sequence[tuple[CreatedRun, int | None]] = ()
    chosen: Sequence[tuple[int, str]] = ()
    is_fast: bool = False


def _nobody(_run: Placement) -> int | None:
    return None
