"""What RabbitMQ may refuse, take away or hold back, and how little of it is noticed."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from fixtures.broker import RabbitMQServer, running_rabbitmq
from fixtures.certificates import make_certificates
from fixtures.contracts.message_queue_contract import opened, quiet, rings_through, until
from fixtures.processes import free_port
from scheduler_core.errors import MessageQueueUnavailableError
from scheduler_core.interfaces import MessageQueue
from scheduler_core.models import DISPATCHERS
from scheduler_infra.message_queue import MessageQueueConfig, open_message_queue
from scheduler_infra.message_queue.broker_message_queue import BrokerMessageQueue

CONFIG = MessageQueueConfig(
    reconnect_delay_seconds_max=0.3, io_timeout_seconds=2, connect_timeout_seconds=2, heartbeat_seconds=1
)
PATTERN = r"^(tasks|status_updates)($|\.)"
"""What the documentation says a user must be allowed."""


class QueuesOf:
    """Opens queues at one URL."""

    def __init__(self, url: str, **settings: object) -> None:
        self._config = msgspec.structs.replace(CONFIG, url=url, **settings)

    def open_queue(self) -> MessageQueue:
        """A new queue."""
        return open_message_queue(self._config, database_url="", application_name="scheduler test")


async def test_message_queue_integration_wrong_password_is_told_once_and_retried(
    rabbitmq_server: RabbitMQServer, amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused login costs one line for both connections, whatever is tried, until somebody corrects it."""
    caplog.set_level(logging.INFO, "scheduler_infra.message_queue")
    control = rabbitmq_server.control
    await asyncio.to_thread(control, "add_user", "ringer", "old")
    url = f"amqp://ringer:p%40ss%2Fw%3Ard@127.0.0.1:{rabbitmq_server.port}//"
    async with opened(QueuesOf(url)) as queue, queue.listen("session-1") as bell:
        for _ in range(20):
            await queue.ring(["session-1"])
            assert await bell.wait(0.1) is False
        (told,) = caplog.records
        assert told.levelname == "WARNING"
        assert "ACCESS_REFUSED" in vars(told)["reason"]
        assert vars(told)["broker"] == f"RabbitMQ at 127.0.0.1:{rabbitmq_server.port}"
        assert "p@ss" not in str(vars(told))
        with pytest.raises(MessageQueueUnavailableError, match=r"RabbitMQ at .*ACCESS_REFUSED.*message_queue\.url"):
            await queue.check()
        # No more rights than the documentation says.
        await asyncio.to_thread(control, "set_permissions", "ringer", PATTERN, PATTERN, PATTERN)
        await asyncio.to_thread(control, "change_password", "ringer", "p@ss/w:rd")
        await rings_through(queue, "session-1", bell)
        async with queue.listen(DISPATCHERS) as dispatcher:
            await rings_through(queue, DISPATCHERS, dispatcher)
        await queue.check()
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_message_queue_integration_forbidden_publisher_is_told_once(
    rabbitmq_server: RabbitMQServer, amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A user who may connect and listen but not publish is not told of at each of its lost connections."""
    async with opened(QueuesOf(amqp_url)) as queue:
        await queue.check()  # makes the exchange
    caplog.set_level(logging.INFO, "scheduler_infra.message_queue")
    control = rabbitmq_server.control
    await asyncio.to_thread(control, "add_user", "mute", "mute")
    await asyncio.to_thread(control, "set_permissions", "mute", PATTERN, "^nothing$", PATTERN)
    async with opened(QueuesOf(f"amqp://mute:mute@127.0.0.1:{rabbitmq_server.port}//")) as queue:
        for _ in range(20):
            await queue.ring(["session-1"])
            await asyncio.sleep(0.1)
        with pytest.raises(MessageQueueUnavailableError, match="ACCESS_REFUSED"):
            await queue.check()
    assert [record.levelname for record in caplog.records if record.levelname == "WARNING"] == ["WARNING"]
    assert len(caplog.records) <= 3


async def test_message_queue_integration_memory_alarm_blocks_nobody(
    rabbitmq_server: RabbitMQServer, amqp_url: str
) -> None:
    """During an alarm rings are dropped and counted, nothing waits, bells stay, checks say why; then all is well."""
    control = rabbitmq_server.control
    async with opened(QueuesOf(amqp_url)) as queue, queue.listen("session-1") as bell:
        assert isinstance(queue, BrokerMessageQueue)
        await rings_through(queue, "session-1", bell)
        await asyncio.to_thread(control, "set_vm_memory_high_watermark", "0.00001")
        try:
            await until(lambda: "memory resource limit alarm set" in rabbitmq_server.log)
            with pytest.raises(MessageQueueUnavailableError, match="alarm"):
                await queue.check()
            await queue.ring(["session-1"])
            await until(lambda: not queue.is_connected)
            started = time.monotonic()
            for _ in range(100):
                await queue.ring(["session-1"])
            with pytest.raises(MessageQueueUnavailableError, match="alarm"):
                await queue.check()
            assert time.monotonic() - started < 0.5
            assert queue.counter.dropped["blocked"] == 100
            assert bell.is_connected
        finally:
            await asyncio.to_thread(control, "set_vm_memory_high_watermark", "absolute", "512MB")
        await rings_through(queue, "session-1", bell)
        await queue.check()


async def test_message_queue_integration_deleted_and_purged_queues_are_no_loss(
    rabbitmq_server: RabbitMQServer, amqp_url: str
) -> None:
    """Deleting a session's queue costs a reconnection, after which the bell rings; purging costs nothing."""
    delete = (
        '[rabbit_amqqueue:delete(Q, false, false, <<"test">>) || Q <- rabbit_amqqueue:list(), '
        'binary:match(element(4, amqqueue:get_name(Q)), <<"tasks.session-1.">>) =/= nomatch].'
    )
    async with opened(QueuesOf(amqp_url)) as queue, queue.listen("session-1") as bell:
        await rings_through(queue, "session-1", bell)
        assert "ok" in await asyncio.to_thread(rabbitmq_server.control, "eval", delete)
        assert await bell.wait(5) is True
        await rings_through(queue, "session-1", bell)
        async with queue.listen(DISPATCHERS) as dispatcher:
            await quiet(bell, dispatcher)
            await asyncio.to_thread(rabbitmq_server.control, "purge_queue", "status_updates")
            assert dispatcher.is_connected
            await rings_through(queue, DISPATCHERS, dispatcher)


async def test_message_queue_integration_checks_share_one_connection(
    rabbitmq_server: RabbitMQServer, amqp_url: str, tcp_proxy: Callable[[tuple[str, int] | Path], object]
) -> None:
    """Probes that come faster than a frozen broker answers wait for one check, and pile up no threads."""
    async with opened(QueuesOf(amqp_url)) as queue:
        rabbitmq_server.freeze()
        try:
            # A thread of an earlier test may end meanwhile, so the new ones are looked at and not the count.
            before = set(threading.enumerate())
            asked = [asyncio.create_task(queue.check()) for _ in range(50)]
            await asyncio.sleep(0.2)
            assert len(set(threading.enumerate()) - before) == 1
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert {type(answer) for answer in answers} == {MessageQueueUnavailableError}
        finally:
            rabbitmq_server.thaw()
        await queue.check()


async def test_message_queue_integration_rings_over_tls_with_a_client_certificate(tmp_path: Path) -> None:
    """amqps:// trusts the named authority alone, checks the name, and may log in by its certificate."""
    port = free_port()
    made = make_certificates(tmp_path, "ringer")
    options = [
        f"listeners.ssl.1 = 127.0.0.1:{port}",
        f"ssl_options.cacertfile = {made.authority}",
        f"ssl_options.certfile = {made.server}",
        f"ssl_options.keyfile = {made.server_key}",
        "ssl_options.verify = verify_peer",
        "ssl_options.fail_if_no_peer_cert = true",
        "ssl_cert_login_from = common_name",
        "auth_mechanisms.1 = PLAIN",
        "auth_mechanisms.2 = EXTERNAL",
    ]
    files = {
        "tls_ca_file": str(made.authority),
        "tls_cert_file": str(made.client),
        "tls_key_file": str(made.client_key),
    }
    with running_rabbitmq(options, ["rabbitmq_auth_mechanism_ssl"]) as server:
        server.control("add_user", "ringer", "unused")
        server.control("set_permissions", "ringer", PATTERN, PATTERN, PATTERN)
        for url in (f"amqps://127.0.0.1:{port}//", f"amqps://guest:guest@127.0.0.1:{port}//"):
            async with opened(QueuesOf(url, **files)) as queue, queue.listen("session-1") as bell:
                await rings_through(queue, "session-1", bell)
                await queue.check()
        for settings, reason in (
            ({}, "certificate verify failed"),
            ({"tls_ca_file": str(made.authority)}, "RabbitMQ at 127.0.0.1"),
        ):
            async with opened(QueuesOf(f"amqps://guest:guest@127.0.0.1:{port}//", **settings)) as queue:
                with pytest.raises(MessageQueueUnavailableError, match=reason):
                    await queue.check()
