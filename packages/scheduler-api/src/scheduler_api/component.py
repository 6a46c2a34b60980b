"""The HTTP API as a component: the one module here that knows infra."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from typing import ClassVar

from scheduler_api.api_config import ApiConfig
from scheduler_api.bind_address import BindAddress, parse_bind_address
from scheduler_core.config import Settings
from scheduler_core.errors import ConfigError
from scheduler_core.interfaces import Component, ComponentContext, ReloadableComponent, Store

_APPLICATION_NAME = "scheduler-api"


class ApiComponent(Component, ReloadableComponent):
    """Serves the HTTP API; any number of them may run side by side."""

    name: ClassVar[str] = "api"
    order: ClassVar[int] = 10

    def __init__(self, context: ComponentContext) -> None:
        self._context = context

    @classmethod
    def is_enabled(cls, settings: Settings) -> bool:
        """See Component."""
        return settings.section(ApiConfig).enabled

    async def reload(self, settings: Settings) -> None:
        """See ReloadableComponent; only logs have live settings."""
        from scheduler_infra.observability import ObservabilityConfig, change_logging

        change_logging(settings.section(ObservabilityConfig))

    async def run(self, ready: Callable[[str], None], stopping: asyncio.Event) -> None:
        """See Component."""
        # Imported here: whoever only lists components or reads settings need not load a web framework.
        from scheduler_api.app import create_app
        from scheduler_api.http_server import bind_socket, serve
        from scheduler_api.local_credentials import ensure_local_credentials
        from scheduler_infra.database import DatabaseConfig, open_store, resolve_direct_url
        from scheduler_infra.message_queue import MessageQueueConfig, open_message_queue
        from scheduler_infra.observability import ObservabilityConfig, set_up_observability

        settings, state_dir = self._context.settings, self._context.state_dir
        config = settings.section(ApiConfig)
        database = settings.section(DatabaseConfig)
        address = parse_bind_address(config.bind_address)
        async with AsyncExitStack() as stack:
            observability = stack.enter_context(set_up_observability(settings.section(ObservabilityConfig), self.name))
            # Bound first: when the port is taken nothing else has to be undone.
            bound = stack.enter_context(closing(bind_socket(address)))
            store = await open_store(
                database, state_dir=state_dir, application_name=_APPLICATION_NAME, tells_at_once=True
            )
            stack.push_async_callback(store.close)
            async with store.autocommit() as work:
                # What reads tasks takes a second to load: at the start, not in somebody's first request.
                await work.tasks.page(None, limit=1)
            queue = open_message_queue(
                settings.section(MessageQueueConfig),
                database_url=resolve_direct_url(database, state_dir),
                application_name=_APPLICATION_NAME,
            )
            stack.push_async_callback(queue.close)
            if not address.is_loopback:
                await _require_key(store, address)
            url = address.url(bound.getsockname()[1])
            if address.is_loopback or self._context.is_embedded:
                await ensure_local_credentials(store, state_dir, url)
            app = create_app(store, queue, self._context.clock, config, observability.metrics_text, stopping)
            ready(f"listening on {url}{address.elsewhere}; its documentation is at {url}/docs")
            await serve(app, bound, stopping, config.drain_seconds)


async def _require_key(store: Store, address: BindAddress) -> None:
    async with store.autocommit() as work:
        keys = await work.api_keys.all()
    if not any(key.revoked_at is None for key in keys):
        raise ConfigError(
            f"api.bind_address {address.host}:{address.port} can be reached from other machines, and there is no API "
            "key yet. Make one with `scheduler-infra key create NAME` while the database runs (the embedded one: start "
            "once on 127.0.0.1), or listen on 127.0.0.1."
        )
