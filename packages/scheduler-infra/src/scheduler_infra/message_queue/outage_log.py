"""What is said about a broker that is away: once when it goes, once when it is back."""

import logging
import threading
import time

logger = logging.getLogger("scheduler_infra.message_queue")

_STABLE_SECONDS = 5.0


class OutageLog:
    """The log of all connections of one message queue; attempts in between are not worth a line each.

    A reason is told once for each outage, whichever connection meets it first: a login that is refused after the
    broker was restarted is news. A connection that is made and lost for the same reason again and again, as with a
    user who may connect but not publish, is told once, too. Safe from every thread.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._down: set[str] = set()
        self._told: set[str] = set()
        self._is_news = False
        self._over_at = float("-inf")

    def lost(self, connection: str, error: BaseException, *, was_connected: bool) -> None:
        """Tell that a connection was lost or could not be made, unless that is known already."""
        with self._lock:
            if not self._down and time.monotonic() - self._over_at > _STABLE_SECONDS:
                self._told.clear()
            is_first = not self._down
            self._down.add(connection)
            kind = type(error).__name__
            if kind in self._told or (not is_first and not _is_refusal(error)):
                return
            self._told.add(kind)
            self._is_news = True
        event = "message queue lost" if was_connected else "message queue cannot be reached"
        logger.warning(
            f"{event}; connecting again, work is found by polling meanwhile",  # noqa: G004 - two fixed texts
            extra={"broker": self._place, "connection": connection, "reason": first_line(error)},
        )

    def over(self, connection: str) -> None:
        """Tell that all connections stand again, if it was told that they did not."""
        with self._lock:
            if connection not in self._down:
                return
            self._down.discard(connection)
            if self._down:
                return
            self._over_at = time.monotonic()
            is_news, self._is_news = self._is_news, False
        if is_news:
            logger.info("message queue reached again", extra={"broker": self._place})


def first_line(error: BaseException) -> str:
    """What an error says, as far as it fits a sentence."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _is_refusal(error: BaseException) -> bool:
    # By name, because neither driver is imported before its kind of broker is used.
    return type(error).__name__ in {"AccessRefused", "NotAllowed", "AuthenticationError", "NoPermissionError"}
