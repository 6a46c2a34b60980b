"""Settings of the doorbells between processes."""

from typing import Annotated, ClassVar

import msgspec

from scheduler_core.config import ConfigSection, setting

SCHEMES = ("postgresql", "postgres", "amqp", "amqps")
"""What a URL may begin with."""

NAME_BYTES_MAX = 35
"""PostgreSQL channels have 63 bytes at most, of which a session's address takes up to 28."""

QueueName = Annotated[str, msgspec.Meta(pattern=rf"^[A-Za-z0-9_.-]{{1,{NAME_BYTES_MAX}}}$")]
Seconds = Annotated[float, msgspec.Meta(ge=0.1, le=600)]


class MessageQueueConfig(ConfigSection):
    """How processes ring each other; every process of an installation needs the same url and names."""

    section: ClassVar[str] = "message_queue"

    url: str = setting(
        "",
        "Where rings travel: empty for the PostgreSQL of database.url, postgresql://… for another one, "
        "amqp://… or amqps://… for RabbitMQ.",
        secret=True,
    )
    task_queue: QueueName = setting(
        "tasks", "Name of the exchange through which worker sessions are rung; prefix of the sessions' queues."
    )
    status_queue: QueueName = setting("status_updates", "Name of the ring queue that all dispatchers share.")
    connect_timeout_seconds: Seconds = setting(5.0, "How long one attempt to reach the broker may take.")
    io_timeout_seconds: Seconds = setting(5.0, "How long one read, write or statement may take before reconnecting.")
    heartbeat_seconds: Annotated[int, msgspec.Meta(ge=1, le=600)] = setting(
        10, "A broker that is silent for twice this long is taken for lost, and connected to again."
    )
    reconnect_delay_seconds_max: Seconds = setting(
        10.0, "The longest pause between two attempts to reach a broker that is away; pauses grow from 0.1 seconds."
    )
    tls_ca_file: str = setting(
        "", "PEM file of the authorities trusted for amqps://; empty means those of the system. Always verified."
    )

    def problems(self) -> list[str]:
        """Names that RabbitMQ reserves, and names that would mix up the two kinds of rings."""
        scheme, separator, _ = self.url.partition("://")
        found = []
        if self.url and (not separator or scheme.lower() not in SCHEMES):
            # The URL may hold a password; its scheme does not.
            shown = f"{scheme}://…" if separator else "a text without a scheme"
            found.append(
                f"url cannot be {shown}: rings travel over postgresql://, amqp:// or amqps://. Change it, or leave it "
                "empty to use the PostgreSQL of database.url."
            )
        found += [
            f"{key} cannot be {name!r}: RabbitMQ keeps names that begin with 'amq.' to itself. Choose another prefix."
            for key, name in (("task_queue", self.task_queue), ("status_queue", self.status_queue))
            if name.startswith("amq.")
        ]
        if self.task_queue == self.status_queue:
            found.append(f"status_queue cannot be {self.status_queue!r}, as task_queue is: give them different names.")
        return found
