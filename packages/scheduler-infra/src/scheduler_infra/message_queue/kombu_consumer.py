"""The hearing half of the doorbell on RabbitMQ."""

from collections.abc import Callable
from functools import partial
from typing import Any

import kombu

from scheduler_infra.message_queue.kombu_connection import KombuConnection
from scheduler_infra.message_queue.kombu_topology import KombuTopology
from scheduler_infra.message_queue.message_codec import RingCounter
from scheduler_infra.message_queue.outage_log import OutageLog


class KombuConsumer:
    """Consumes the queues of all addresses somebody listens at, on one channel.

    `heard(address)` and `reachable(addresses)` are called in the thread of the connection.
    """

    def __init__(
        self,
        topology: KombuTopology,
        counter: RingCounter,
        *,
        heard: Callable[[str], None],
        reachable: Callable[[frozenset[str]], None],
    ) -> None:
        self._topology = topology
        self._counter = counter
        self._heard = heard
        self._reachable = reachable
        self._outage = OutageLog("listening")
        self._wanted: frozenset[str] = frozenset()
        self._consumers: dict[str, Any] = {}
        self._connection: KombuConnection | None = None
        self._channel: Any = None
        self._is_connected = False

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return self._is_connected

    def want(self, addresses: frozenset[str]) -> None:
        """Say at which addresses somebody listens; followed at the next `serve`. Safe from every thread."""
        self._wanted = addresses

    def connected(self, connection: KombuConnection) -> None:
        """Start over with a channel and no queues."""
        self._topology.declare(connection)
        self._connection = connection
        self._channel = connection.channel()
        self._consumers = {}
        self._is_connected = True
        self._outage.over()

    def serve(self) -> None:
        """Consume what is wanted and nothing else."""
        wanted = self._wanted
        if self._connection is None or wanted == self._consumers.keys():
            return
        for address in self._consumers.keys() - wanted:
            self._consumers.pop(address).cancel()
        for address in sorted(wanted - self._consumers.keys()):
            self._consumers[address] = self._consume(self._connection, address)
        self._reachable(frozenset(self._consumers))

    def away(self, error: Exception, *, was_connected: bool) -> None:
        """Tell that no bell can be reached."""
        self._is_connected = False
        self._connection = self._channel = None
        self._consumers = {}
        self._reachable(frozenset())
        self._outage.lost(error, was_connected=was_connected)

    def _consume(self, connection: KombuConnection, address: str) -> Any:
        queue = self._topology.queue(connection, address)
        consumer = kombu.Consumer(
            self._channel, [queue], no_ack=True, auto_declare=False, on_message=partial(self._message, address)
        )
        consumer.consume()
        return consumer

    def _message(self, address: str, message: Any) -> None:
        body = message.body
        if self._counter.read(body if isinstance(body, bytes | bytearray | memoryview) else str(body)) is not None:
            self._heard(address)
