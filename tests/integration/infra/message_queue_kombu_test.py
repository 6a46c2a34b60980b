"""Rings over a real RabbitMQ."""

import asyncio
import json
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import amqp
import kombu
import msgspec
import pytest

from fixtures.broker import RabbitMQServer
from fixtures.contracts.message_queue_contract import (
    MessageQueueContract,
    opened,
    rings_through,
    until,
)
from fixtures.tcp_proxy import TcpProxy
from scheduler_core.errors import MessageQueueUnavailableError
from scheduler_core.interfaces import MessageQueue
from scheduler_core.models import DISPATCHERS
from scheduler_infra.message_queue import MessageQueueConfig, open_message_queue
from scheduler_infra.message_queue.kombu_topology import STATUS_QUEUE_LENGTH_MAX

CONFIG = MessageQueueConfig(
    reconnect_delay_seconds_max=0.3, io_timeout_seconds=2, connect_timeout_seconds=2, heartbeat_seconds=1
)


class RabbitMQUnderTest:
    """A broker behind a proxy."""

    def __init__(self, server: RabbitMQServer, proxy: TcpProxy) -> None:
        self.server = server
        self.proxy = proxy

    def open_queue(self, **settings: object) -> MessageQueue:
        """A queue that connects through the proxy."""
        config = msgspec.structs.replace(CONFIG, url=f"amqp://guest:guest@127.0.0.1:{self.proxy.port}//", **settings)
        return open_message_queue(config, database_url="", application_name="scheduler test")

    async def put_on_wire(self, address: str, payload: bytes) -> None:
        """Publish any bytes."""
        await asyncio.to_thread(self._publish, address, payload)

    def _publish(self, address: str, payload: bytes) -> None:
        with kombu.Connection(self.server.url, connect_timeout=5) as connection:
            kombu.Producer(connection.channel()).publish(
                payload,
                exchange="tasks",
                routing_key=address,
                content_type="application/x-python-serialize",
                content_encoding="binary",
            )

    async def cut(self) -> None:
        """Break every connection."""
        self.proxy.cut()

    async def go_away(self) -> None:
        """Refuse connections."""
        self.proxy.refuse()

    async def come_back(self) -> None:
        """Take connections."""
        self.proxy.accept()


@pytest.fixture
def broker(
    amqp_url: str, rabbitmq_server: RabbitMQServer, tcp_proxy: Callable[[tuple[str, int] | Path], TcpProxy]
) -> RabbitMQUnderTest:
    """RabbitMQ, reached through a proxy."""
    return RabbitMQUnderTest(rabbitmq_server, tcp_proxy(("127.0.0.1", rabbitmq_server.port)))


class TestRabbitMQMessageQueue(MessageQueueContract):
    """The contract over RabbitMQ."""


async def test_message_queue_integration_bell_survives_a_restart_of_rabbitmq(broker: RabbitMQUnderTest) -> None:
    """After a restart both halves connect and declare what they need again, without anybody's help."""
    async with opened(broker) as queue, queue.listen("session-1") as bell, queue.listen(DISPATCHERS) as dispatcher:
        await rings_through(queue, "session-1", bell)
        await asyncio.to_thread(broker.server.restart)
        await rings_through(queue, "session-1", bell)
        await rings_through(queue, DISPATCHERS, dispatcher)


async def test_message_queue_integration_frozen_rabbitmq_blocks_nobody(broker: RabbitMQUnderTest) -> None:
    """While the broker is stopped with SIGSTOP ringing, waiting and checking keep their limits; it is noticed."""
    async with opened(broker) as queue, queue.listen("session-1") as bell:
        await rings_through(queue, "session-1", bell)
        broker.server.freeze()
        try:
            started = time.monotonic()
            for _ in range(200):
                await queue.ring([f"session-{number}" for number in range(50)])
            assert time.monotonic() - started < 1
            with pytest.raises(MessageQueueUnavailableError):
                await queue.check()
            await until(lambda: not bell.is_connected and not queue.is_connected, timeout_seconds=10)
            assert await bell.wait(0.05) is False
        finally:
            broker.server.thaw()
        await rings_through(queue, "session-1", bell)


async def test_message_queue_integration_close_does_not_wait_for_a_frozen_rabbitmq(broker: RabbitMQUnderTest) -> None:
    """Closing while the broker is frozen ends in bounded time and leaves no thread."""
    threads = set(threading.enumerate())
    queue = broker.open_queue()
    async with queue.listen("session-1") as bell:
        await rings_through(queue, "session-1", bell)
        broker.server.freeze()
        try:
            started = time.monotonic()
            await queue.close()
            assert time.monotonic() - started < CONFIG.connect_timeout_seconds + 2 * CONFIG.io_timeout_seconds
        finally:
            broker.server.thaw()
    assert not {thread for thread in set(threading.enumerate()) - threads if thread.name.startswith("scheduler test")}


async def test_message_queue_integration_silent_network_is_noticed_by_heartbeats(broker: RabbitMQUnderTest) -> None:
    """A network that swallows everything is noticed after two heartbeats, and survived."""
    async with opened(broker) as queue, queue.listen("session-1") as bell:
        await rings_through(queue, "session-1", bell)
        broker.proxy.silence()
        started = time.monotonic()
        await until(lambda: not bell.is_connected, timeout_seconds=10)
        assert time.monotonic() - started < 2 * CONFIG.heartbeat_seconds + 2
        broker.proxy.resume()
        broker.proxy.cut()
        await rings_through(queue, "session-1", bell)


async def test_message_queue_integration_idle_connections_live_longer_than_heartbeats(
    broker: RabbitMQUnderTest,
) -> None:
    """Connections on which nothing happens are kept by heartbeats and are not made anew."""
    async with opened(broker) as queue, queue.listen("session-1") as bell:
        await rings_through(queue, "session-1", bell)
        accepted = broker.proxy.accepted
        assert await bell.wait(3.5 * CONFIG.heartbeat_seconds) is False
        assert queue.is_connected
        assert broker.proxy.accepted == accepted


async def test_message_queue_integration_lost_shared_queue_is_declared_again(broker: RabbitMQUnderTest) -> None:
    """When somebody deletes the dispatchers' queue, the dispatcher notices and declares it again."""
    async with opened(broker) as queue, queue.listen(DISPATCHERS) as bell:
        await rings_through(queue, DISPATCHERS, bell)

        def delete() -> None:
            with kombu.Connection(broker.server.url) as connection:
                kombu.Queue("status_updates")(connection.channel()).delete()

        await asyncio.to_thread(delete)
        assert await bell.wait(5) is True
        await rings_through(queue, DISPATCHERS, bell)


async def test_message_queue_integration_queues_made_by_another_version_are_used(broker: RabbitMQUnderTest) -> None:
    """An exchange or shared queue that exists with other arguments is taken as it is."""

    def declare_differently() -> None:
        with kombu.Connection(broker.server.url) as connection:
            channel = connection.channel()
            exchange = kombu.Exchange("other_tasks", type="direct", durable=True, auto_delete=True)
            kombu.Queue("other_status", exchange, routing_key=DISPATCHERS, durable=True, max_length=7)(
                channel
            ).declare()

    await asyncio.to_thread(declare_differently)
    queue = broker.open_queue(task_queue="other_tasks", status_queue="other_status")
    try:
        async with queue.listen(DISPATCHERS) as bell, queue.listen("session-1") as session:
            await rings_through(queue, DISPATCHERS, bell)
            await rings_through(queue, "session-1", session)
    finally:
        await queue.close()


async def test_message_queue_integration_queue_names_separate_installations(broker: RabbitMQUnderTest) -> None:
    """Two installations with different names on one broker do not hear each other; changing the names matters."""
    other = broker.open_queue(task_queue="blue", status_queue="blue_status")
    try:
        async with opened(broker) as queue, queue.listen("session-1") as here, other.listen("session-1") as there:
            await rings_through(queue, "session-1", here)
            await rings_through(other, "session-1", there)
            await queue.ring(["session-1"])
            assert await here.wait(5)
            assert await there.wait(0.15) is False
    finally:
        await other.close()


async def test_message_queue_integration_session_queues_vanish_with_their_listener(
    broker: RabbitMQUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session's queue belongs to its connection alone, and is gone when the session stops listening."""
    monkeypatch.setattr("secrets.token_hex", lambda _size: "fixed")

    def look() -> str:
        with kombu.Connection(broker.server.url) as connection:
            try:
                kombu.Queue("tasks.session-1.fixed")(connection.channel()).queue_declare(passive=True)
            except (amqp.NotFound, amqp.ResourceLocked) as error:
                return type(error).__name__
        return "anybody's"

    async with opened(broker) as queue:
        async with queue.listen("session-1") as bell:
            await rings_through(queue, "session-1", bell)
            assert await asyncio.to_thread(look) == "ResourceLocked"
        await until(lambda: look() == "NotFound")


async def test_message_queue_integration_rings_for_absent_dispatchers_are_bounded(broker: RabbitMQUnderTest) -> None:
    """Rings that no dispatcher takes pile up to a limit and no further."""

    def waiting() -> int:
        with kombu.Connection(broker.server.url) as connection:
            return int(kombu.Queue("status_updates")(connection.channel()).queue_declare(passive=True).message_count)

    async with opened(broker) as queue:
        await queue.ring([DISPATCHERS])
        await until(lambda: queue.is_connected)
        for _ in range(1500):
            await queue.ring([DISPATCHERS])
            await asyncio.sleep(0.001)
        await until(lambda: waiting() == STATUS_QUEUE_LENGTH_MAX)


async def test_message_queue_integration_wrong_password_is_explained_without_showing_it(
    rabbitmq_server: RabbitMQServer, amqp_url: str
) -> None:
    """A refused login is one paragraph that names the setting and not the password."""
    config = MessageQueueConfig(url=f"amqp://guest:swordfish@127.0.0.1:{rabbitmq_server.port}//")
    queue = open_message_queue(config, database_url="", application_name="scheduler test")
    with pytest.raises(MessageQueueUnavailableError, match=r"message_queue\.url") as caught:
        await queue.check()
    assert "swordfish" not in str(caught.value)
    await queue.close()


async def test_message_queue_integration_ring_wakes_quickly_over_rabbitmq(broker: RabbitMQUnderTest) -> None:
    """From the call of ring to the end of the wait it takes milliseconds at most, over two connections."""
    delays = []
    async with opened(broker) as ringer, opened(broker) as listener, listener.listen("session-1") as bell:
        await rings_through(ringer, "session-1", bell)
        for _ in range(100):
            started = time.monotonic()
            await ringer.ring(["session-1"])
            assert await bell.wait(5)
            delays.append(time.monotonic() - started)
    median = statistics.median(delays)
    print(json.dumps({"workload": "rabbitmq ring to wake", "n": len(delays), "median_ms": round(median * 1000, 3)}))
    assert median < 0.02
