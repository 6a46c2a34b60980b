"""Rings over a broker beside PostgreSQL."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from scheduler_core.errors import MessageQueueUnavailableError
from scheduler_core.interfaces import Bell
from scheduler_infra.message_queue import queue_metrics
from scheduler_infra.message_queue.bell_board import BellBoard
from scheduler_infra.message_queue.broker import Broker, ListeningLink, RingingLink
from scheduler_infra.message_queue.broker_check import BrokerCheck
from scheduler_infra.message_queue.broker_thread import BrokerThread, BrokerWork, LinkT
from scheduler_infra.message_queue.message_codec import RingCounter
from scheduler_infra.message_queue.message_queue_config import MessageQueueConfig
from scheduler_infra.message_queue.outage_log import OutageLog, first_line
from scheduler_infra.message_queue.reconnect_delays import ReconnectDelays
from scheduler_infra.message_queue.ring_listener import RingListener
from scheduler_infra.message_queue.ring_sender import RingSender

logger = logging.getLogger(__name__)


class BrokerMessageQueue:
    """A `MessageQueue` on a broker.

    Listening and ringing have a connection and a thread each, started at the first use: a broker with an alarm stops
    reading from connections that publish, and must not stop the bell with that.
    """

    commit_ring = None

    def __init__(self, broker: Broker, config: MessageQueueConfig, application_name: str) -> None:
        self.transport = broker.transport
        self.place = broker.place
        self.application_name = application_name
        self.counter = RingCounter(broker.transport)
        self._broker = broker
        self._config = config
        self._board = BellBoard()
        self._outage = OutageLog(broker.place)
        self._sender = RingSender(self.counter, self._outage)
        self._check = BrokerCheck(lambda: broker.check(f"{application_name} check"), name=f"{application_name} check")
        self._listener: RingListener | None = None
        self._ringing: BrokerThread[RingingLink] | None = None
        self._listening: BrokerThread[ListeningLink] | None = None
        self._closing = False
        queue_metrics.measure(self)

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
        """Hand the rings to the sending thread; they are lost when the broker is away."""
        if self._closing:
            self.counter.drop("closed", len(addresses))
        elif addresses and self._sender.give(addresses):
            if self._ringing is None:
                self._ringing = self._start(
                    "rings", self._sender, lambda name: self._broker.ringing(name, self._sender.blocked)
                )
            self._ringing.wake()

    @property
    def is_used(self) -> bool:
        """Whether there is a connection that could stand."""
        return self._ringing is not None or self._listening is not None

    @property
    def is_connected(self) -> bool:
        """Whether every connection in use is open, as far as is known; False before the first use."""
        halves = [self._sender.is_connected] if self._ringing else []
        if self._listening and self._listener:
            halves.append(self._listener.is_connected)
        return bool(halves) and all(halves)

    async def check(self) -> None:
        """Return if the broker takes rings on a new connection; raise MessageQueueUnavailableError if not."""
        if self._closing:
            raise MessageQueueUnavailableError("The message queue is closed.")
        if self._sender.is_blocked:
            raise self._unavailable("it has an alarm, and takes no messages until that is over")
        try:
            await self._check.ask()
        except Exception as error:
            # Drivers raise all sorts of errors; each of them says that the broker cannot be used.
            raise self._unavailable(first_line(error)) from error

    async def close(self) -> None:
        """Send what was rung before, close both connections in their threads, and end the threads."""
        self._closing = True
        queue_metrics.forget(self)
        threads = [thread for thread in (self._ringing, self._listening) if thread]
        # One operation that hangs, and the goodbye.
        limit = self._config.connect_timeout_seconds + 2 * self._config.io_timeout_seconds
        ended = await asyncio.gather(*(thread.stop(limit) for thread in threads))
        self._ringing = self._listening = None
        self._board.set_connected(())
        if not all(ended):
            logger.warning("message queue thread still waits for the broker", extra={"waited_seconds": limit})

    def _follow_listeners(self) -> None:
        if self._closing:
            return
        if self._listener is None or self._listening is None:
            loop = asyncio.get_running_loop()
            self._listener = RingListener(
                self._outage, reachable=lambda addresses: _in_loop(loop, self._set_reachable, addresses)
            )
            self._listener.want(self._board.addresses)
            self._listening = self._start(
                "bells", self._listener, lambda name: self._broker.listening(name, self._heard_in(loop))
            )
        else:
            self._listener.want(self._board.addresses)
            self._listening.wake()

    def _heard_in(self, loop: asyncio.AbstractEventLoop) -> Callable[[str, bytes | bytearray | memoryview | str], None]:
        def heard(address: str, payload: bytes | bytearray | memoryview | str) -> None:
            if self.counter.read(payload) is not None:
                _in_loop(loop, self._board.ring, address)

        return heard

    def _set_reachable(self, addresses: frozenset[str]) -> None:
        self._board.set_connected(() if self._closing else addresses)

    def _start(self, role: str, work: BrokerWork[LinkT], connect: Callable[[str], LinkT]) -> BrokerThread[LinkT]:
        name = f"{self.application_name} {role}"
        thread = BrokerThread(
            name,
            work,
            lambda: connect(name),
            heartbeat_seconds=self._config.heartbeat_seconds,
            delays=ReconnectDelays(self._config.reconnect_delay_seconds_max),
        )
        thread.start()
        return thread

    def _unavailable(self, reason: str) -> MessageQueueUnavailableError:
        return MessageQueueUnavailableError(
            f"{self.place} cannot be used for rings: {reason}. Work is still found by polling; check "
            "message_queue.url and that the broker runs."
        )


def _in_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop was closed before the queue
        loop.call_soon_threadsafe(function, *args)
