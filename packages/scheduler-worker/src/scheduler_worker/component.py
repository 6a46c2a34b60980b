"""The worker as a component: the only module here that knows the rooms of infra."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from scheduler_core.config import Settings
from scheduler_core.interfaces import (
    Component,
    ComponentContext,
    ReloadableComponent,
    RunContext,
    Store,
    WatchedComponent,
)
from scheduler_worker.worker_config import WorkerConfig
from scheduler_worker.worker_error import ProcessesInOneError

if TYPE_CHECKING:
    from scheduler_worker.worker_service import WorkerService


class WorkerComponent(Component, ReloadableComponent, WatchedComponent):
    """Runs tasks. Opens three connections at most: one for work, one for the lease, one for the bell."""

    name: ClassVar[str] = "worker"
    order: ClassVar[int] = 30

    def __init__(self, context: ComponentContext) -> None:
        self._context = context
        self._service: WorkerService | None = None

    @classmethod
    def is_enabled(cls, settings: Settings) -> bool:
        """See Component."""
        return settings.section(WorkerConfig).enabled

    async def reload(self, settings: Settings) -> None:
        """See ReloadableComponent."""
        from scheduler_infra.observability import ObservabilityConfig, change_logging

        if self._service is not None:
            self._service.reconfigure(settings.section(WorkerConfig))
        change_logging(settings.section(ObservabilityConfig))

    def is_working(self) -> bool:
        """See WatchedComponent."""
        return self._service is None or self._service.is_working()

    async def run(self, ready: Callable[[str], None], stopping: asyncio.Event) -> None:
        """See Component; draining takes up to worker.drain_seconds."""
        from scheduler_infra.database import DatabaseConfig, open_store, resolve_direct_url
        from scheduler_infra.message_queue import MessageQueueConfig, open_message_queue
        from scheduler_infra.observability import ObservabilityConfig, set_up_observability
        from scheduler_worker.containment.preparation import prepare
        from scheduler_worker.executors.executor_registry import ExecutorRegistry
        from scheduler_worker.own_thread import in_own_thread
        from scheduler_worker.worker_service import WorkerService, check_user

        settings = self._context.settings
        config = settings.section(WorkerConfig)
        if self._context.is_embedded and config.processes > 1:
            raise ProcessesInOneError(config.processes)
        database = settings.section(DatabaseConfig)

        async def open_single(purpose: str) -> Store:
            return await open_store(
                database,
                state_dir=settings.state_dir,
                application_name=f"scheduler-{purpose}",
                max_connections=1,
                keeps_plans=True,
            )

        with set_up_observability(settings.section(ObservabilityConfig), "worker"):
            check_user(config)
            await in_own_thread(lambda: prepare(settings))
            executors = ExecutorRegistry(settings)
            store = await open_single("worker")
            try:
                queue = open_message_queue(
                    settings.section(MessageQueueConfig),
                    database_url=resolve_direct_url(database, settings.state_dir),
                    application_name="scheduler-worker-bell",
                )
                try:
                    service = WorkerService(
                        store=store,
                        queue=queue,
                        open_heartbeat_store=lambda: open_single("worker-heartbeat"),
                        executors=executors,
                        clock=self._context.clock,
                        config=config,
                        traced=_traced,
                    )
                    self._service = service
                    await service.run(ready, stopping)
                finally:
                    await queue.close()
            finally:
                await executors.close()
                await store.close()


@contextmanager
def _traced(run: RunContext) -> Iterator[str | None]:
    """A span for one run, continuing the trace of the request that made it."""
    from scheduler_infra.observability import continued_span, current_traceparent

    attributes: dict[str, str | int] = {
        "task_run.id": run.run_id,
        "task_run.attempt": run.attempt,
        "task.name": run.task_name,
    }
    with continued_span("task run", run.trace_context, attributes):
        yield current_traceparent() or run.trace_context
