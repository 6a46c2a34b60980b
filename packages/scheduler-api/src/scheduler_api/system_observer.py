"""Looks at the whole: statistics, health, metrics. Cheap to ask: looks are shared, and each has a limit."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from scheduler_api.prometheus_text import gauges_text, message_queue_text
from scheduler_api.schemas.health_schema import HealthPart, Readiness
from scheduler_core.errors import MessageQueueError, SchedulerError, SchemaVersionError
from scheduler_core.interfaces import Clock, MessageQueue, Store
from scheduler_core.models import SystemStatistics
from scheduler_core.models.dispatch import StreamClass
from scheduler_core.models.system import DispatchStatistics

ResultT = TypeVar("ResultT")

CHECK_SECONDS_MAX = 2.0
_SHARED_SECONDS = 1.0


class SystemObserver:
    """Answers for /health, /metrics and system statistics.

    `component_metrics` gives what this process measures of itself, in Prometheus text.
    """

    def __init__(
        self, store: Store, queue: MessageQueue, clock: Clock, component_metrics: Callable[[], str], version: str
    ) -> None:
        self.version = version
        self._store = store
        self._queue = queue
        self._clock = clock
        self._component_metrics = component_metrics
        self._seen: tuple[float, SystemStatistics] | None = None
        self._dispatch: tuple[float, DispatchStatistics] | None = None
        self._looking = asyncio.Lock()
        self._leaving: set[asyncio.Task[Any]] = set()

    async def statistics(self) -> SystemStatistics:
        """Counted by the database at most a second ago: whoever asks often does not count often."""
        async with self._looking:
            if self._seen is None or self._clock.monotonic() - self._seen[0] > _SHARED_SECONDS:
                async with self._store.autocommit() as work:
                    self._seen = (self._clock.monotonic(), await work.system.statistics())
            return self._seen[1]

    async def dispatch_statistics(self) -> DispatchStatistics:
        """The same for limits and turns."""
        async with self._looking:
            if self._dispatch is None or self._clock.monotonic() - self._dispatch[0] > _SHARED_SECONDS:
                async with self._store.autocommit() as work:
                    gated, limits = await work.system.gated_runs(), await work.limits.totals()
                counted = DispatchStatistics(
                    waiting_by_class={each: gated.get(each, (0, 0))[0] for each in StreamClass},
                    claimable_by_class={each: gated.get(each, (0, 0))[1] for each in StreamClass},
                    limits=limits,
                )
                self._dispatch = (self._clock.monotonic(), counted)
            return self._dispatch[1]

    async def readiness(self) -> Readiness:
        """Looks at database, schema and message queue now, within a few seconds."""
        database, message_queue = await asyncio.gather(self._database_part(), self._message_queue_part())
        parts = {**database, "message_queue": message_queue}
        statuses = {part.status for part in parts.values()}
        status = next(worst for worst in ("unavailable", "degraded", "ok") if worst in statuses)
        return Readiness(status=status, parts=parts)

    async def metrics_text(self) -> str:
        """What this process measures, and what the database counts; without a database the first alone."""
        whole, is_up = await asyncio.gather(self._database_text(), self._is_message_queue_up())
        own = self._component_metrics()
        whole = message_queue_text(is_up=is_up) + whole
        return f"{own.rstrip()}\n{whole}" if own.strip() else whole

    async def _database_text(self) -> str:
        try:
            statistics = await self._limited(self.statistics())
        except (SchedulerError, TimeoutError):
            return gauges_text(None)
        try:
            return gauges_text(statistics, await self._limited(self.dispatch_statistics()))
        except (SchedulerError, TimeoutError):
            # Counting what waits may take too long while very much does: that is no outage.
            return gauges_text(statistics)

    async def _is_message_queue_up(self) -> bool:
        # Asked only when it does not seem so: whoever measures often does not connect often.
        return self._queue.is_connected or (await self._message_queue_part()).status == "ok"

    async def _database_part(self) -> dict[str, HealthPart]:
        async def check() -> None:
            async with self._store.autocommit() as work:
                await work.system.check()

        try:
            await self._limited(check())
        except SchemaVersionError as error:
            return {"database": HealthPart(status="ok"), "schema": HealthPart(status="unavailable", detail=str(error))}
        except (SchedulerError, TimeoutError) as error:
            unknown = HealthPart(status="unavailable", detail="Not known while the database is away.")
            return {"database": HealthPart(status="unavailable", detail=_told(error)), "schema": unknown}
        return {"database": HealthPart(status="ok"), "schema": HealthPart(status="ok")}

    async def _message_queue_part(self) -> HealthPart:
        try:
            await self._limited(self._queue.check())
        except MessageQueueError as error:
            # Rings are lost meanwhile; everybody looks for work without them, only later.
            return HealthPart(status="degraded", detail=str(error))
        except TimeoutError:
            silence = f"{self._queue.place} gave no answer within {CHECK_SECONDS_MAX:g} s."
            detail = f"{silence} Work is still found by polling."
            return HealthPart(status="degraded", detail=detail)
        return HealthPart(status="ok")

    async def _limited(self, check: Coroutine[Any, Any, ResultT]) -> ResultT:
        """The result of a check; raises TimeoutError at the limit, not when the check has been cleared away.

        A query that hangs takes ten seconds more to be cancelled.
        """
        task = asyncio.create_task(check)
        done, _ = await asyncio.wait({task}, timeout=CHECK_SECONDS_MAX)
        if done:
            return task.result()
        task.cancel()
        self._leaving.add(task)
        task.add_done_callback(self._forget)
        raise TimeoutError

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._leaving.discard(task)
        if not task.cancelled():
            task.exception()  # nobody waits for it any more


def _told(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not isinstance(error, SchedulerError):
        return f"No answer within {CHECK_SECONDS_MAX:g} s."
    return str(error)
