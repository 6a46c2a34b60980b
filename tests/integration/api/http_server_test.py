"""The server around the app: where it listens, how it stops."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from typing import Any

import httpx2
import pytest

from fixtures.waiting import wait_until
from scheduler_api.bind_address import BindAddress
from scheduler_api.http_server import bind_socket, serve
from scheduler_api.middleware.asgi import AsgiApp, Receive, Scope, Send
from scheduler_core.errors import ConfigError


def app_that(wait: Callable[[], Awaitable[Any]]) -> AsgiApp:
    """An app that waits for something before it answers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    return app


@asynccontextmanager
async def serving(app: AsgiApp, drain_seconds: float) -> AsyncIterator[tuple[str, asyncio.Event, asyncio.Task[None]]]:
    """A running server: its URL, the event that stops it, and its end."""
    bound = bind_socket(BindAddress("127.0.0.1", 0))
    stopping = asyncio.Event()
    end = asyncio.create_task(serve(app, bound, stopping, drain_seconds))
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}", stopping, end
    finally:
        stopping.set()
        await end


async def is_refused(url: str) -> bool:
    """Whether nobody takes a new connection."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", httpx2.URL(url).port)
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        # The server closed its socket while this one knocked: the next look tells.
        return False
    writer.close()
    return False


async def test_serve_integration_finishes_what_has_begun() -> None:
    """A request that has begun when the server is told to stop gets its answer; new ones are refused."""
    entered, release = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        entered.set()
        await release.wait()

    async with serving(app_that(wait), 10) as (url, stopping, end), httpx2.AsyncClient() as client:
        request = asyncio.create_task(client.get(url))
        await entered.wait()
        stopping.set()
        await wait_until(lambda: is_refused(url), what="new connections are refused")
        assert not end.done()
        release.set()
        assert (await request).status_code == 200
        await asyncio.wait_for(end, 5)


async def test_serve_integration_stops_within_its_bound() -> None:
    """A request that does not end is cut off when the drain time is over."""
    entered = asyncio.Event()

    async def wait() -> None:
        entered.set()
        await asyncio.sleep(3600)

    async with serving(app_that(wait), 0.1) as (url, stopping, end), httpx2.AsyncClient() as client:
        request = asyncio.create_task(client.get(url, timeout=30))
        await entered.wait()
        stopping.set()
        await asyncio.wait_for(end, 8)
        # What the client sees depends on how far its request got: a 500, or a closed connection.
        with contextlib.suppress(httpx2.HTTPError):
            assert (await request).status_code == 500


async def test_bind_socket_integration_tells_who_is_in_the_way() -> None:
    """A port that is in use is told with the setting and the remedy."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"api\.bind_address 127\.0\.0\.1:{port}.*another program listens"):
            bind_socket(BindAddress("127.0.0.1", port))


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_bind_socket_integration_wants_an_address_of_this_machine(host: str) -> None:
    """An address of another machine is told as such."""
    with pytest.raises(ConfigError, match="Name an address of this machine"):
        bind_socket(BindAddress(host, 8080))


async def test_bind_socket_integration_answers_are_not_held_back() -> None:
    """What is written goes out at once: headers and body are two writes, and the second waits 40 ms for nobody."""
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def look(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with closing(bind_socket(BindAddress("127.0.0.1", 0))) as bound:
        async with await asyncio.start_server(look, sock=bound):
            with closing(socket.create_connection(bound.getsockname())):
                assert await asyncio.wait_for(accepted, 5)


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example"])
def test_bind_socket_integration_impossible_host_name(host: str) -> None:
    """A name that can be no host's is a mistake in the settings, told like one."""
    with pytest.raises(ConfigError, match=r"api\.bind_address"):
        bind_socket(BindAddress(host, 0))
