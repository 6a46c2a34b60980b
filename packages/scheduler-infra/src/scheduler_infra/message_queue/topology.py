"""How ring addresses are called on the wire."""

from typing import NamedTuple
from urllib.parse import urlsplit

from scheduler_core.models import DISPATCHERS
from scheduler_infra.message_queue.message_queue_config import MessageQueueConfig


class Topology(NamedTuple):
    """The names of one installation's exchange, queues and channels."""

    task_queue: str
    status_queue: str

    @classmethod
    def of(cls, config: MessageQueueConfig) -> "Topology":
        """The names a configuration asks for."""
        return cls(config.task_queue, config.status_queue)

    def name(self, address: str) -> str:
        """The PostgreSQL channel, or the RabbitMQ queue, of an address.

        >>> topology = Topology("tasks", "status_updates")
        >>> topology.name("session-7"), topology.name("dispatchers")
        ('tasks.session-7', 'status_updates')
        """
        return self.status_queue if address == DISPATCHERS else f"{self.task_queue}.{address}"


_KINDS = {"amqp": ("RabbitMQ", 5672), "amqps": ("RabbitMQ", 5671), "redis": ("Redis", 6379), "rediss": ("Redis", 6379)}


def place_of(url: str) -> str:
    """What a broker is called where people read it; nothing of the URL's user, password and parameters.

    >>> place_of("amqps://ringer:s3cret@broker.example/production")
    'RabbitMQ at broker.example:5671'
    """
    parts = urlsplit(url)
    kind, port = _KINDS[parts.scheme.lower()]
    return f"{kind} at {parts.hostname or 'localhost'}:{parts.port or port}"
