"""The hearing half of the doorbell on a broker."""

from collections.abc import Callable

from scheduler_infra.message_queue.broker import ListeningLink
from scheduler_infra.message_queue.outage_log import OutageLog


class RingListener:
    """Listens at all addresses at which somebody wants to hear rings, on one connection.

    `reachable(addresses)` is called in the thread of the connection.
    """

    def __init__(self, outage: OutageLog, *, reachable: Callable[[frozenset[str]], None]) -> None:
        self._outage = outage
        self._reachable = reachable
        self._wanted: frozenset[str] = frozenset()
        self._heard_at: frozenset[str] = frozenset()
        self._link: ListeningLink | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return self._link is not None

    def want(self, addresses: frozenset[str]) -> None:
        """Say at which addresses somebody listens; followed at the next `serve`. Safe from every thread."""
        self._wanted = addresses

    def connected(self, link: ListeningLink) -> None:
        """Start over, with nothing listened at."""
        self._heard_at = frozenset()
        self._link = link
        self._outage.over("listening")

    def serve(self) -> None:
        """Listen at what is wanted and nothing else."""
        wanted = self._wanted
        if self._link is None or wanted == self._heard_at:
            return
        if gone := self._heard_at - wanted:
            self._link.unlisten(sorted(gone))
        if new := wanted - self._heard_at:
            self._link.listen(sorted(new))
        self._heard_at = wanted
        self._reachable(wanted)

    def away(self, error: Exception, *, was_connected: bool) -> None:
        """Tell that no bell can be reached."""
        self._link = None
        self._heard_at = frozenset()
        self._reachable(frozenset())
        self._outage.lost("listening", error, was_connected=was_connected)
