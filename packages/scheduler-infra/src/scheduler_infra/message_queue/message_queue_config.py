"""Settings of the doorbells between processes."""

import re
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

import msgspec

from scheduler_core.config import ConfigSection, setting

SCHEMES = ("postgresql", "postgres", "amqp", "amqps", "redis", "rediss")
"""What a URL may begin with."""

SCHEMES_SHOWN = "postgresql://, amqp://, amqps://, redis:// or rediss://"
_TLS_SCHEMES = ("amqps", "rediss")

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
        "amqp://… or amqps://… for RabbitMQ, redis://… or rediss://… for Redis.",
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
        "",
        "PEM file of the authorities trusted for amqps:// and rediss://; empty means those of the system. Always "
        "verified.",
    )
    tls_cert_file: str = setting(
        "",
        "PEM file of the certificate shown to the broker over amqps:// and rediss://. A RabbitMQ URL without a user "
        "then logs in by it.",
    )
    tls_key_file: str = setting(
        "", "PEM file of the private key of tls_cert_file, without a passphrase; empty when that file holds it, too."
    )

    @property
    def is_encrypted(self) -> bool:
        """Whether the TLS settings of this section count."""
        return self.url.partition("://")[0].lower() in _TLS_SCHEMES

    def problems(self) -> list[str]:
        """URLs that name no broker, files without their use, names that RabbitMQ reserves, and names that would mix up
        the two kinds of rings.
        """
        found = url_problems(self.url)
        if self.tls_key_file and not self.tls_cert_file:
            found.append(
                f"tls_key_file is {self.tls_key_file!r}, and tls_cert_file is empty: name the certificate of that key, "
                "or empty both."
            )
        if not found and not self.is_encrypted:
            found += [
                f"{key} is {value!r}, and url is not encrypted: begin url with amqps:// or rediss://, or empty {key}."
                for key, value in (("tls_ca_file", self.tls_ca_file), ("tls_cert_file", self.tls_cert_file))
                if value
            ]
        found += [
            f"{key} cannot be {name!r}: RabbitMQ keeps names that begin with 'amq.' to itself. Choose another prefix."
            for key, name in (("task_queue", self.task_queue), ("status_queue", self.status_queue))
            if name.startswith("amq.")
        ]
        if self.task_queue == self.status_queue:
            found.append(f"status_queue cannot be {self.status_queue!r}, as task_queue is: give them different names.")
        return found


def url_problems(url: str) -> list[str]:
    """What is wrong with a URL, without its user and password; an empty one is right."""
    scheme, separator, _ = url.partition("://")
    if not url or scheme.lower() in ("postgresql", "postgres"):
        return []
    if not separator or scheme.lower() not in SCHEMES:
        shown = f"{scheme}://…" if separator else "a text without a scheme"
        meant = (
            f"rings travel over {SCHEMES_SHOWN}. Change it, or leave it empty to use the PostgreSQL of database.url."
        )
        return [f"url cannot be {shown}: {meant}"]
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        return [
            "url has no port that is a number from 1 to 65535. A / or @ or # in a password is written %2F, %40, %23."
        ]
    found = []
    if port == 0:
        found.append("url cannot have port 0: name the broker's, or leave it out for the usual one.")
    if not host:
        found.append(f"url names no host: write {scheme}://user:password@host.")
    if parts.query or parts.fragment:
        found.append(
            "url has a part behind ? or #, which no broker here understands: leave it out. In a password they are "
            "written %3F and %23."
        )
    if scheme.lower().startswith("redis") and not re.fullmatch(r"/?[0-9]*", parts.path):
        found.append(f"url names the database {parts.path[1:]!r}, and those of Redis are numbers: leave it out.")
    return found
