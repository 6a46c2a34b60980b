"""What a running server says about itself."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import psycopg
from psycopg import sql

from scheduler_core.errors import ComponentFailedError
from scheduler_infra.database.embedded.cluster_layout import DATABASE, PORT, USER

_CONNECT_SECONDS = 10


class WrongPasswordError(Exception):
    """The server is there, and the password that was kept is not its password."""


class ServerAnswer(NamedTuple):
    """Proof that a server serves: its version, its data directory, and when it was started (seconds since 1970)."""

    version: str
    data_dir: str
    started_at: int


def server_url(socket_dir: Path, password: str, database: str) -> str:
    """The libpq URL of one of the server's databases."""
    return (
        f"postgresql://{USER}:{quote(password, safe='')}@/{database}?host={quote(str(socket_dir), safe='')}&port={PORT}"
    )


async def ask_server(url: str) -> ServerAnswer | None:
    """What the server says; None when it does not answer now, as while it recovers. Raises WrongPasswordError."""
    try:
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=_CONNECT_SECONDS)
        async with connection:
            cursor = await connection.execute(
                "SELECT current_setting('server_version'), current_setting('data_directory'),"
                " extract(epoch FROM pg_postmaster_start_time())::bigint"
            )
            row = await cursor.fetchone()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise WrongPasswordError from error
        return None
    return None if row is None else ServerAnswer(str(row[0]), str(row[1]), int(row[2]))


async def ensure_database(url: str) -> None:
    """Create our database if it is not there yet; raises ComponentFailedError with the server's reason."""
    try:
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=_CONNECT_SECONDS)
        async with connection:
            cursor = await connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
            if await cursor.fetchone() is None:
                await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    except psycopg.Error as error:
        raise ComponentFailedError("postgresql", f"its database '{DATABASE}' could not be made: {error}") from error
