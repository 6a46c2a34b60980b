"""Rings as JSON; what cannot be understood is counted and forgotten."""

from collections import Counter

import msgspec
from opentelemetry import metrics

from scheduler_core.models import RING_VERSION, Ring

RING_BYTES_MAX = 1024

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Ring)
_dropped = metrics.get_meter("scheduler_infra.message_queue").create_counter(
    "scheduler_rings_dropped", description="Rings that were not sent or not understood, by reason."
)

RING_BYTES = _encoder.encode(Ring())
"""The ring that this version sends."""


class RingCounter:
    """Counts the rings that one message queue dropped, by reason; they are disposable, so nothing else is done."""

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()

    def drop(self, reason: str, count: int = 1) -> None:
        """Remember `count` rings that are lost; does nothing for 0."""
        if count:
            self.dropped[reason] += count
            _dropped.add(count, {"reason": reason})

    def read(self, payload: bytes | bytearray | memoryview | str) -> Ring | None:
        """The ring in a payload; None for garbage, another kind of message, a newer version, or too many bytes."""
        if len(payload) > RING_BYTES_MAX:
            self.drop("oversized")
            return None
        try:
            ring = _decoder.decode(payload)
        except (msgspec.DecodeError, UnicodeError):
            self.drop("garbage")
            return None
        if not 1 <= ring.version <= RING_VERSION:
            self.drop("version")
            return None
        return ring
