"""The embedded PostgreSQL as a component: started first, stopped last."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from scheduler_core.config import Settings
from scheduler_core.interfaces import Component, ComponentContext
from scheduler_infra.database.database_config import DatabaseConfig


class EmbeddedPostgresqlComponent(Component):
    """Runs a migrated PostgreSQL for the state directory, when database.url is "embedded"."""

    name: ClassVar[str] = "postgresql"
    order: ClassVar[int] = 0

    def __init__(self, context: ComponentContext) -> None:
        self._state_dir = context.state_dir

    @classmethod
    def is_enabled(cls, settings: Settings) -> bool:
        """Whether the database is the embedded one."""
        return settings.section(DatabaseConfig).is_embedded

    async def run(self, ready: Callable[[str], None], stopping: asyncio.Event) -> None:
        """Start or attach to the server, migrate it, and keep it until `stopping`.

        Raises ComponentFailedError with the server's last words when it ends before.
        """
        # Only now: `scheduler up --without postgresql` and the other programs do without its libraries.
        from scheduler_infra.database.embedded.embedded_postgresql import EmbeddedPostgresql

        server = EmbeddedPostgresql(self._state_dir)
        try:
            # Recovery after a crash may take minutes, and somebody may not want to wait for it.
            if not await _unless(stopping, server.start()):
                return
            if not await _unless(stopping, _migrate(server.url)):
                return
            ready(_introduction(server.version, server.pid, str(server.data_dir), is_owner=server.is_owner))
            await _unless(stopping, server.wait_failed())
        finally:
            await server.stop()


async def _migrate(url: str) -> None:
    from scheduler_infra.database.migrator import upgrade

    await asyncio.to_thread(upgrade, url)


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work, and say True; or leave it, cancelled, when `stopping` is set before it is done."""
    doing, asked = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((doing, asked), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            doing.result()
            return True
        return False
    finally:
        doing.cancel()
        asked.cancel()
        await asyncio.gather(doing, asked, return_exceptions=True)


def _introduction(version: str, pid: int, data_dir: str, *, is_owner: bool) -> str:
    said = f"PostgreSQL {version}, data in {data_dir}"
    return said if is_owner else f"{said} (attached: process {pid} is run by another `scheduler up`)"
