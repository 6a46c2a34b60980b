"""How long this process may believe that its session is its own."""

from collections.abc import Callable


class Lease:
    """Local trust in a lease: it ends at the moment its last renewal was *requested*, plus lease minus margin.

    The moment of the request, because the database may have begun the lease any time after it; the margin is the
    time in which children are killed. Instants are monotonic seconds. Safe to read from any thread.
    """

    def __init__(self, lease_seconds: float, requested_at: float) -> None:
        self._trusted_seconds = lease_seconds - margin_seconds(lease_seconds)
        self._trusted_until = requested_at + self._trusted_seconds
        self._is_lost = False
        # Half of the margin is left for the killing.
        self._kill_after_seconds = margin_seconds(lease_seconds) / 2
        self._tell: Callable[[float], None] | None = None

    @property
    def is_lost(self) -> bool:
        """Whether trust has ended for good."""
        return self._is_lost

    def renewed(self, requested_at: float) -> None:
        """The database has answered a renewal that was requested at this moment."""
        self._trusted_until = max(self._trusted_until, requested_at + self._trusted_seconds)
        if self._tell is not None and not self._is_lost:
            self._tell(self.kill_at)

    @property
    def kill_at(self) -> float:
        """When everything that was started under this lease has to die, whoever has to see to it.

        A little after trust ends, so that what this process does about it by itself comes first.
        """
        return self._trusted_until + self._kill_after_seconds

    def follow(self, tell: Callable[[float], None]) -> None:
        """Have `tell(kill_at)` called now and at every renewal, in whose thread that is."""
        self._tell = tell
        tell(self.kill_at)

    def seconds_left(self, now: float) -> float:
        """How long trust lasts from `now` on; 0 when it has ended."""
        return 0.0 if self._is_lost else max(0.0, self._trusted_until - now)

    def lose(self) -> None:
        """End trust; a renewal that is answered later does not bring it back."""
        self._is_lost = True


def margin_seconds(lease_seconds: float) -> float:
    """The part of a lease in which nobody trusts it any more and children are killed: a tenth.

    >>> margin_seconds(30.0)
    3.0
    """
    return lease_seconds / 10
