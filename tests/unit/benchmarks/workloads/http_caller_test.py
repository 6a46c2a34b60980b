"""The caller that workloads load an API with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.workloads.http_caller import connected


async def test_benchmarks_unit_a_kept_connection_carries_one_request_after_another() -> None:
    """Each answer belongs to its request, and one that is no success is not counted as done."""
    async with _echo() as port:
        async with connected(port, "right") as caller:
            assert [await caller.json("POST", "/", {"number": number}) for number in range(3)] == [
                {"number": 0},
                {"number": 1},
                {"number": 2},
            ]
        async with connected(port, "wrong") as caller:
            with pytest.raises(AssertionError, match="401"):
                await caller.json("POST", "/", {})


@asynccontextmanager
async def _echo() -> AsyncIterator[int]:
    """A server on this port that answers with what it is sent."""
    async with asyncio.TaskGroup() as connections:

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.create_task(_answer(reader, writer))

        async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            status = b"201 Created" if b"Bearer right" in head else b"401 Unauthorized"
            writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: " + str(len(body)).encode() + b"\r\n\r\n")
            # Answers come in pieces.
            writer.write(body[:1])
            await asyncio.sleep(0.01)
            writer.write(body[1:])
    except asyncio.IncompleteReadError:
        writer.close()
        await writer.wait_closed()
