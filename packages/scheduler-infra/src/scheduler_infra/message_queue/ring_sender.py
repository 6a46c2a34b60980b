"""The sending half of the doorbell on a broker."""

import threading
from collections.abc import Sequence

from scheduler_infra.message_queue.broker import RingingLink
from scheduler_infra.message_queue.message_codec import RingCounter
from scheduler_infra.message_queue.outage_log import OutageLog

PENDING_RINGS_MAX = 10_000


class RingSender:
    """Sends rings: unconfirmed, not persistent, and dropped while the broker is away or refuses to take them."""

    def __init__(self, counter: RingCounter, outage: OutageLog) -> None:
        self._counter = counter
        self._outage = outage
        self._lock = threading.Lock()
        self._pending: dict[str, None] = {}
        self._is_away = False
        self._is_blocked = False
        self._link: RingingLink | None = None

    @property
    def is_connected(self) -> bool:
        """Whether a ring given now would be sent, as far as is known."""
        return self._link is not None and not self._is_blocked

    @property
    def is_blocked(self) -> bool:
        """Whether the broker has an alarm, as far as is known."""
        return self._is_blocked

    def give(self, addresses: Sequence[str]) -> bool:
        """Take rings to send; returns False when they were dropped. Never waits; safe from every thread."""
        with self._lock:
            if self._is_away or self._is_blocked:
                reason = "away" if self._is_away else "blocked"
            elif len(self._pending) + len(addresses) > PENDING_RINGS_MAX:
                reason = "overflow"
            else:
                self._pending.update(dict.fromkeys(addresses))
                return True
        self._counter.drop(reason, len(addresses))
        return False

    def blocked(self, is_blocked: bool) -> None:
        """Note that the broker has an alarm and reads nothing from publishers, or that it is over."""
        self._is_blocked = is_blocked

    def connected(self, link: RingingLink) -> None:
        """Be ready to send."""
        self._is_blocked = self._is_away = False
        self._link = link
        self._outage.over("ringing")

    def serve(self) -> None:
        """Send everything that was given; what a connection fails to take is sent over the next one."""
        with self._lock:
            addresses, self._pending = self._pending, {}
        if self._link is None or not addresses:
            return
        try:
            self._link.send(addresses)
        except Exception:
            with self._lock:
                self._pending.update(addresses)
            raise
        self._counter.send(len(addresses))

    def away(self, error: Exception, *, was_connected: bool) -> None:
        """Drop what was given when an attempt to connect failed; a connection that was just lost is tried again."""
        self._link = None
        self._is_blocked = False
        if not was_connected:
            with self._lock:
                self._is_away = True
                lost, self._pending = len(self._pending), {}
            self._counter.drop("away", lost)
        self._outage.lost("ringing", error, was_connected=was_connected)
