"""One PostgreSQL connection that listens and notifies, used by one task at a time.

psycopg's own `notifies()` holds the connection's lock while it waits, so a process that listens would need a second
connection to ring. Here the owner waits for the socket, not for psycopg: between statements nobody holds the
connection, rings are read as soon as the socket has them, and one connection serves both directions.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scheduler_infra.message_queue.message_queue_config import MessageQueueConfig

_NOTIFY = "SELECT pg_catalog.pg_notify(channel, %s) FROM pg_catalog.unnest(%s::text[]) AS channel"


class PostgresConnection:
    """An open connection in autocommit mode; `heard` is called with channel and payload of every notification.

    Every method but `close` raises psycopg.Error when the connection is lost, at the latest after the configured
    time for one statement.
    """

    def __init__(
        self, connection: psycopg.AsyncConnection[Any], heard: Callable[[str, str], None], io_timeout_seconds: float
    ) -> None:
        self._connection = connection
        self._heard = heard
        self._io_timeout_seconds = io_timeout_seconds
        self._loss: psycopg.Error | None = None
        connection.add_notify_handler(lambda notify: heard(notify.channel, notify.payload))

    @classmethod
    async def open(
        cls, url: str, config: MessageQueueConfig, application_name: str, heard: Callable[[str, str], None]
    ) -> "PostgresConnection":
        """Connect within the configured time; what the URL says about time-outs and keepalives wins."""
        defaults: dict[str, Any] = {
            "application_name": application_name,
            "connect_timeout": max(2, round(config.connect_timeout_seconds)),
            "keepalives": 1,
            "keepalives_idle": config.heartbeat_seconds,
            "keepalives_interval": max(1, config.heartbeat_seconds // 3),
            "keepalives_count": 3,
            "tcp_user_timeout": config.heartbeat_seconds * 2000,
        }
        conninfo = make_conninfo(**{**defaults, **conninfo_to_dict(url)})
        # Server-side prepared statements would not survive a pooler, and these statements gain nothing from them.
        connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True, prepare_threshold=None)
        return cls(connection, heard, config.io_timeout_seconds)

    async def listen(self, channels: Sequence[str]) -> None:
        """Hear these channels from now on."""
        await self._run(_for_each("LISTEN {}", channels))

    async def unlisten(self, channels: Sequence[str]) -> None:
        """Hear these channels no longer."""
        await self._run(_for_each("UNLISTEN {}", channels))

    async def notify(self, channels: Sequence[str], payload: str) -> None:
        """Send one payload to all these channels in one statement, which is its own transaction."""
        await self._run(_NOTIFY, (payload, list(channels)))

    async def ping(self) -> None:
        """Return when the server answers."""
        await self._run("SELECT 1")

    async def idle(self, wake: asyncio.Event, timeout_seconds: float) -> None:
        """Pass on notifications as they come, until `wake` is set or the time is over."""
        loop = asyncio.get_running_loop()
        descriptor = self._connection.fileno()
        loop.add_reader(descriptor, self._read, wake, descriptor)
        try:
            self._read(wake, descriptor)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_seconds):
                    await wake.wait()
        finally:
            if self._loss is None:
                loop.remove_reader(descriptor)
        if self._loss is not None:
            raise self._loss

    async def close(self) -> None:
        """Give the connection back; never waits for the server."""
        await self._connection.close()

    def _read(self, wake: asyncio.Event, descriptor: int) -> None:
        libpq = self._connection.pgconn
        try:
            libpq.consume_input()
            while notify := libpq.notifies():
                self._heard(notify.relname.decode(errors="replace"), notify.extra.decode(errors="replace"))
        except psycopg.Error as error:
            self._loss = error
            # libpq has closed the socket. Whoever opens the next one gets its number, and with a reader still on that
            # would never be told of anything.
            asyncio.get_running_loop().remove_reader(descriptor)
            wake.set()

    async def _run(self, statement: sql.Composed | LiteralString, parameters: Sequence[Any] = ()) -> None:
        with self._severed_when_late():
            await self._connection.execute(statement, parameters or None)

    @contextlib.contextmanager
    def _severed_when_late(self) -> Iterator[None]:
        # Cancelling a statement would ask the server to cancel it and wait for the answer, which a frozen server
        # never gives. Shutting down the socket makes libpq see a lost connection, which needs nobody's consent.
        timer = asyncio.get_running_loop().call_later(self._io_timeout_seconds, _sever, self._connection.fileno())
        try:
            yield
        finally:
            timer.cancel()


def _for_each(statement: LiteralString, channels: Sequence[str]) -> sql.Composed:
    return sql.SQL("; ").join(sql.SQL(statement).format(sql.Identifier(channel)) for channel in channels)


def _sever(descriptor: int) -> None:
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
