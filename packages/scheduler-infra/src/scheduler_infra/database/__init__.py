"""PostgreSQL: repositories, migrations and the embedded server. Outsiders need the names below, nothing else."""

from pathlib import Path

from scheduler_core.interfaces import Store
from scheduler_infra.database.database_config import DatabaseConfig
from scheduler_infra.database.database_url import resolve_direct_url, resolve_url

__all__ = ["DatabaseConfig", "open_store", "resolve_direct_url", "resolve_url"]


async def open_store(
    config: DatabaseConfig,
    *,
    state_dir: Path,
    application_name: str,
    max_connections: int | None = None,
    keeps_plans: bool = False,
    tells_at_once: bool = False,
) -> Store:
    """Connect to the configured database and check that it can be used.

    `keeps_plans` is for who repeats few statements very often: they are planned once, whatever they are asked with.

    `tells_at_once` is for who answers somebody: when the server goes away later, StoreUnavailableError comes at once
    instead of when `database.connect_timeout_seconds` are over.

    Raises StoreUnavailableError when it cannot be reached or not be written to, SchemaVersionError when it needs
    `scheduler-infra db upgrade`.
    """
    from scheduler_infra.database.connection_attempts import ConnectionAttempts
    from scheduler_infra.database.store import PostgresStore, open_pool

    attempts = ConnectionAttempts() if tells_at_once else None
    pool = await open_pool(
        resolve_url(config, state_dir),
        config,
        application_name=application_name,
        max_connections=max_connections or config.max_connections,
        keeps_plans=keeps_plans,
        attempts=attempts,
    )
    store = PostgresStore(pool, attempts)
    try:
        async with store.autocommit() as work:
            await work.system.check()
    except BaseException:
        await store.close()
        raise
    return store
