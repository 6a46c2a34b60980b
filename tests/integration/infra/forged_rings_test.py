"""Forged messages on every queue: nobody runs anything for them, and the bells still hear true rings."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

import amqp
import msgspec
import psycopg
import pytest

from fixtures.broker import RabbitMQServer
from fixtures.contracts.message_queue_contract import opened, rings_through, until
from fixtures.forged_rings import ForgedRing, forged_rings
from fixtures.redis_server import RedisServer
from scheduler_core.interfaces import MessageQueue
from scheduler_core.models import DISPATCHERS
from scheduler_infra.message_queue import MessageQueueConfig, open_message_queue
from scheduler_infra.message_queue.broker_message_queue import BrokerMessageQueue
from scheduler_infra.message_queue.postgres_message_queue import PostgresMessageQueue
from scheduler_infra.message_queue.topology import Topology

CONFIG = MessageQueueConfig(reconnect_delay_seconds_max=0.3, io_timeout_seconds=5, connect_timeout_seconds=5)
COUNT = 420
ADDRESSES = ("session-1", DISPATCHERS)


class Forger(Protocol):
    """Somebody who may write to the broker."""

    @property
    def text_bytes_max(self) -> int | None:
        """How long a message may be, where the broker bounds that."""

    def open_queue(self) -> MessageQueue:
        """A queue of ours on that broker."""

    def put(self, address: str, rings: Iterable[ForgedRing]) -> None:
        """Send them to everybody who listens at an address."""


class RabbitMQForger:
    """Publishes through the exchange, and straight into the shared queue."""

    text_bytes_max: int | None = None

    def __init__(self, server: RabbitMQServer) -> None:
        self._server = server

    def open_queue(self) -> MessageQueue:
        """See Forger."""
        return _open(self._server.url)

    def put(self, address: str, rings: Iterable[ForgedRing]) -> None:
        """See Forger."""
        with amqp.Connection(f"127.0.0.1:{self._server.port}", "guest", "guest") as connection:
            channel = connection.channel()
            for ring in rings:
                properties = {name: value for name, value in ring.properties.items() if value}
                headers = {"compression": properties.pop("compression", "none"), "lang": "py", "task": "os.system"}
                message = amqp.Message(ring.body, application_headers=headers, **properties)
                channel.basic_publish(message, exchange="tasks", routing_key=address)
                if address == DISPATCHERS:
                    channel.basic_publish(message, exchange="", routing_key="status_updates")
            channel.close()


class RedisForger:
    """Publishes to the channel of an address."""

    text_bytes_max: int | None = None

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    def open_queue(self) -> MessageQueue:
        """See Forger."""
        return _open(self._server.url)

    def put(self, address: str, rings: Iterable[ForgedRing]) -> None:
        """See Forger."""
        for ring in rings:
            self._server.command("PUBLISH", Topology.of(CONFIG).name(address), ring.body)


class NotifyForger:
    """Notifies the channel of an address."""

    text_bytes_max: int | None = 7000

    def __init__(self, url: str) -> None:
        self._url = url

    def open_queue(self) -> MessageQueue:
        """See Forger."""
        return _open(self._url)

    def put(self, address: str, rings: Iterable[ForgedRing]) -> None:
        """See Forger."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            for ring in rings:
                channel = Topology.of(CONFIG).name(address)
                connection.execute("SELECT pg_notify(%s, %s)", (channel, ring.body.decode()))


def _open(url: str) -> MessageQueue:
    config = msgspec.structs.replace(CONFIG, url=url)
    return open_message_queue(config, database_url="", application_name="scheduler test")


@pytest.fixture(params=["rabbitmq", "redis", "postgresql"])
def forger(request: pytest.FixtureRequest) -> Forger:
    """A forger on each kind of broker."""
    if request.param == "rabbitmq":
        request.getfixturevalue("amqp_url")
        return RabbitMQForger(request.getfixturevalue("rabbitmq_server"))
    if request.param == "redis":
        return RedisForger(request.getfixturevalue("redis_server"))
    return NotifyForger(request.getfixturevalue("empty_database_url"))


async def test_message_queue_integration_forged_messages_are_refused_and_bells_live(
    forger: Forger, caplog: pytest.LogCaptureFixture
) -> None:
    """Forged messages are counted as refused, replayed rings wake and no more, and no connection is lost for them."""
    async with opened(forger) as queue, queue.listen("session-1") as bell, queue.listen(DISPATCHERS) as dispatcher:
        assert isinstance(queue, BrokerMessageQueue | PostgresMessageQueue)
        await rings_through(queue, "session-1", bell)
        await rings_through(queue, DISPATCHERS, dispatcher)
        rings = list(forged_rings(COUNT, text_bytes_max=forger.text_bytes_max))
        before = queue.counter.heard
        for address in ADDRESSES:
            await asyncio.to_thread(forger.put, address, rings)
        counter = queue.counter
        # Not each of them: a queue is bounded, and equal notifications are one.
        await until(lambda: counter.refused.total() > 0 and counter.heard > before)
        await _settled(queue)
        assert set(counter.refused) == {"garbage", "version", "oversized"}
        assert counter.refused.total() <= 3 * len(ADDRESSES) * COUNT
        assert bell.is_connected
        assert dispatcher.is_connected
        await rings_through(queue, "session-1", bell)
        await rings_through(queue, DISPATCHERS, dispatcher)
        assert queue.is_connected
        assert [record for record in caplog.records if record.name.startswith("scheduler")] == []


async def _settled(queue: BrokerMessageQueue | PostgresMessageQueue) -> None:
    seen = -1
    while (now := queue.counter.refused.total()) != seen:
        seen = now
        await asyncio.sleep(0.2)
