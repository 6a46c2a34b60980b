"""RabbitMQ as a broker of rings."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import kombu

from scheduler_infra.message_queue.broker import Blocked, Heard
from scheduler_infra.message_queue.kombu_connection import KombuConnection
from scheduler_infra.message_queue.kombu_topology import KombuTopology
from scheduler_infra.message_queue.message_codec import RING_BYTES
from scheduler_infra.message_queue.message_queue_config import MessageQueueConfig
from scheduler_infra.message_queue.topology import Topology, place_of

_TRANSIENT = 1
_NOBODY = "nobody"
"""A routing key that no queue is bound to: what is published with it is dropped at once."""


class BrokerAlarmError(Exception):
    """RabbitMQ takes no messages: it has too little memory or disk left."""


class KombuRinging(KombuConnection):
    """A connection that publishes, unconfirmed and not persistent."""

    def __init__(
        self, url: str, config: MessageQueueConfig, name: str, topology: KombuTopology, blocked: Blocked
    ) -> None:
        super().__init__(url, config, name, blocked)
        topology.declare(self)
        self._topology = topology
        self._channel = self.channel()
        self._producer = kombu.Producer(self._channel, topology.exchange, auto_declare=False)

    def send(self, addresses: Iterable[str]) -> None:
        """See RingingLink."""
        for address in addresses:
            self._producer.publish(
                RING_BYTES,
                routing_key=address,
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=_TRANSIENT,
                retry=False,
            )

    def probe(self) -> None:
        """Return once the broker has taken a message that reaches nobody; raise what it has against it."""
        self.send([_NOBODY])
        # The answer to a question comes after what the message led to: a refusal, or an alarm.
        self._topology.look(self._channel)


class KombuListening(KombuConnection):
    """A connection that consumes."""

    def __init__(self, url: str, config: MessageQueueConfig, name: str, topology: KombuTopology, heard: Heard) -> None:
        super().__init__(url, config, name)
        topology.declare(self)
        self._topology = topology
        self._heard = heard
        self._channel = self.channel()
        # A message may claim any encoding for itself.
        self._channel.auto_decode = False
        self._tags: dict[str, str] = {}

    def listen(self, addresses: Iterable[str]) -> None:
        """See ListeningLink."""
        for address in addresses:
            # Not kombu's Consumer: it would unpack what a message says is compressed, and raise for what it cannot.
            self._tags[address] = self._channel.basic_consume(
                self._topology.queue(self, address), no_ack=True, callback=partial(self._message, address)
            )

    def unlisten(self, addresses: Iterable[str]) -> None:
        """See ListeningLink."""
        for address in addresses:
            self._channel.basic_cancel(self._tags.pop(address))

    def _message(self, address: str, message: Any) -> None:
        self._heard(address, message.body)


class KombuBroker:
    """Opens connections to the RabbitMQ that a URL names."""

    transport = "rabbitmq"

    def __init__(self, url: str, config: MessageQueueConfig) -> None:
        self.place = place_of(url)
        self._url = url
        self._config = config
        self._topology = KombuTopology(Topology.of(config))

    def ringing(self, name: str, blocked: Blocked) -> KombuRinging:
        """See Broker."""
        return KombuRinging(self._url, self._config, name, self._topology, blocked)

    def listening(self, name: str, heard: Heard) -> KombuListening:
        """See Broker."""
        return KombuListening(self._url, self._config, name, self._topology, heard)

    def check(self, name: str) -> None:
        """See Broker; raises BrokerAlarmError during an alarm."""
        link = self.ringing(name, _refuse_when_blocked)
        try:
            link.probe()
        except Exception:
            link.drop()
            raise
        link.close()


def _refuse_when_blocked(is_blocked: bool) -> None:
    if is_blocked:
        raise BrokerAlarmError("it has an alarm, and takes no messages until that is over")
