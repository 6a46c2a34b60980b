"""How ring addresses are called on the wire."""

from typing import NamedTuple

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
