"""Rings over RabbitMQ."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from scheduler_core.errors import MessageQueueUnavailableError
from scheduler_core.interfaces import Bell
from scheduler_infra.message_queue.bell_board import BellBoard
from scheduler_infra.message_queue.kombu_connection import KombuConnection
from scheduler_infra.message_queue.kombu_consumer import KombuConsumer
from scheduler_infra.message_queue.kombu_publisher import KombuPublisher
from scheduler_infra.message_queue.kombu_thread import KombuThread, KombuWork
from scheduler_infra.message_queue.kombu_topology import KombuTopology
from scheduler_infra.message_queue.message_codec import RingCounter
from scheduler_infra.message_queue.message_queue_config import MessageQueueConfig
from scheduler_infra.message_queue.outage_log import first_line
from scheduler_infra.message_queue.reconnect_delays import ReconnectDelays
from scheduler_infra.message_queue.topology import Topology

logger = logging.getLogger(__name__)


class KombuMessageQueue:
    """A `MessageQueue` on an AMQP broker.

    Listening and ringing have a connection and a thread each, started at the first use: a broker with an alarm stops
    reading from connections that publish, and must not stop the bell with that.
    """

    def __init__(self, url: str, config: MessageQueueConfig, application_name: str) -> None:
        self._url = url
        self._config = config
        self._application_name = application_name
        self._board = BellBoard()
        self._counter = RingCounter()
        self._topology = KombuTopology(Topology.of(config))
        self._publisher = KombuPublisher(self._topology, self._counter)
        self._consumer: KombuConsumer | None = None
        self._ringing: KombuThread | None = None
        self._listening: KombuThread | None = None
        self._closing = False

    @contextlib.asynccontextmanager
    async def listen(self, address: str) -> AsyncIterator[Bell]:
        """Listen at an address until the context is left; all addresses share one connection."""
        bell = self._board.add(address)
        self._follow_listeners()
        try:
            yield bell
        finally:
            self._board.remove(address, bell)
            self._follow_listeners()

    async def ring(self, addresses: Sequence[str]) -> None:
        """Hand the rings to the publishing thread; they are lost when the broker is away."""
        if self._closing:
            self._counter.drop("closed", len(addresses))
        elif addresses and self._publisher.give(addresses):
            if self._ringing is None:
                self._ringing = self._start("rings", self._publisher, self._publisher.blocked)
            self._ringing.wake()

    @property
    def is_connected(self) -> bool:
        """Whether every connection in use is open, as far as is known; False before the first use."""
        halves = [self._publisher.is_connected] if self._ringing else []
        if self._listening and self._consumer:
            halves.append(self._consumer.is_connected)
        return bool(halves) and all(halves)

    async def check(self) -> None:
        """Return if the broker answers on a new connection; raise MessageQueueUnavailableError if not."""
        try:
            await asyncio.to_thread(self._connect_once)
        except Exception as error:
            # amqp raises all sorts of errors; each of them says that the broker cannot be used.
            raise MessageQueueUnavailableError(
                f"The message broker cannot be used: {first_line(error)}. Work is still found by polling; "
                "check message_queue.url and that the broker runs."
            ) from error

    async def close(self) -> None:
        """Send what was rung before, close both connections in their threads, and end the threads."""
        self._closing = True
        limit = self._config.connect_timeout_seconds + 2 * self._config.io_timeout_seconds
        threads = [thread for thread in (self._ringing, self._listening) if thread is not None]
        ended = await asyncio.gather(*(thread.stop(limit) for thread in threads))
        self._ringing = self._listening = None
        self._board.set_connected(())
        if not all(ended):
            logger.warning("message queue thread still waits for the broker", extra={"waited_seconds": limit})

    def _follow_listeners(self) -> None:
        if self._closing:
            return
        if self._consumer is None or self._listening is None:
            self._consumer = self._new_consumer()
            self._consumer.want(self._board.addresses)
            self._listening = self._start("bells", self._consumer)
        else:
            self._consumer.want(self._board.addresses)
            self._listening.wake()

    def _new_consumer(self) -> KombuConsumer:
        loop = asyncio.get_running_loop()

        def in_loop(function: Callable[..., None], *args: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed before the queue
                loop.call_soon_threadsafe(function, *args)

        return KombuConsumer(
            self._topology,
            self._counter,
            heard=lambda address: in_loop(self._board.ring, address),
            reachable=lambda addresses: in_loop(self._set_reachable, addresses),
        )

    def _set_reachable(self, addresses: frozenset[str]) -> None:
        self._board.set_connected(() if self._closing else addresses)

    def _start(
        self, role: str, work: KombuWork, blocked: Callable[[bool], None] = lambda _blocked: None
    ) -> KombuThread:
        name = f"{self._application_name} {role}"
        thread = KombuThread(
            name,
            work,
            lambda: KombuConnection(self._url, self._config, name, blocked),
            heartbeat_seconds=self._config.heartbeat_seconds,
            delays=ReconnectDelays(self._config.reconnect_delay_seconds_max),
        )
        thread.start()
        return thread

    def _connect_once(self) -> None:
        KombuConnection(self._url, self._config, f"{self._application_name} check").close()
