"""Which implementation a URL asks for; imports only that one's driver."""

from scheduler_core.errors import ConfigError
from scheduler_core.interfaces import MessageQueue
from scheduler_infra.message_queue.message_queue_config import MessageQueueConfig


def open_message_queue(config: MessageQueueConfig, *, database_url: str, application_name: str) -> MessageQueue:
    """A message queue that connects when it is first used, in the loop of its first user, and belongs to that loop.

    `database_url` is used when the configuration names no URL; it must reach PostgreSQL without a transaction
    pooler in between, which cannot LISTEN. Raises ConfigError when the scheme of the URL is unknown.
    """
    url = config.url or database_url
    scheme = url.partition("://")[0].lower()
    if scheme in ("postgresql", "postgres"):
        from scheduler_infra.message_queue.postgres_message_queue import PostgresMessageQueue

        return PostgresMessageQueue(url, config, application_name)
    if scheme in ("amqp", "amqps"):
        from scheduler_infra.message_queue.kombu_message_queue import KombuMessageQueue

        return KombuMessageQueue(url, config, application_name)
    # The URL itself may hold a password; its scheme does not.
    shown = f"{scheme}://…" if "://" in url else "a text without a scheme"
    raise ConfigError(
        f"message_queue.url cannot be {shown}: rings travel over postgresql://, amqp:// or amqps://. "
        "Change it, or leave it empty to use the PostgreSQL of database.url."
    )
