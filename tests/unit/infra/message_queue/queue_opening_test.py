"""The URL chooses the implementation, and nothing more than its driver is loaded."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from scheduler_core.config.config_value import ConfigValue
from scheduler_core.config.settings import Settings
from scheduler_core.errors import ConfigError
from scheduler_core.models import CommitRing
from scheduler_infra.message_queue import MessageQueueConfig, open_message_queue
from scheduler_infra.message_queue.message_queue_config import NAME_BYTES_MAX
from scheduler_infra.message_queue.topology import Topology


def settings(**values: object) -> MessageQueueConfig:
    """The section as the configuration loader makes it."""
    found = {key: ConfigValue(value, "scheduler.toml") for key, value in values.items()}
    return Settings({"message_queue": found}).section(MessageQueueConfig)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("", "PostgresMessageQueue"),
        ("postgres://h/d", "PostgresMessageQueue"),
        ("postgresql://h/d", "PostgresMessageQueue"),
        ("amqp://h", "BrokerMessageQueue rabbitmq"),
        ("AMQPS://h", "BrokerMessageQueue rabbitmq"),
        ("redis://h", "BrokerMessageQueue redis"),
        ("rediss://u:p%40ss@h:1/2", "BrokerMessageQueue redis"),
    ],
)
async def test_open_message_queue_follows_the_scheme(url: str, kind: str) -> None:
    """Each scheme has its implementation, an empty URL means the database's; opening connects to nothing."""
    queue = open_message_queue(MessageQueueConfig(url=url), database_url="postgresql://h/d", application_name="t")
    assert f"{type(queue).__name__} {getattr(queue, 'transport', '')}".startswith(kind)
    assert not queue.is_connected
    await queue.close()


@pytest.mark.parametrize(
    ("url", "ring"),
    [
        ("", CommitRing("work.session-", '{"ring":"look"}')),
        ("postgresql://h/d", None),
        ("amqp://h", None),
        ("redis://h", None),
    ],
)
async def test_open_message_queue_lets_the_store_ring_where_it_is_the_same_database(
    url: str, ring: CommitRing | None
) -> None:
    """A statement of the store reaches the sessions' channels only where rings travel by the store's own database."""
    config = MessageQueueConfig(url=url, task_queue="work")
    queue = open_message_queue(config, database_url="postgresql://h/d", application_name="t")
    assert queue.commit_ring == ring
    await queue.close()


@pytest.mark.parametrize("url", ["mqtt://u:swordfish@h/0", "host=h password=swordfish", "kafka+ssl://swordfish@h"])
def test_open_message_queue_refuses_unknown_schemes(url: str) -> None:
    """Another scheme is an error that names the key, what works, and no secret."""
    with pytest.raises(ConfigError, match=r"message_queue\.url .* amqps://") as caught:
        open_message_queue(MessageQueueConfig(url=url), database_url="", application_name="t")
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "absent"),
    [
        ("postgresql://h/d", ("kombu", "redis")),
        ("amqp://h", ("psycopg",)),
        ("redis://h", ("psycopg", "kombu")),
    ],
)
def test_open_message_queue_loads_one_driver(url: str, absent: tuple[str, ...]) -> None:
    """A process that rings over one system does not load the library of the other, nor any SQLAlchemy."""
    program = (
        "import sys; from scheduler_infra.message_queue import *\n"
        f"open_message_queue(MessageQueueConfig(url={url!r}), database_url='', application_name='t')\n"
        f"print([name for name in (*{absent!r}, 'sqlalchemy', 'sqlmodel') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "values",
    [
        {"task_queue": ""},
        {"task_queue": "has space"},
        {"status_queue": "x" * (NAME_BYTES_MAX + 1)},
        {"task_queue": "amq.tasks"},
        {"task_queue": "same", "status_queue": "same"},
        {"heartbeat_seconds": 0},
        {"io_timeout_seconds": 0},
        {"url": "amqp://h:port/"},
        {"url": "amqp://u:p/ss@h/"},
        {"url": "amqp://h:0/"},
        {"url": "amqp:///vhost"},
        {"url": "redis://h/name"},
        {"url": "redis://h/0?socket_timeout=9"},
        {"url": "amqp://h/", "tls_ca_file": "/ca.pem"},
        {"url": "redis://h/", "tls_cert_file": "/cert.pem"},
        {"url": "amqps://h/", "tls_key_file": "/key.pem"},
    ],
)
def test_config_refuses_what_cannot_work(values: dict[str, object]) -> None:
    """Names, addresses and files that a broker would refuse, and limits that mean none, are told with their key."""
    match = r"message_queue\.(url|tls_[a-z]+_file|task_queue|status_queue|heartbeat|io).*scheduler\.toml"
    with pytest.raises(ConfigError, match=match):
        settings(**values)


def test_config_tells_all_problems_of_a_url_and_no_secret() -> None:
    """A URL that is wrong in several ways is told once, with every way and without the password."""
    with pytest.raises(ConfigError) as caught:
        settings(url="redis://:swordfish@:6379/name?ssl=1")
    told = str(caught.value)
    assert "no host" in told
    assert "behind ?" in told
    assert "database 'name'" in told
    assert "swordfish" not in told


def test_open_message_queue_refuses_files_that_cannot_be_used(tmp_path: Path) -> None:
    """A missing or broken PEM file stops the start, with key, path and remedy; all of them are told."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    config = MessageQueueConfig(url="amqps://h/", tls_ca_file=str(tmp_path / "absent.pem"), tls_cert_file=str(broken))
    with pytest.raises(ConfigError) as caught:
        open_message_queue(config, database_url="", application_name="t")
    assert "message_queue.tls_ca_file" in str(caught.value)
    assert "absent.pem" in str(caught.value)
    assert f"message_queue.tls_cert_file '{broken}'" in str(caught.value)


def test_config_never_shows_the_password() -> None:
    """The representation of the section masks the URL."""
    assert "swordfish" not in repr(MessageQueueConfig(url="amqp://u:swordfish@h/"))


def test_topology_names_fit_postgresql() -> None:
    """The longest name with the greatest session id is still a channel that LISTEN and pg_notify mean alike."""
    config = msgspec.structs.replace(MessageQueueConfig(), task_queue="x" * NAME_BYTES_MAX)
    assert len(Topology.of(config).name(f"session-{2**63 - 1}")) <= 63
