"""Which worker sessions are lost, judged by two clocks that must agree."""

from collections.abc import Sequence
from typing import NamedTuple

from scheduler_core.models import SessionSighting


class _Stillness(NamedTuple):
    renewals: int
    since: float


class SessionObserver:
    """Watches the renewal counters of live sessions. Times are seconds of one monotonic clock.

    A session is lost only when its lease has passed by the database's clock and its counter stood still for a
    whole lease before this observer's eyes: a step of either wall clock takes nobody's runs away.
    """

    def __init__(self) -> None:
        self._seen: dict[int, _Stillness] = {}

    def observe(self, sightings: Sequence[SessionSighting], asked_at: float, answered_at: float) -> list[int]:
        """Take in what the database answered, and return the ids of the sessions that are lost.

        A counter is trusted to stand from `answered_at` on and judged at `asked_at`, so a slow answer only ever
        makes the observer more patient. Sessions that are not sighted are forgotten.
        """
        seen: dict[int, _Stillness] = {}
        lost = []
        for sighting in sightings:
            known = self._seen.get(sighting.session_id)
            if known is None or known.renewals != sighting.renewals:
                known = _Stillness(sighting.renewals, answered_at)
            seen[sighting.session_id] = known
            if sighting.lease_expired and asked_at - known.since >= sighting.lease_seconds:
                lost.append(sighting.session_id)
        self._seen = seen
        return lost

    def seconds_to_verdict(self, sightings: Sequence[SessionSighting], now: float) -> float | None:
        """How soon one of these sessions can have stood still for its lease; None when there are none."""
        waits = [
            self._seen[sighting.session_id].since + sighting.lease_seconds - now
            for sighting in sightings
            if sighting.session_id in self._seen
        ]
        return max(0.0, min(waits)) if waits else None
