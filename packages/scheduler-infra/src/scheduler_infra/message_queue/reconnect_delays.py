"""How long to wait before the next attempt to reach a broker."""

import random
import time

_STABLE_SECONDS = 5.0
_FIRST_SECONDS = 0.1


class ReconnectDelays:
    """Pauses that double from 0.1 seconds up to a limit, with jitter so that a fleet does not return in step."""

    def __init__(self, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._failures = 0
        self._connected_at: float | None = None

    def connected(self) -> None:
        """Note that an attempt succeeded; pauses start over once the connection has lasted some seconds."""
        self._connected_at = time.monotonic()

    def next_seconds(self) -> float:
        """The pause after a failed attempt or a lost connection."""
        if self._connected_at is not None and time.monotonic() - self._connected_at > _STABLE_SECONDS:
            self._failures = 0
        self._connected_at = None
        ceiling = min(self._seconds_max, _FIRST_SECONDS * float(2 ** min(self._failures, 20)))
        self._failures += 1
        return ceiling * random.uniform(0.5, 1.0)
