"""uvicorn inside our own event loop: it takes a bound socket, leaves signals alone, and stops within a bound."""

import asyncio
import contextlib
import errno
import math
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from scheduler_api.bind_address import BindAddress
from scheduler_api.middleware.asgi import AsgiApp
from scheduler_core.errors import ComponentFailedError, ConfigError

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 30


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind_socket(address: BindAddress) -> socket.socket:
    """A listening socket; raises ConfigError with the remedy when the address is not free or not of this machine."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        # asyncio sends small answers at once only on a socket that says that it is TCP; others wait 40 ms.
        bound = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise _bind_error(address, error) from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(place)
        bound.listen(_BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise _bind_error(address, error) from error
    return bound


async def serve(app: AsgiApp, bound: socket.socket, stopping: asyncio.Event, drain_seconds: float) -> None:
    """Serve on the socket until `stopping`; requests that have begun then get `drain_seconds` to finish."""
    application: Any = app  # the same shapes under other names
    config = uvicorn.Config(
        application,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(drain_seconds),
        h11_max_incomplete_event_size=65_536,
    )
    server = _QuietServer(config)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    asked = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        ended_early = serving.done()
        server.should_exit = True
        await serving
    finally:
        asked.cancel()
        serving.cancel()
        await asyncio.gather(asked, serving, return_exceptions=True)
        bound.close()
    if ended_early:
        raise ComponentFailedError("api", "the HTTP server ended although nobody asked it to.")


def _bind_error(address: BindAddress, error: OSError | UnicodeError) -> ConfigError:
    told = f"api.bind_address {address.host}:{address.port} cannot be used"
    if isinstance(error, UnicodeError):
        return ConfigError(f"{told}: '{address.host}' cannot be the name of a host. Name an address of this machine.")
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"{told}: another program listens there. Stop it, or choose another port, such as "
            f"{address.host}:{address.port + 1}."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ConfigError(f"{told}: this user may not listen on port {address.port}. Choose a port above 1023.")
    return ConfigError(f"{told}: {(error.strerror or str(error)).lower()}. Name an address of this machine.")
