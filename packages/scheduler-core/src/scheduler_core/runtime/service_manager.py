"""What a process tells systemd, or another service manager that listens at NOTIFY_SOCKET."""

import logging
import os
import socket
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Final

logger = logging.getLogger("scheduler.runtime")

_SEND_SECONDS: Final = 1.0
_MICROSECONDS: Final = 1_000_000


class ServiceManager:
    """Whoever wants to know how this process stands; nobody where the `address` is empty.

    `watchdog_seconds` is how long it may be silent before it is taken for dead; None where nobody watches.
    """

    def __init__(self, address: str = "", watchdog_seconds: float | None = None) -> None:
        self._address = address
        self.watchdog_seconds = watchdog_seconds if address else None

    @classmethod
    def of_process(cls, environment: MutableMapping[str, str] = os.environ) -> "ServiceManager":
        """The one that the environment names. Its variables are removed: what is started here is to know none of it."""
        address = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        watched_pid = environment.pop("WATCHDOG_PID", "")
        if address and not address.startswith(("/", "@")):
            logger.warning("NOTIFY_SOCKET is %r, neither a path nor an abstract socket; nobody is notified", address)
            return cls()
        is_watched = microseconds.isascii() and microseconds.isdigit() and watched_pid in ("", str(os.getpid()))
        seconds = int(microseconds) / _MICROSECONDS if is_watched else 0.0
        return cls(address, seconds or None)

    def tell_ready(self, status: str) -> None:
        """It does its work from now on; `status` is a line for people."""
        self.tell("READY=1", f"STATUS={_line(status)}")

    def tell_stopping(self) -> None:
        """It comes to its end; what it still has to do may take a while."""
        self.tell("STOPPING=1", "STATUS=Stopping")

    def tell_alive(self) -> None:
        """The watchdog need not bite."""
        self.tell("WATCHDOG=1")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """It reads its configuration again, from the beginning to the end of the block."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self.tell("READY=1")

    def tell(self, *assignments: str) -> None:
        """Send one message. Never raises: who does not listen goes without."""
        if not self._address:
            return
        # An abstract socket begins with a NUL, which no environment can hold.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_SEND_SECONDS)
                sender.sendto("\n".join(assignments).encode(), address)
        except (OSError, ValueError) as error:
            logger.warning("service manager not notified of %s: %s", assignments[0], error)


def _line(text: str) -> str:
    return " ".join(text.split())
