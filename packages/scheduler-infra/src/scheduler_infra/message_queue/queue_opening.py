"""Which implementation a URL asks for; imports only that one's driver."""

from scheduler_core.errors import ConfigError
from scheduler_core.interfaces import MessageQueue
from scheduler_infra.message_queue.message_queue_config import MessageQueueConfig, url_problems


def open_message_queue(config: MessageQueueConfig, *, database_url: str, application_name: str) -> MessageQueue:
    """A message queue that connects when it is first used, in the loop of its first user, and belongs to that loop.

    `database_url` is used when the configuration names no URL; it must reach PostgreSQL without a transaction
    pooler in between, which cannot LISTEN. Raises ConfigError when the URL names no broker, or a file of TLS cannot be
    used.
    """
    url = config.url or database_url
    scheme = url.partition("://")[0].lower()
    if scheme in ("postgresql", "postgres"):
        from scheduler_infra.message_queue.postgres_message_queue import PostgresMessageQueue

        return PostgresMessageQueue(url, config, application_name, is_of_store=not config.url)
    if problems := url_problems(url):
        raise ConfigError(" ".join(f"message_queue.{problem}" for problem in problems))
    if config.is_encrypted:
        _check_tls_files(config)
    from scheduler_infra.message_queue.broker_message_queue import BrokerMessageQueue

    if scheme in ("redis", "rediss"):
        from scheduler_infra.message_queue.redis_broker import RedisBroker

        return BrokerMessageQueue(RedisBroker(url, config), config, application_name)
    from scheduler_infra.message_queue.kombu_broker import KombuBroker

    return BrokerMessageQueue(KombuBroker(url, config), config, application_name)


def _check_tls_files(config: MessageQueueConfig) -> None:
    # Now, and not in a thread that would try again for ever: a file does not come back as a broker does.
    import ssl

    context = ssl.create_default_context()
    problems = []
    if config.tls_ca_file:
        try:
            context.load_verify_locations(config.tls_ca_file)
        except (OSError, ssl.SSLError) as error:
            problems.append(
                f"message_queue.tls_ca_file {config.tls_ca_file!r} cannot be used ({error.strerror or error}): name a "
                "PEM file of the authorities to trust that this user may read."
            )
    if config.tls_cert_file:
        try:
            # An empty passphrase: without one OpenSSL would ask at the terminal.
            context.load_cert_chain(config.tls_cert_file, config.tls_key_file or None, password="")
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            problems.append(
                f"message_queue.tls_cert_file {config.tls_cert_file!r} cannot be used with the key in "
                f"{config.tls_key_file or config.tls_cert_file!r} ({reason}): name PEM files that belong together and "
                "that this user may read, the key without a passphrase."
            )
    if problems:
        raise ConfigError(" ".join(problems))
