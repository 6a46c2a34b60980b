"""Rings over a real Redis."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from fixtures.certificates import make_certificates
from fixtures.contracts.message_queue_contract import MessageQueueContract, opened, rings_through, until
from fixtures.processes import free_port
from fixtures.redis_server import RedisServer, running_redis
from fixtures.tcp_proxy import TcpProxy
from scheduler_core.errors import MessageQueueUnavailableError
from scheduler_core.interfaces import MessageQueue
from scheduler_core.models import DISPATCHERS
from scheduler_infra.message_queue import MessageQueueConfig, open_message_queue
from scheduler_infra.message_queue.topology import Topology

CONFIG = MessageQueueConfig(
    reconnect_delay_seconds_max=0.3, io_timeout_seconds=2, connect_timeout_seconds=2, heartbeat_seconds=1
)


class RedisUnderTest:
    """A Redis behind a proxy."""

    def __init__(self, server: RedisServer, proxy: TcpProxy) -> None:
        self.server = server
        self.proxy = proxy

    def open_queue(self) -> MessageQueue:
        """A queue that connects through the proxy."""
        return open_queue(f"redis://127.0.0.1:{self.proxy.port}")

    async def put_on_wire(self, address: str, payload: bytes) -> None:
        """Publish any bytes."""
        await asyncio.to_thread(self.server.command, "PUBLISH", Topology.of(CONFIG).name(address), payload)

    async def cut(self) -> None:
        """Break every connection."""
        self.proxy.cut()

    async def go_away(self) -> None:
        """Refuse connections."""
        self.proxy.refuse()

    async def come_back(self) -> None:
        """Take connections."""
        self.proxy.accept()


def open_queue(url: str, **settings: object) -> MessageQueue:
    """A queue with short limits."""
    config = msgspec.structs.replace(CONFIG, url=url, **settings)
    return open_message_queue(config, database_url="", application_name="scheduler test")


@pytest.fixture
def broker(redis_server: RedisServer, tcp_proxy: Callable[[tuple[str, int] | Path], TcpProxy]) -> RedisUnderTest:
    """Redis, reached through a proxy."""
    return RedisUnderTest(redis_server, tcp_proxy(("127.0.0.1", redis_server.port)))


class TestRedisMessageQueue(MessageQueueContract):
    """The contract over Redis."""


async def test_message_queue_integration_bell_survives_a_restart_of_redis(broker: RedisUnderTest) -> None:
    """After a restart both halves connect and subscribe again, without anybody's help."""
    async with opened(broker) as queue, queue.listen("session-1") as bell, queue.listen(DISPATCHERS) as dispatcher:
        await rings_through(queue, "session-1", bell)
        await asyncio.to_thread(broker.server.restart)
        await rings_through(queue, "session-1", bell)
        await rings_through(queue, DISPATCHERS, dispatcher)


async def test_message_queue_integration_frozen_redis_blocks_nobody(broker: RedisUnderTest) -> None:
    """While the server is stopped with SIGSTOP ringing, waiting and checking keep their limits; it is noticed."""
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


async def test_message_queue_integration_close_does_not_wait_for_a_frozen_redis(broker: RedisUnderTest) -> None:
    """Closing while the server is frozen ends in bounded time and leaves no thread."""
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


async def test_message_queue_integration_silent_redis_is_noticed_by_beats(broker: RedisUnderTest) -> None:
    """A network that swallows everything is noticed after two heartbeats, and survived."""
    async with opened(broker) as queue, queue.listen("session-1") as bell:
        await rings_through(queue, "session-1", bell)
        broker.proxy.silence()
        await until(lambda: not bell.is_connected, timeout_seconds=10)
        broker.proxy.resume()
        broker.proxy.cut()
        await rings_through(queue, "session-1", bell)


async def test_message_queue_integration_idle_redis_connections_stay(broker: RedisUnderTest) -> None:
    """Connections on which nothing happens are kept by beats and are not made anew."""
    async with opened(broker) as queue, queue.listen("session-1") as bell:
        await rings_through(queue, "session-1", bell)
        accepted = broker.proxy.accepted
        assert await bell.wait(3.5 * CONFIG.heartbeat_seconds) is False
        assert queue.is_connected
        assert broker.proxy.accepted == accepted


async def test_message_queue_integration_redis_keeps_nothing(broker: RedisUnderTest) -> None:
    """Neither listeners, nor rings that nobody hears, nor listeners that vanish leave a key behind."""
    async with opened(broker) as queue, queue.listen("session-1") as bell:
        await rings_through(queue, "session-1", bell)
        await queue.ring([DISPATCHERS, *(f"session-{number}" for number in range(1000))])
        broker.proxy.cut()
        await rings_through(queue, "session-1", bell)
        assert broker.server.command("DBSIZE") == b":0\r\n"
    await until(lambda: broker.server.command("PUBSUB", "CHANNELS") == b"*0\r\n")


async def test_message_queue_integration_redis_user_needs_only_what_the_page_says() -> None:
    """A user that may publish and subscribe to our channels alone, with an odd password, is enough; TLS not needed."""
    rules = "on >p@ss/w:rd resetchannels &tasks.* &status_updates -@all +publish +subscribe +unsubscribe +ping"
    with running_redis(["user default off", f"user ringer {rules}"]) as server:
        queue = open_queue(f"redis://ringer:p%40ss%2Fw%3Ard@127.0.0.1:{server.port}/3")
        async with queue.listen("session-1") as bell, queue.listen(DISPATCHERS) as dispatcher:
            await rings_through(queue, "session-1", bell)
            await rings_through(queue, DISPATCHERS, dispatcher)
            await queue.check()
        await queue.close()


async def test_message_queue_integration_redis_refusals_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong password, and a user who may connect but not publish, cost one line each however often it is tried."""
    with running_redis(["user default on >secret ~* resetchannels +@all"]) as server:
        for password in ("swordfish", "secret"):
            caplog.clear()
            caplog.set_level(logging.INFO, "scheduler_infra.message_queue")
            queue = open_queue(f"redis://:{password}@127.0.0.1:{server.port}")
            async with queue.listen("session-1") as bell:
                for _ in range(15):
                    await queue.ring(["session-2"])
                    assert await bell.wait(0.1) is False
                with pytest.raises(MessageQueueUnavailableError, match=r"message_queue\.url") as caught:
                    await queue.check()
            await queue.close()
            assert [record.levelname for record in caplog.records].count("WARNING") == 1
            assert len(caplog.records) <= 2
            assert "swordfish" not in str(caught.value) + str([vars(record) for record in caplog.records])


async def test_message_queue_integration_rings_over_redis_with_tls(tmp_path: Path) -> None:
    """rediss:// trusts the named authority alone, and shows the certificate that the server wants."""
    port, made = free_port(), make_certificates(tmp_path, "ringer")
    files = {"tls_ca_file": str(made.authority), "tls_cert_file": str(made.client)}
    files["tls_key_file"] = str(made.client_key)
    options = [
        f"tls-port {port}",
        f"tls-ca-cert-file {made.authority}",
        f"tls-cert-file {made.server}",
        f"tls-key-file {made.server_key}",
        "tls-auth-clients yes",
    ]
    url = f"rediss://127.0.0.1:{port}"
    with running_redis(options):
        queue = open_queue(url, **files)
        async with queue.listen("session-1") as bell:
            await rings_through(queue, "session-1", bell)
            await queue.check()
        await queue.close()
        for settings, reason in (
            ({}, "certificate verify failed"),
            ({"tls_ca_file": files["tls_ca_file"]}, "Redis at"),
        ):
            queue = open_queue(url, **settings)
            with pytest.raises(MessageQueueUnavailableError, match=reason):
                await queue.check()
            await queue.close()
