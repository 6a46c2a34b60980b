"""Redis as a broker of rings: published and subscribed, stored nowhere."""

import time
from collections.abc import Iterable
from typing import Any

from scheduler_infra.message_queue.broker import Blocked, Heard
from scheduler_infra.message_queue.message_codec import RING_BYTES
from scheduler_infra.message_queue.message_queue_config import MessageQueueConfig
from scheduler_infra.message_queue.redis_connection import RedisConnection
from scheduler_infra.message_queue.topology import Topology, place_of

_NOBODY = "nobody"
"""An address at which nobody listens."""


class RedisRinging(RedisConnection):
    """A connection that publishes."""

    def __init__(self, url: str, config: MessageQueueConfig, name: str, topology: Topology) -> None:
        super().__init__(url, config, name)
        self._topology = topology

    def send(self, addresses: Iterable[str]) -> None:
        """See RingingLink. A refusal is raised by a later `read`."""
        for address in addresses:
            self.tell("PUBLISH", self._topology.name(address), RING_BYTES)

    def probe(self) -> None:
        """Return once the server has taken a message that reaches nobody; raise what it has against it."""
        self.ask("PUBLISH", self._topology.name(_NOBODY), RING_BYTES)

    def close(self) -> None:
        """Say goodbye, so that what was sent has arrived."""
        try:
            # Its answer comes after those to everything before it.
            self.tell("QUIT")
            while self._redis.read_response() != b"OK":
                pass
        finally:
            self.drop()


class RedisListening(RedisConnection):
    """A connection that is subscribed to one channel for each address."""

    def __init__(self, url: str, config: MessageQueueConfig, name: str, topology: Topology, heard: Heard) -> None:
        super().__init__(url, config, name)
        self._topology = topology
        self._heard = heard
        self._io_timeout_seconds = config.io_timeout_seconds
        self._addresses: dict[bytes, str] = {}
        self._confirmed: set[bytes] = set()

    def listen(self, addresses: Iterable[str]) -> None:
        """See ListeningLink."""
        new = {self._topology.name(address).encode(): address for address in addresses}
        self._addresses.update(new)
        self.tell("SUBSCRIBE", *new)
        deadline = time.monotonic() + self._io_timeout_seconds
        while not new.keys() <= self._confirmed:
            self._reply(self._next())
            if time.monotonic() > deadline:
                raise TimeoutError(f"no subscription within {self._io_timeout_seconds:g} s")
        # Rings that came with the answer have been read from the socket: nobody would be woken for them.
        self.read()

    def unlisten(self, addresses: Iterable[str]) -> None:
        """See ListeningLink."""
        gone = [self._topology.name(address).encode() for address in addresses]
        for channel in gone:
            del self._addresses[channel]
        self._confirmed.difference_update(gone)
        self.tell("UNSUBSCRIBE", *gone)

    def _reply(self, reply: Any) -> None:
        if not isinstance(reply, list) or len(reply) < 3:
            return  # the answer to a sign of life
        kind, channel, content = reply
        if kind == b"subscribe":
            self._confirmed.add(channel)
        elif kind == b"message" and channel in self._addresses:
            self._heard(self._addresses[channel], content)


class RedisBroker:
    """Opens connections to the Redis that a URL names."""

    transport = "redis"

    def __init__(self, url: str, config: MessageQueueConfig) -> None:
        self.place = place_of(url)
        self._url = url
        self._config = config
        self._topology = Topology.of(config)

    def ringing(self, name: str, blocked: Blocked) -> RedisRinging:  # noqa: ARG002 - Redis blocks nobody
        """See Broker."""
        return RedisRinging(self._url, self._config, name, self._topology)

    def listening(self, name: str, heard: Heard) -> RedisListening:
        """See Broker."""
        return RedisListening(self._url, self._config, name, self._topology, heard)

    def check(self, name: str) -> None:
        """See Broker."""
        link = self.ringing(name, lambda _blocked: None)
        try:
            link.probe()
        finally:
            link.drop()
