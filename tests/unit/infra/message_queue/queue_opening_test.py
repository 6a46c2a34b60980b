"""The URL chooses the implementation, and nothing more than its driver is loaded."""

import subprocess
import sys

import msgspec
import pytest

from scheduler_core.config.config_value import ConfigValue
from scheduler_core.config.settings import Settings
from scheduler_core.errors import ConfigError
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
        ("amqp://h", "KombuMessageQueue"),
        ("AMQPS://h", "KombuMessageQueue"),
    ],
)
async def test_open_message_queue_follows_the_scheme(url: str, kind: str) -> None:
    """Each scheme has its implementation, an empty URL means the database's; opening connects to nothing."""
    queue = open_message_queue(MessageQueueConfig(url=url), database_url="postgresql://h/d", application_name="t")
    assert type(queue).__name__ == kind
    assert not queue.is_connected
    await queue.close()


@pytest.mark.parametrize("url", ["redis://u:swordfish@h/0", "host=h password=swordfish", "kafka+ssl://swordfish@h"])
def test_open_message_queue_refuses_unknown_schemes(url: str) -> None:
    """Another scheme is an error that names the key, what works, and no secret."""
    with pytest.raises(ConfigError, match=r"message_queue\.url .* amqps://") as caught:
        open_message_queue(MessageQueueConfig(url=url), database_url="", application_name="t")
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(("url", "absent"), [("postgresql://h/d", "kombu"), ("amqp://h", "psycopg")])
def test_open_message_queue_loads_one_driver(url: str, absent: str) -> None:
    """A process that rings over one system does not load the library of the other, nor any SQLAlchemy."""
    program = (
        "import sys; from scheduler_infra.message_queue import *\n"
        f"open_message_queue(MessageQueueConfig(url={url!r}), database_url='', application_name='t')\n"
        f"print([name for name in ({absent!r}, 'sqlalchemy', 'sqlmodel') if name in sys.modules])"
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
    ],
)
def test_config_refuses_what_cannot_work(values: dict[str, object]) -> None:
    """Names that a broker would refuse, and limits that mean none, are told with key and origin."""
    with pytest.raises(ConfigError, match=r"message_queue\.(task_queue|status_queue|heartbeat|io).*scheduler\.toml"):
        settings(**values)


def test_config_never_shows_the_password() -> None:
    """The representation of the section masks the URL."""
    assert "swordfish" not in repr(MessageQueueConfig(url="amqp://u:swordfish@h/"))


def test_topology_names_fit_postgresql() -> None:
    """The longest name with the greatest session id is still a channel that LISTEN and pg_notify mean alike."""
    config = msgspec.structs.replace(MessageQueueConfig(), task_queue="x" * NAME_BYTES_MAX)
    assert len(Topology.of(config).name(f"session-{2**63 - 1}")) <= 63
