"""One AMQP connection whose every operation has a limit, for the one thread that opened it."""

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import kombu

from scheduler_infra.message_queue.message_queue_config import MessageQueueConfig


class KombuConnection:
    """An open connection that is never opened again behind its owner's back.

    kombu's own `Connection` reconnects silently whenever it is asked for its connection, and would lose queues and
    consumers with that; so it is used only to read the URL and to connect, and its transport for all the rest.
    See BrokerLink for the rest; amqp is known for raising AttributeError when the broker is away.
    """

    def __init__(
        self, url: str, config: MessageQueueConfig, name: str, blocked: Callable[[bool], None] = lambda _blocked: None
    ) -> None:
        is_encrypted = url.lower().startswith("amqps:")
        parameters = kombu.Connection(
            url,
            login_method=_login_method(url, config) if is_encrypted else None,
            heartbeat=config.heartbeat_seconds,
            connect_timeout=config.connect_timeout_seconds,
            ssl=_tls_options(config) if is_encrypted else False,
            transport_options={
                # Without these two, declare, close and publish wait for ever for a broker that is frozen.
                "read_timeout": config.io_timeout_seconds,
                "write_timeout": config.io_timeout_seconds,
                "client_properties": {"connection_name": name},
                "on_blocked": lambda _reason: blocked(True),
                "on_unblocked": lambda: blocked(False),
            },
        )
        self._transport = parameters.transport
        self._amqp: Any = self._transport.establish_connection()

    def fileno(self) -> int:
        """The socket to wait for."""
        return int(self._amqp.sock.fileno())

    def channel(self) -> Any:
        """A new channel."""
        return self._transport.create_channel(self._amqp)

    def read(self) -> None:
        """Deliver everything that has arrived to its consumer, without waiting for more."""
        while True:
            try:
                self._transport.drain_events(self._amqp, timeout=0.01)
            except TimeoutError:
                # A frame may be incomplete: amqp keeps the part, and the next read goes on with it.
                return
            # TLS may hold a message that the socket no longer shows.
            if not (isinstance(self._amqp.sock, ssl.SSLSocket) and self._amqp.sock.pending()):
                return

    def beat(self) -> None:
        """Send a heartbeat if it is time, and raise if the broker has missed two; call it twice per heartbeat."""
        self._transport.heartbeat_check(self._amqp, rate=2)

    def close(self) -> None:
        """Say goodbye to the broker, within the limits, and close the socket whatever it answers."""
        try:
            self._transport.close_connection(self._amqp)
        finally:
            self.drop()

    def drop(self) -> None:
        """Close the socket without a word, for a broker that is not expected to answer."""
        # Asking for `sock` or `transport` of a connection that is down would make amqp connect again.
        transport = self._amqp._transport
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if transport is not None:
                # Ending TLS in order would wait for the peer's goodbye; this makes that fail at once.
                socket.socket.shutdown(transport.sock, socket.SHUT_RDWR)
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._amqp.collect()


def _login_method(url: str, config: MessageQueueConfig) -> str | None:
    """A client certificate stands for the user when the URL names none; else None, for user and password."""
    return "EXTERNAL" if config.tls_cert_file and urlsplit(url).username is None else None


def _tls_options(config: MessageQueueConfig) -> dict[str, Any]:
    return {
        "cert_reqs": ssl.CERT_REQUIRED,
        "ca_certs": config.tls_ca_file or None,
        "certfile": config.tls_cert_file or None,
        "keyfile": config.tls_key_file or None,
        # None stands for the host of the URL, against which the certificate is checked.
        "server_hostname": None,
    }
