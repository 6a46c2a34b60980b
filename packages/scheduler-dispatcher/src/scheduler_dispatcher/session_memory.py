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
# On a machine so busy that looks come late: what lasts until the fourth of them, but no longer than that.
_AHEAD_LOOKS: Final = 4
_AHEAD_SECONDS_MAX: Final = 2.0
# However short its runs are: what is given to a session that stops waits until it is missed.
_AHEAD_PLACES: Final = 10
# What is still left of it so many times later, and no sooner than this, was too much: the runs have become longer. A
# pace is only what one dispatcher has seen; what others have granted by theirs is not judged by it.
_AHEAD_FACTOR: Final = 2.0
_AHEAD_LEFT_SECONDS: Final = 1.0
# Over about how long a session's pace is taken.
_PACE_SECONDS: Final = 0.3
# A claim may be seen so long after the start that it says.
_COMMIT_SECONDS: Final = 0.5
# After so long without a look nobody knows when what ended since then has ended.
_UNSEEN_SECONDS: Final = 1.0
# The pace before such a gap is what the next burst begins with, for no longer than this.
_REMEMBERED_SECONDS: Final = 60.0


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
        self._looked_at = -_UNSEEN_SECONDS
        self._asked_seconds = 0.0
        self._look_seconds = 0.0

    @property
    def ahead_seconds_max(self) -> float:
        """How old a grant of a session whose places are full may become: what was given ahead was to be gone before."""
        return max(_AHEAD_LEFT_SECONDS, _AHEAD_FACTOR * self._ahead_seconds())

    def apply(self, views: Sequence[WorkerView]) -> list[WorkerView]:
        """The views with what is remembered, without those that are not to be offered now; the given ones stay."""
        now = self._clock.monotonic()
        self._noted(now)
        self._missed = {session_id: until for session_id, until in self._missed.items() if until > now}
        # Views come only while runs wait.
        self._paces = {
            session_id: pace for session_id, pace in self._paces.items() if now - pace.known_at <= _REMEMBERED_SECONDS
        }
        for view in views:
            self._paces[view.session_id] = (self._paces.get(view.session_id) or _Pace(now)).seen(view, now)
        trusted = [view for view in views if view.session_id not in self._missed]
        offered = [view for view in views if view.session_id not in self._missed or not _is_covered(view, trusted)]
        return [
            msgspec.structs.replace(
                view,
                turn=self._turns.get(view.session_id, 0),
                recent_types=view.recent_types.union(self._types.get(view.session_id, ())),
                ahead=self._ahead(view),
            )
            for view in offered
        ]

    def _ahead(self, view: WorkerView) -> int:
        if not view.takes_grants:
            return 0
        seconds = self._ahead_seconds()
        ends = math.floor(self._paces[view.session_id].per_second * seconds)
        if view.running and view.newest_seconds > seconds:
            # All that it runs is longer than that: the pace is for the places that are left.
            ends = ends * max(0, view.places - view.running) // view.places
        # Beyond the first ones whole claims: it takes as many at once as it has places.
        ends -= ends % view.places if ends > view.places else 0
        return min(_AHEAD_PLACES * view.places, ends)

    def _noted(self, now: float) -> None:
        seconds = now - self._looked_at
        self._looked_at = now
        if seconds <= _UNSEEN_SECONDS:
            # One that was rung for before it was due was not late, and does not mean that the next one will be soon.
            late = seconds if seconds >= self._asked_seconds else 0.0
            self._look_seconds = max(late, 0.8 * self._look_seconds)

    def looks_again(self, seconds: float) -> None:
        """The next look is due so soon, unless somebody rings."""
        self._asked_seconds = seconds

    def _ahead_seconds(self) -> float:
        return min(max(_AHEAD_SECONDS, _AHEAD_LOOKS * self._look_seconds), _AHEAD_SECONDS_MAX)

    def chosen(self, session_id: int, task_type: str | None = None) -> None:
        """A run, of this type where that is known, has been given to the session."""
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

    def taken_back(self, session_id: int, runs: int) -> None:
        """So many runs that were given to the session are its no more, and have not ended there."""
        if session_id in self._paces:
            self._paces[session_id].given -= runs

    def missed(self, session_id: int) -> None:
        """The session has not taken a run that was given to it."""
        self._missed[session_id] = self._clock.monotonic() + self._seconds_out
        self._paces.pop(session_id, None)


class _Pace:
    """How many runs a second end at a session, by what it was given and what of that it still holds.

    Runs that begin say nothing: a session with free places takes long ones as fast as short ones.
    """

    def __init__(self, now: float) -> None:
        self.per_second = 0.0
        self.given = 0
        self._mean = 0.0
        self._held = 0
        self._known_seconds = 0.0
        self._seen_at = self.known_at = now

    def seen(self, view: WorkerView, now: float) -> "_Pace":
        """At this moment it holds these runs, taken or not; the pace is a mean in which the past fades."""
        seconds, held = now - self._seen_at, view.running + view.assigned
        # Where none of its places has changed hands, what it holds no more was taken back, by whichever dispatcher.
        is_still = view.running >= view.places and view.newest_seconds > seconds + _COMMIT_SECONDS
        ended = 0 if is_still else max(0, self._held + self.given - held)
        self.given, self._held, self._seen_at = 0, held, now
        if seconds <= 0:
            self._held += ended
        elif seconds > _UNSEEN_SECONDS:
            self._mean = self._known_seconds = 0.0
            # Full places of which none has changed hands: what it does now is long.
            if is_still:
                self.per_second = 0.0
        else:
            fading = math.exp(-seconds / _PACE_SECONDS)
            self._mean = self._mean * fading + ended / seconds * (1.0 - fading)
            self._known_seconds += seconds
            self.known_at = now
            # The mean began with nothing, which is not what the session did before.
            self.per_second = self._mean / (1.0 - math.exp(-self._known_seconds / _PACE_SECONDS))
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
