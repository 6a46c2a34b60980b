"""Rings as JSON; what cannot be understood is counted and forgotten."""

from collections import Counter

import msgspec

from scheduler_core.models import RING_VERSION, Ring
from scheduler_infra.message_queue import queue_metrics

RING_BYTES_MAX = 1024

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Ring)

RING_BYTES = _encoder.encode(Ring())
"""The ring that this version sends."""


class RingCounter:
    """Counts the rings of one message queue; those that are lost are disposable, so nothing else is done about them.

    Safe enough from every thread: the metrics are exact, and the numbers here are for tests.
    """

    def __init__(self, transport: str = "") -> None:
        self._transport = transport
        self.sent = 0
        self.heard = 0
        self.dropped: Counter[str] = Counter()
        """Rings of our own that were not sent, by reason."""
        self.refused: Counter[str] = Counter()
        """Messages that are no rings, by reason."""

    def send(self, count: int) -> None:
        """Count rings that were given to the broker."""
        self.sent += count
        queue_metrics.rings_sent.add(count, {"transport": self._transport})

    def drop(self, reason: str, count: int = 1) -> None:
        """Count rings that are lost; does nothing for 0."""
        if count:
            self.dropped[reason] += count
            queue_metrics.rings_dropped.add(count, {"transport": self._transport, "reason": reason})

    def read(self, payload: bytes | bytearray | memoryview | str) -> Ring | None:
        """The ring in a payload; None for garbage, another kind of message, a newer version, or too many bytes."""
        if len(payload) > RING_BYTES_MAX:
            self._refuse("oversized")
            return None
        try:
            ring = _decoder.decode(payload)
        except (msgspec.DecodeError, UnicodeError):
            self._refuse("garbage")
            return None
        if not 1 <= ring.version <= RING_VERSION:
            self._refuse("version")
            return None
        self.heard += 1
        queue_metrics.rings_heard.add(1, {"transport": self._transport})
        return ring

    def _refuse(self, reason: str) -> None:
        self.refused[reason] += 1
        queue_metrics.rings_refused.add(1, {"transport": self._transport, "reason": reason})
