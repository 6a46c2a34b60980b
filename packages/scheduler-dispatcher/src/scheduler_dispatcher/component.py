"""The dispatcher as a component: the one module here that knows infra."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import ClassVar

from scheduler_core.config import Settings
from scheduler_core.interfaces import Component, ComponentContext, MessageQueue, ReloadableComponent, Store
from scheduler_dispatcher.deadline_service import DeadlineService
from scheduler_dispatcher.dispatch_service import DispatchService
from scheduler_dispatcher.dispatcher_config import DispatcherConfig
from scheduler_dispatcher.expansion_service import ExpansionService
from scheduler_dispatcher.lateness_service import LatenessService
from scheduler_dispatcher.loop_group import run_loops
from scheduler_dispatcher.presence_service import PresenceService
from scheduler_dispatcher.recovery_service import RecoveryService
from scheduler_dispatcher.retention_service import RetentionService
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.schedule_service import ScheduleService
from scheduler_dispatcher.service_loop import ServiceLoop
from scheduler_dispatcher.session_memory import SessionMemory
from scheduler_dispatcher.settlement_service import SettlementService
from scheduler_dispatcher.shared_bell import SharedBell
from scheduler_dispatcher.strategies.registry import Strategies
from scheduler_dispatcher.window_service import WindowService
from scheduler_infra.database import DatabaseConfig, open_store, resolve_direct_url
from scheduler_infra.message_queue import MessageQueueConfig, open_message_queue
from scheduler_infra.observability import ObservabilityConfig, change_logging, set_up_observability

_APPLICATION_NAME = "scheduler-dispatcher"


class DispatcherComponent(Component, ReloadableComponent):
    """Runs the services of a dispatcher; any number of dispatchers may run side by side."""

    name: ClassVar[str] = "dispatcher"
    order: ClassVar[int] = 20

    def __init__(self, context: ComponentContext) -> None:
        self._context = context
        self._strategies: Strategies | None = None
        self._ringable: list[ServiceLoop] = []

    @classmethod
    def is_enabled(cls, settings: Settings) -> bool:
        """See Component."""
        return settings.section(DispatcherConfig).enabled

    async def reload(self, settings: Settings) -> None:
        """See ReloadableComponent."""
        if self._strategies is not None:
            self._strategies.use(settings.section(DispatcherConfig).strategy)
            for loop in self._ringable:
                loop.ring()
        change_logging(settings.section(ObservabilityConfig))

    async def run(self, ready: Callable[[str], None], stopping: asyncio.Event) -> None:
        """See Component."""
        settings, state_dir = self._context.settings, self._context.state_dir
        config = settings.section(DispatcherConfig)
        database = settings.section(DatabaseConfig)
        async with AsyncExitStack() as stack:
            stack.enter_context(set_up_observability(settings.section(ObservabilityConfig), self.name))
            store = await open_store(
                database, state_dir=state_dir, application_name=_APPLICATION_NAME, keeps_plans=True
            )
            stack.push_async_callback(store.close)
            queue = open_message_queue(
                settings.section(MessageQueueConfig),
                database_url=resolve_direct_url(database, state_dir),
                application_name=_APPLICATION_NAME,
            )
            stack.push_async_callback(queue.close)
            self._strategies = strategies = Strategies.from_config(config)
            presence = PresenceService(store, queue, self._context.clock, lambda: strategies)
            stack.push_async_callback(presence.end)
            loops = [*self._loops(config, store, queue, strategies), ServiceLoop(presence, self._context.clock)]
            self._ringable = loops
            ready(f"dispatching, strategy '{config.strategy}'; up to {config.max_concurrent_dispatches} runs a batch")
            await run_loops(loops, SharedBell(queue, loops), stopping)

    def _loops(
        self, config: DispatcherConfig, store: Store, queue: MessageQueue, strategies: Strategies
    ) -> list[ServiceLoop]:
        """The services in the order in which work flows through them."""
        clock = self._context.clock
        ringer = Ringer(store, queue)
        batch, poll = config.max_concurrent_dispatches, config.poll_interval_seconds
        services = (
            ScheduleService(store, ringer, batch=batch, interval_seconds=config.schedule_interval_seconds),
            DispatchService(store, ringer, batch=batch, poll_interval_seconds=poll),
            WindowService(
                store, ringer, clock, config, strategies, SessionMemory(clock, config.dispatch_timeout_seconds)
            ),
            ExpansionService(store, ringer, batch=batch, poll_interval_seconds=poll),
            SettlementService(store, ringer, batch=batch, poll_interval_seconds=poll),
            DeadlineService(store, ringer, clock, batch=batch, poll_interval_seconds=poll),
            LatenessService(store, ringer, batch=batch, poll_interval_seconds=poll),
            RecoveryService(store, ringer, clock),
            RetentionService(
                store,
                clock,
                keep_seconds=config.keep_finished_seconds,
                keep_runs=config.keep_finished_runs or None,
                interval_seconds=config.retention_interval_seconds,
            ),
        )
        return [ServiceLoop(service, clock) for service in services]
