"""How much output of all runs together may wait for the database."""

import threading
from collections.abc import Callable


class OutputRoom:
    """A number of bytes that is taken and given back, from any thread.

    `on_scarce` is called whenever so much was taken that less than half is left.
    """

    def __init__(self, limit_bytes: int, on_scarce: Callable[[], None] | None = None) -> None:
        self._left = limit_bytes
        self._half = limit_bytes // 2
        self._on_scarce = on_scarce
        self._lock = threading.Lock()

    @property
    def is_scarce(self) -> bool:
        """Whether less than half is left."""
        return self._left < self._half

    def take(self, size: int) -> bool:
        """Take so many bytes; False, and nothing is taken, where they are not left."""
        with self._lock:
            if size > self._left:
                return False
            is_scarce = self._left >= self._half > self._left - size
            self._left -= size
        if is_scarce and self._on_scarce is not None:
            self._on_scarce()
        return True

    def take_anyway(self, size: int) -> None:
        """Take so many bytes, whether they are left or not; give them back where `size` is negative."""
        with self._lock:
            self._left -= size
