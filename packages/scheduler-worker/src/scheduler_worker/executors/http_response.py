"""One exchange with a server: a request, the head of the response, and as much of its body as is kept."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpcore2
import httpx2

from scheduler_core.errors import SchedulerError
from scheduler_worker.executors.http_request import Call


class Patience(NamedTuple):
    """How many seconds a server has to be connected to, and then to begin its response; None: as long as it takes."""

    connect_seconds: float
    first_byte_seconds: float | None


class TooSlowError(SchedulerError):
    """A server took longer than the task waits for it."""


class UnreadableBodyError(SchedulerError):
    """The body of a response is packed in a way that is not unpacked here."""


@asynccontextmanager
async def exchange(
    pool: httpcore2.AsyncConnectionPool, call: Call, patience: Patience
) -> AsyncIterator[httpx2.Response]:
    """The response to a call with its body still to be read; gives back the connection, or closes it, at the end."""
    loop = asyncio.get_running_loop()

    async def trace(event: str, _: dict[str, Any]) -> None:
        if event == "http11.receive_response_headers.started" and patience.first_byte_seconds is not None:
            waiting.reschedule(loop.time() + patience.first_byte_seconds)

    request = call.request({"timeout": {"connect": patience.connect_seconds}, "trace": trace})
    try:
        async with asyncio.timeout(None) as waiting:
            answered = await pool.handle_async_request(request)
    except TimeoutError:
        raise TooSlowError(
            f"no response began within {patience.first_byte_seconds:g} s (first_byte_timeout_seconds)"
        ) from None
    except httpcore2.ConnectTimeout:
        raise TooSlowError(
            f"there was no connection within {patience.connect_seconds:g} s (connect_timeout_seconds)"
        ) from None
    response = httpx2.Response(
        answered.status, headers=answered.headers, stream=_Body(answered), extensions=answered.extensions
    )
    try:
        yield response
    finally:
        await response.aclose()


async def body_of(response: httpx2.Response, limit_bytes: int) -> tuple[bytes, bool]:
    """The first bytes of the body, unpacked, and whether that is all of it; what lies beyond is never received."""
    if "," in response.headers.get("content-encoding", ""):
        # A few bytes that are packed several times can take hours to unpack.
        raise UnreadableBodyError("its body is packed more than once (Content-Encoding), and is not unpacked")
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > limit_bytes:
            return bytes(body[:limit_bytes]), False
    return bytes(body), True


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        async for part in self._response.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._response.aclose()
