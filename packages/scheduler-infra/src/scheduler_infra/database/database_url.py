"""The address that connections are opened with."""

from pathlib import Path

from scheduler_infra.database.database_config import DatabaseConfig


def resolve_url(config: DatabaseConfig, state_dir: Path) -> str:
    """The libpq URL of the configured database; for the embedded one read from its connection file.

    Raises StoreUnavailableError when no embedded PostgreSQL is running for this state directory.
    """
    if not config.is_embedded:
        return config.url
    from scheduler_infra.database.embedded.connection_file import running_connection

    return running_connection(state_dir).url


def resolve_direct_url(config: DatabaseConfig, state_dir: Path) -> str:
    """The libpq URL that reaches the server without a transaction pooler, for migrations and LISTEN."""
    return config.direct_url or resolve_url(config, state_dir)
