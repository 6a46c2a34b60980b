"""A lost connection leaves nothing behind in the loop."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any, cast

import psycopg
import pytest

from scheduler_infra.message_queue.postgres_connection import PostgresConnection


class _Libpq:
    """Closes its socket as soon as it sees that the server is gone, as libpq does."""

    def __init__(self, own: socket.socket) -> None:
        self._own = own

    def consume_input(self) -> None:
        try:
            is_lost = self._own.recv(1) == b""
        except BlockingIOError:
            return
        if is_lost:
            self._own.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    def notifies(self) -> None:
        return None


class _Connection:
    def __init__(self, own: socket.socket) -> None:
        self._own = own
        self.pgconn = _Libpq(own)

    def fileno(self) -> int:
        if self._own.fileno() < 0:
            raise psycopg.OperationalError("the connection is lost")
        return self._own.fileno()

    def add_notify_handler(self, handler: Callable[[Any], None]) -> None:
        pass


@pytest.mark.parametrize("lost_before", [True, False], ids=["before", "while waiting"])
async def test_infra_unit_who_gets_the_number_of_a_lost_socket_is_heard(lost_before: bool) -> None:
    """After a loss the next socket of the process, which gets the same number, is told what it receives."""
    one, other = socket.socketpair()
    server, own = socket.socketpair()
    own.setblocking(False)
    number = own.fileno()
    connection = PostgresConnection(cast(Any, _Connection(own)), lambda channel, payload: None, 5.0)
    if lost_before:
        server.close()
    else:
        asyncio.get_running_loop().call_soon(server.close)
    with pytest.raises(psycopg.OperationalError):
        await connection.idle(asyncio.Event(), 5.0)

    with one, other, socket.socket(fileno=os.dup2(one.fileno(), number)) as reused:
        reused.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.call_soon(other.send, b"x")
        async with asyncio.timeout(5):
            assert await loop.sock_recv(reused, 1) == b"x"


async def test_infra_unit_idle_ends_with_its_time_and_can_be_repeated() -> None:
    """Without a loss nothing stays in the loop, and the next wait begins anew."""
    server, own = socket.socketpair()
    with server, own:
        own.setblocking(False)
        connection = PostgresConnection(cast(Any, _Connection(own)), lambda channel, payload: None, 5.0)
        for _ in range(2):
            await connection.idle(asyncio.Event(), 0.01)
        assert not asyncio.get_running_loop().remove_reader(own.fileno())
