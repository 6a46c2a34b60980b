"""What a dispatcher remembers of the sessions that it has chosen."""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from scheduler_core.interfaces import Clock
from scheduler_core.models.dispatch import WorkerView

_MISSED_FACTOR: Final = 3.0
_SESSIONS_MAX: Final = 10_000
_TYPES_MAX: Final = 16
# What a session is expected to take within so many seconds is given to it beyond its places: a little more than lies
# between the end of a run and the start of the next one, when that is given because of it.
_AHEAD_SECONDS: Final = 0.4
# Over about how long a session's pace is taken.
_PACE_SECONDS: Final = 0.3


class SessionMemory:
    """When each session was last chosen and for which task types, its pace, and which did not take their run.

    A session that missed one is not offered for three times `dispatch_timeout_seconds`, unless it alone can do
    something that it does. Nothing is stored: another dispatcher begins with what the snapshot says.
    """

    def __init__(self, clock: Clock, dispatch_timeout_seconds: float) -> None:
        self._clock = clock
        self._seconds_out = _MISSED_FACTOR * dispatch_timeout_seconds
        self._turn = 0
        # The one chosen longest ago first.
        self._turns: dict[int, int] = {}
        self._types: dict[int, list[str]] = {}
        self._missed: dict[int, float] = {}
        self._paces: dict[int, _Pace] = {}

    def apply(self, views: Sequence[WorkerView]) -> list[WorkerView]:
        """The views with what is remembered, without those that are not to be offered now; the given ones stay."""
        now = self._clock.monotonic()
        self._missed = {session_id: until for session_id, until in self._missed.items() if until > now}
        self._paces = {
            view.session_id: (self._paces.get(view.session_id) or _Pace(now)).seen(view.assigned, now) for view in views
        }
        trusted = [view for view in views if view.session_id not in self._missed]
        offered = [view for view in views if view.session_id not in self._missed or not _is_covered(view, trusted)]
        return [
            msgspec.structs.replace(
                view,
                turn=self._turns.get(view.session_id, 0),
                recent_types=view.recent_types.union(self._types.get(view.session_id, ())),
                ahead=min(view.places, math.floor(self._paces[view.session_id].per_second * _AHEAD_SECONDS)),
            )
            for view in offered
        ]

    def chosen(self, session_id: int, task_type: str | None = None) -> None:
        """A run, of this type where that is known, is given to the session."""
        if session_id in self._paces:
            self._paces[session_id].given += 1
        self._turn += 1
        self._turns.pop(session_id, None)
        self._turns[session_id] = self._turn
        if task_type is not None:
            types = self._types.setdefault(session_id, [])
            if task_type not in types:
                types.append(task_type)
                del types[:-_TYPES_MAX]
        if len(self._turns) > _SESSIONS_MAX:
            oldest = next(iter(self._turns))
            del self._turns[oldest]
            self._types.pop(oldest, None)

    def missed(self, session_id: int) -> None:
        """The session has not taken a run that was given to it."""
        self._missed[session_id] = self._clock.monotonic() + self._seconds_out
        self._paces.pop(session_id, None)


class _Pace:
    """How many runs a second a session takes, by what it was given and what of that it still has not taken."""

    def __init__(self, now: float) -> None:
        self.per_second = 0.0
        self.given = 0
        self._seen_at = now

    def seen(self, untaken: int, now: float) -> "_Pace":
        """At this moment so many of those given are not taken; the pace is a mean in which the past fades."""
        taken, self.given = max(0, self.given - untaken), untaken
        fading = math.exp((self._seen_at - now) / _PACE_SECONDS)
        self.per_second = self.per_second * fading + taken / _PACE_SECONDS
        self._seen_at = now
        return self


def _is_covered(view: WorkerView, others: Sequence[WorkerView]) -> bool:
    """Whether for every queue and type of a worker there is another one that has all its tags and resources, too."""
    alike = [other for other in others if view.tags <= other.tags and view.resources.keys() <= other.resources.keys()]
    return all(
        any(queue in other.queues and task_type in other.task_types for other in alike)
        for queue in view.queues
        if not queue.startswith("@")
        for task_type in view.task_types
    )
