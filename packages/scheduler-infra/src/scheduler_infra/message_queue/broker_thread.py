"""The thread that owns one connection to a broker at a time, and connects again for ever."""

import asyncio
import contextlib
import select
import socket
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from scheduler_infra.message_queue.broker import BrokerLink
from scheduler_infra.message_queue.reconnect_delays import ReconnectDelays

LinkT = TypeVar("LinkT", bound=BrokerLink)
LinkT_contra = TypeVar("LinkT_contra", bound=BrokerLink, contravariant=True)


class BrokerWork(Protocol[LinkT_contra]):
    """What a thread does with its connection; every method is called in that thread and may raise."""

    def connected(self, link: LinkT_contra) -> None:
        """Prepare a new connection; nothing of an earlier one is left."""

    def serve(self) -> None:
        """Do what has been asked for since the last call; called after `connected` and after each wake."""

    def away(self, error: Exception, *, was_connected: bool) -> None:
        """Take note that the connection was lost, or that an attempt to connect failed."""


class BrokerThread(Generic[LinkT]):
    """Runs a `BrokerWork` on its own connection and thread, from `start` to `stop`."""

    def __init__(
        self,
        name: str,
        work: BrokerWork[LinkT],
        connect: Callable[[], LinkT],
        *,
        heartbeat_seconds: float,
        delays: ReconnectDelays,
    ) -> None:
        self._work = work
        self._connect = connect
        self._beat_seconds = heartbeat_seconds / 4
        self._delays = delays
        self._stopping = threading.Event()
        self._woken, self._waker = socket.socketpair()
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        # A daemon: a process that has to leave now is not kept by a name server or a broker that does not answer.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to connect; to be called once."""
        self._thread.start()

    def wake(self) -> None:
        """Have `serve` called soon; safe from every thread, and harmless after the end."""
        with contextlib.suppress(OSError):
            self._waker.send(b"\0", socket.MSG_DONTWAIT)

    async def stop(self, timeout_seconds: float) -> bool:
        """Serve once more, close the connection and end the thread; returns False if that took too long."""
        self._stopping.set()
        self.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._ended.wait()
        if self._ended.is_set():
            # The thread has nothing left to do but return.
            self._thread.join()
        return self._ended.is_set()

    def _run(self) -> None:
        try:
            # At least one attempt: there may be work that was given just before stop.
            self._connect_and_work()
            while not self._stopping.wait(self._delays.next_seconds()):
                self._connect_and_work()
        finally:
            self._woken.close()
            self._waker.close()
            with contextlib.suppress(RuntimeError):  # the loop was closed without closing the queue
                self._loop.call_soon_threadsafe(self._ended.set)

    def _connect_and_work(self) -> None:
        link: LinkT | None = None
        try:
            link = self._connect()
            self._delays.connected()
            self._work.connected(link)
            self._work_until_stopped(link)
        except Exception as error:
            # Wide on purpose: amqp answers a lost connection with AttributeError, struct.error and others, and
            # whatever it was, the answer is the same: a new connection.
            if link is not None:
                link.drop()
            self._work.away(error, was_connected=link is not None)
        else:
            with contextlib.suppress(Exception):
                link.close()

    def _work_until_stopped(self, link: LinkT) -> None:
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        poll.register(link.fileno(), select.POLLIN)
        while True:
            # Read before serving, so that no wake is lost between the two.
            stopping = self._stopping.is_set()
            self._work.serve()
            if stopping:
                return
            ready = {descriptor for descriptor, _ in poll.poll(self._beat_seconds * 1000)}
            if self._woken.fileno() in ready:
                self._woken.recv(4096)
            if ready - {self._woken.fileno()}:
                link.read()
            link.beat()
