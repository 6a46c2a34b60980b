"""The sending half of the doorbell on RabbitMQ."""

import threading
from collections.abc import Sequence
from typing import Any

import kombu

from scheduler_infra.message_queue.kombu_connection import KombuConnection
from scheduler_infra.message_queue.kombu_topology import KombuTopology
from scheduler_infra.message_queue.message_codec import RING_BYTES, RingCounter
from scheduler_infra.message_queue.outage_log import OutageLog

PENDING_RINGS_MAX = 10_000
_TRANSIENT = 1


class KombuPublisher:
    """Publishes rings: unconfirmed, not persistent, and dropped while the broker is away or refuses to take them."""

    def __init__(self, topology: KombuTopology, counter: RingCounter) -> None:
        self._topology = topology
        self._counter = counter
        self._outage = OutageLog("ringing")
        self._lock = threading.Lock()
        self._pending: dict[str, None] = {}
        self._is_away = False
        self._is_blocked = False
        self._is_connected = False
        self._producer: Any = None

    @property
    def is_connected(self) -> bool:
        """Whether a ring given now would be sent, as far as is known."""
        return self._is_connected and not self._is_blocked

    def give(self, addresses: Sequence[str]) -> bool:
        """Take rings to send; returns False when they were dropped. Never waits; safe from every thread."""
        with self._lock:
            if self._is_away or self._is_blocked:
                reason = "away" if self._is_away else "blocked"
            elif len(self._pending) + len(addresses) > PENDING_RINGS_MAX:
                reason = "overflow"
            else:
                self._pending.update(dict.fromkeys(addresses))
                return True
        self._counter.drop(reason, len(addresses))
        return False

    def blocked(self, is_blocked: bool) -> None:
        """Note that the broker has an alarm and reads nothing from publishers, or that it is over."""
        self._is_blocked = is_blocked

    def connected(self, connection: KombuConnection) -> None:
        """Declare where rings go and be ready to send them."""
        self._topology.declare(connection)
        self._producer = kombu.Producer(connection.channel(), self._topology.exchange, auto_declare=False)
        self._is_blocked = self._is_away = False
        self._is_connected = True
        self._outage.over()

    def serve(self) -> None:
        """Send everything that was given."""
        with self._lock:
            addresses, self._pending = self._pending, {}
        for address in addresses:
            self._producer.publish(
                RING_BYTES,
                routing_key=address,
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=_TRANSIENT,
                retry=False,
            )

    def away(self, error: Exception, *, was_connected: bool) -> None:
        """Drop what was given when an attempt to connect failed; a connection that was just lost is tried again."""
        self._producer = None
        self._is_connected = False
        if not was_connected:
            with self._lock:
                self._is_away = True
                lost, self._pending = len(self._pending), {}
            self._counter.drop("away", lost)
        self._outage.lost(error, was_connected=was_connected)
