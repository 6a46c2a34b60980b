"""HTTP/1.1 over one kept connection, with little of its own: it shares the machine with what it measures."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from benchmarks.workloads.bench_system import BenchSystem


class HttpCaller:
    """Sends one request after another; answers have to state their length."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader = reader
        self._writer = writer
        self._key = key

    async def json(self, method: str, path: str, body: Any = None) -> Any:
        """The parsed answer; AssertionError unless its status is a success."""
        return json.loads(await self.send(self.request(method, path, body)))

    def request(self, method: str, path: str, body: Any = None) -> bytes:
        """The bytes of a request, to be sent often."""
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    async def send(self, request: bytes) -> bytes:
        """The body of the answer to a request; AssertionError unless its status is a success."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        fields = head.lower()
        assert b"content-length:" in fields, head
        length = int(fields.partition(b"content-length:")[2].partition(b"\r\n")[0])
        content = await self._reader.readexactly(length)
        assert head[9:10] == b"2", head + content
        return content


@asynccontextmanager
async def open_caller(bench: BenchSystem) -> AsyncIterator[HttpCaller]:
    """A caller of a system's API with its key."""
    credentials = json.loads((bench.processes.state_dir / "credentials.json").read_text())
    async with connected(urlsplit(credentials["url"]).port or 80, credentials["api_key"]) as caller:
        yield caller


@asynccontextmanager
async def connected(port: int, key: str = "") -> AsyncIterator[HttpCaller]:
    """A caller of whatever listens on this port of loopback."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield HttpCaller(reader, writer, key)
    finally:
        writer.close()
        await writer.wait_closed()
