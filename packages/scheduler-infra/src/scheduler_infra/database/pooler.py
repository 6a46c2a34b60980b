"""What stands between a process and its PostgreSQL."""

from enum import Enum
from typing import Any

from psycopg import AsyncConnection

_ATTEMPTS = 5


class Pooler(Enum):
    """What answers at an address."""

    NONE = "none"
    SESSION = "session"
    TRANSACTION = "transaction"


async def is_pooled(connection: AsyncConnection[Any]) -> bool:
    """Whether the process that answers statements is another one than the process that took the connection."""
    return await _server_process(connection) != connection.info.backend_pid


async def pooler_at(url: str, *, application_name: str, connect_timeout: int) -> Pooler:
    """What answers at a libpq URL; SESSION also for a pooler that has shown no sign of pooling transactions.

    Raises psycopg.Error when nobody answers.
    """
    options: dict[str, Any] = {
        "autocommit": True,
        "prepare_threshold": None,
        "application_name": application_name,
        "connect_timeout": connect_timeout,
    }
    async with await AsyncConnection.connect(url, **options) as one:
        if not await is_pooled(one):
            return Pooler.NONE
        async with await AsyncConnection.connect(url, **options) as other:
            answered_one: set[int] = set()
            answered_other: set[int] = set()
            # Each time an odd number of questions: who lends two server connections in turn would else always lend the
            # same one to the same client.
            for _ in range(_ATTEMPTS):
                answered_one.add(await _server_process(one))
                answered_other.add(await _server_process(other))
                answered_one.add(await _server_process(one))
                # Neither is in a transaction: who pools those lends both the same server connection, or changes it.
                if len(answered_one) > 1 or len(answered_other) > 1 or answered_one & answered_other:
                    return Pooler.TRANSACTION
    return Pooler.SESSION


async def _server_process(connection: AsyncConnection[Any]) -> int:
    cursor = await connection.execute("SELECT pg_backend_pid()")
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])
