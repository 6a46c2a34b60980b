"""The only way out for HTTP calls: looks a host up once, judges all its addresses, connects to one of these."""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence

import httpcore2

from scheduler_core.decisions.egress_rules import EgressPolicy, call_problem, port_problem
from scheduler_core.errors import SchedulerError
from scheduler_worker.own_thread import in_own_thread

Resolve = Callable[[str, int], Sequence[str]]

_KEPT_OPEN_MAX = 20


class EgressRefusedError(SchedulerError):
    """The operator of the worker does not let jobs call this address."""


class UnknownHostError(SchedulerError):
    """The name of the host has no address."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"the name {host} cannot be looked up: {reason}")


def resolved(host: str, port: int) -> list[str]:
    """The addresses of a host in the order in which they are to be tried; blocks, and raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def open_pool(policy: EgressPolicy, ca_file: str = "", resolve: Resolve = resolved) -> httpcore2.AsyncConnectionPool:
    """Connections that lead only where the policy lets them; blocks while certificates are read.

    Certificates are always verified, against the authorities of the system and those in `ca_file`. Proxies of the
    environment are not used. Raises OSError for a file that cannot be read.
    """
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    # It would log the headers of responses, cookies among them.
    logging.getLogger("httpcore2").setLevel(logging.INFO)
    return httpcore2.AsyncConnectionPool(
        ssl_context=context,
        max_connections=None,
        max_keepalive_connections=_KEPT_OPEN_MAX,
        # Less than servers wait: a request on a connection that is just being closed is lost.
        keepalive_expiry=2.0,
        network_backend=GuardedBackend(policy, resolve),
    )


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects only where the policy allows it; raises EgressRefusedError.

    It is given the very host that the request and the certificate name, so there is no second reading of an address
    that could differ, and no second look-up whose answer could.
    """

    def __init__(self, policy: EgressPolicy, resolve: Resolve = resolved) -> None:
        self._policy = policy
        self._resolve = resolve
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to one of the addresses of the host; `timeout` is for the look-up and all tries together."""
        if (problem := port_problem(self._policy, host, port)) is not None:
            raise EgressRefusedError(problem)
        deadline = None if timeout is None else time.monotonic() + timeout
        addresses = await self._addresses(host, port, timeout)
        if (problem := call_problem(self._policy, host, port, addresses)) is not None:
            raise EgressRefusedError(problem)
        failure: Exception | None = None
        for number, address in enumerate(addresses):
            # An address that does not answer leaves time for those after it.
            share = None if deadline is None else max(0.0, deadline - time.monotonic()) / (len(addresses) - number)
            try:
                return await self._backend.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = failure or error
        raise failure or UnknownHostError(host, "it has no address")

    async def _addresses(self, host: str, port: int, timeout: float | None) -> Sequence[str]:
        try:
            async with asyncio.timeout(timeout):
                return await in_own_thread(lambda: self._resolve(host, port))
        except TimeoutError:
            raise httpcore2.ConnectTimeout(f"the name {host} was not looked up in time") from None
        except (OSError, UnicodeError) as error:
            raise UnknownHostError(host, getattr(error, "strerror", None) or "it is no name of a host") from error
