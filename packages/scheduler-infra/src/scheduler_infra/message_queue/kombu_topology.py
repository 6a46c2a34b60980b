"""The exchange and queues of the doorbell on RabbitMQ, and how they are declared."""

import logging
import secrets
from collections.abc import Callable
from typing import Any

import amqp
import kombu

from scheduler_core.models import DISPATCHERS
from scheduler_infra.message_queue.kombu_connection import KombuConnection
from scheduler_infra.message_queue.topology import Topology

RING_SECONDS_MAX = 30.0
"""A ring that nobody took by then is stale: every listener has looked by itself in the meantime."""

SESSION_QUEUE_EXPIRES_SECONDS = 60.0
STATUS_QUEUE_LENGTH_MAX = 100

logger = logging.getLogger(__name__)


class KombuTopology:
    """A direct exchange whose routing keys are ring addresses, one short queue for each listener at a session's
    address, and one that all dispatchers share.
    """

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._accepted: set[str] = set()
        self.exchange = kombu.Exchange(topology.task_queue, type="direct", durable=True)

    def declare(self, connection: KombuConnection) -> None:
        """Make sure that rings for dispatchers have a place to wait, whoever comes first."""
        self._declare_or_accept(connection, self.exchange.name, self._exchange)
        self._declare_or_accept(connection, self._topology.status_queue, self._status_queue)

    def look(self, channel: Any) -> None:
        """Return when the broker has dealt with everything sent on this channel; raise what it has against it."""
        self._exchange(channel, True)

    def queue(self, connection: KombuConnection, address: str) -> str:
        """The name of the declared and bound queue from which rings for an address are consumed on this connection."""
        if address == DISPATCHERS:
            return self._topology.status_queue
        # A name of its own for each connection: after a broken one, the broker may hold the old exclusive queue
        # locked until it misses two heartbeats. Length 1 is the bell's own rule: rings nobody heard are one.
        queue = kombu.Queue(
            f"{self._topology.name(address)}.{secrets.token_hex(6)}",
            self.exchange,
            routing_key=address,
            durable=False,
            exclusive=True,
            auto_delete=True,
            expires=SESSION_QUEUE_EXPIRES_SECONDS,
            message_ttl=RING_SECONDS_MAX,
            max_length=1,
        )
        with _channel(connection) as channel:
            bound = queue(channel)
            bound.queue_declare()
            bound.queue_bind()
        return str(queue.name)

    def _declare_or_accept(self, connection: KombuConnection, name: str, declare: Callable[[Any, bool], None]) -> None:
        """Declare, or take what is there when another version made it differently or we may not make it."""
        try:
            with _channel(connection) as channel:
                declare(channel, False)
        except (amqp.PreconditionFailed, amqp.AccessRefused) as error:
            with _channel(connection) as channel:
                declare(channel, True)
            if name not in self._accepted:
                self._accepted.add(name)
                logger.info("ring topology taken as it is", extra={"name_on_broker": name, "reason": str(error)})

    def _exchange(self, channel: Any, passive: bool) -> None:
        self.exchange(channel).declare(passive=passive)

    def _status_queue(self, channel: Any, passive: bool) -> None:
        queue = self._shared()(channel)
        queue.queue_declare(passive=passive)
        if not passive:
            queue.queue_bind()

    def _shared(self) -> Any:
        # Durable because RabbitMQ 4 refuses transient queues that are not exclusive; its rings are not persistent.
        return kombu.Queue(
            self._topology.status_queue,
            self.exchange,
            routing_key=DISPATCHERS,
            durable=True,
            message_ttl=RING_SECONDS_MAX,
            max_length=STATUS_QUEUE_LENGTH_MAX,
        )


class _channel:  # noqa: N801 - reads as a function
    """A channel for one declaration, because an error closes it."""

    def __init__(self, connection: KombuConnection) -> None:
        self._channel = connection.channel()

    def __enter__(self) -> Any:
        return self._channel

    def __exit__(self, error_type: type[BaseException] | None, *rest: object) -> None:
        if error_type is None:
            self._channel.close()
