"""One connection to Redis whose every operation has a limit, for the one thread that opened it."""

import contextlib
import time
from typing import Any

import redis.connection
from redis.exceptions import ResponseError

from scheduler_infra.message_queue.message_queue_config import MessageQueueConfig

# Marked as typed, but without annotations for most of what is used.
_driver: Any = redis.connection


class RedisConnection:
    """An open connection that is never opened again behind its owner's back.

    redis-py's `Redis` and `PubSub` connect again silently and subscribe anew, and nobody would learn that rings may
    have been missed; so only its connection is used, which frames commands and reads replies. Replies come in the
    order of the commands; subclasses that send without waiting deal with them in `_reply`. See BrokerLink for the rest.
    """

    def __init__(self, url: str, config: MessageQueueConfig, name: str) -> None:
        self._silence_seconds_max = 2.0 * config.heartbeat_seconds
        self._beat_seconds = config.heartbeat_seconds / 2
        self._redis = _unconnected(url, config)
        self._redis.connect()
        self._heard_at = time.monotonic()
        self._asked_at: float | None = None
        # Redis takes no spaces here, and a user may be forbidden to have a name.
        with contextlib.suppress(ResponseError):
            self.ask("CLIENT", "SETNAME", name.replace(" ", "-"))

    def fileno(self) -> int:
        """The socket to wait for."""
        return int(self._redis._sock.fileno())

    def tell(self, *command: str | bytes) -> None:
        """Send a command and do not wait for its reply."""
        self._redis.send_command(*command)
        if self._asked_at is None:
            self._asked_at = time.monotonic()

    def ask(self, *command: str | bytes) -> Any:
        """The reply to a command, when no other is expected."""
        self.tell(*command)
        return self._next()

    def read(self) -> None:
        """Deal with everything that has arrived, without waiting for more than the rest of a message."""
        while self._redis.can_read(timeout=0):
            self._reply(self._next())

    def beat(self) -> None:
        """Ask for a sign of life if it is time, and raise if one is overdue; to be called twice per heartbeat."""
        now = time.monotonic()
        if self._asked_at is not None:
            if now - self._asked_at > self._silence_seconds_max:
                raise TimeoutError(f"no answer for {self._silence_seconds_max:g} s")
        elif now - self._heard_at > self._beat_seconds:
            self.tell("PING")

    def close(self) -> None:
        """Close the socket after what was sent; Redis needs no goodbye."""
        self.drop()

    def drop(self) -> None:
        """See BrokerLink."""
        with contextlib.suppress(Exception):
            self._redis.disconnect()

    def _next(self) -> Any:
        reply = self._redis.read_response()
        self._heard_at = time.monotonic()
        self._asked_at = None
        return reply

    def _reply(self, reply: Any) -> None:
        """A reply to an earlier command."""


def _unconnected(url: str, config: MessageQueueConfig) -> Any:
    parameters: dict[str, Any] = {
        **_driver.parse_url(url),
        # Channels are the server's, not a database's: selecting one would be of no use, and may be forbidden.
        "db": 0,
        "socket_connect_timeout": config.connect_timeout_seconds,
        "socket_timeout": config.io_timeout_seconds,
        "protocol": 2,
        # Beats are ours; redis-py's own would be sent between a command and its reply.
        "health_check_interval": 0,
    }
    parameters.pop("connection_class", None)
    if not url.lower().startswith("rediss:"):
        return _driver.Connection(**parameters)
    return _driver.SSLConnection(
        **parameters,
        ssl_cert_reqs="required",
        ssl_check_hostname=True,
        ssl_ca_certs=config.tls_ca_file or None,
        ssl_certfile=config.tls_cert_file or None,
        ssl_keyfile=config.tls_key_file or None,
    )
