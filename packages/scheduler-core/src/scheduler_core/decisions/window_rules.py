"""Which of the waiting gated runs become claimable now, and in which order.

Of each lane and class only a few runs are claimable at a time, so that whose turn it is stays open as long as possible:
plain streams go by age and priority, fair ones by start-time fair queueing (P. Goyal, H. Vin, H. Cheng, 1996) over
their fairness keys, background ones after all others but for a guaranteed share of the places.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import heapify, heappop, heapreplace
from typing import Final

from scheduler_core.decisions.limit_rules import headroom, seconds_to_start
from scheduler_core.models import Lane
from scheduler_core.models.dispatch import Placement, Release, Stream, StreamClass, WindowFacts, WindowPlan, WorkerView

PRIORITY_STEP: Final = timedelta(minutes=5)
"""How much waiting one step of priority is worth; scheduler.claim_at of the schema says the same."""

FAR: Final = timedelta(days=36_500)
"""By how much background runs beyond their share come after all others, and those within it before them."""

WINDOW_MIN: Final = 8
# However the turns fall, few streams get more than so many times their even share of the room at once.
_HEADS_FACTOR: Final = 4
_HEADS_MIN: Final = 4
_Budgets = dict[tuple[Lane, StreamClass], int]

Choose = Callable[[Placement], int | None]
"""Finds the session of a run and notes that it is given to it; None: the run waits."""


class Windows:
    """The room that is left: of each lane and class, and of each limit's key. Kept up to date as runs are released.

    Streams whose runs are granted have a window of their own: all that `takers` have places for, now and at once. What
    one of them has too much of takes nothing from the others.
    """

    def __init__(
        self,
        facts: WindowFacts,
        *,
        size: int = 0,
        background_share: float = 0.1,
        is_granted: Callable[[Stream], bool] = lambda _: False,
        takers: Sequence[WorkerView] = (),
    ) -> None:
        # Of each stream by its id: a lane is made anew whenever a stream is asked for it.
        self._lane_of = {stream.id: stream.lane for stream in facts.streams}
        self._lanes = set(self._lane_of.values())
        self._granted = {stream.id for stream in facts.streams if is_granted(stream)}
        places = Counter(
            {lane: sum(worker.places for worker in facts.workers if _serves(worker, lane)) for lane in self._lanes}
        )
        self._grants = Counter(
            {
                lane: size or sum(worker.room for worker in takers if _serves(worker, lane))
                for lane in {stream.lane for stream in facts.streams if stream.id in self._granted}
            }
        )
        self._room: _Budgets = {
            (lane, each): (size or max(WINDOW_MIN, places[lane])) if places[lane] else 0
            for lane in self._lanes
            for each in StreamClass
        }
        self._near: Counter[Lane] = Counter(
            {lane: _near(math.ceil(background_share * places[lane])) for lane in self._lanes if places[lane]}
        )
        self._keys = {key.id: headroom(key) for key in facts.limit_keys}
        # By key and lane: what is claimable in a lane whose workers are busy must not keep others waiting.
        self._offered: Counter[tuple[int, Lane]] = Counter()
        for stream in facts.streams:
            if self.is_granted(stream):
                # What the takers hold is off their room already.
                self._grants[stream.lane] -= stream.claimable if size else 0
                continue
            self._room[stream.lane, stream.stream_class] -= stream.claimable
            if stream.stream_class is StreamClass.BACKGROUND:
                self._near[stream.lane] -= stream.running + stream.claimable - stream.far
            self._draw(stream, stream.claimable)

    def is_granted(self, stream: Stream) -> bool:
        """Whether its runs are granted to sessions rather than released."""
        return stream.id in self._granted

    def room(self, stream: Stream) -> int:
        """How many more runs of this stream may become claimable."""
        room = self.window_room(stream)
        if not stream.limit_key_ids:
            return max(0, room)
        limits = (
            self._keys[key_id] - self._offered[key_id, stream.lane]
            for key_id in stream.limit_key_ids
            if key_id in self._keys
        )
        return max(0, int(min(room, *limits, 1 << 30)))

    def window_room(self, stream: Stream) -> int:
        """How many more runs of its lane and class may become claimable, its limits aside."""
        if stream.id in self._granted:
            return self._grants[self._lane_of[stream.id]]
        room = self._room[stream.lane, stream.stream_class]
        return max(room, self._near[stream.lane]) if stream.stream_class is StreamClass.BACKGROUND else room

    def offered(self, key_id: int, lane: Lane) -> int:
        """How many runs of a lane with this limit's key are claimable."""
        return self._offered[key_id, lane]

    def take(self, stream: Stream) -> bool:
        """A run of the stream becomes claimable; True where it belongs to the background's guaranteed share."""
        if stream.id in self._granted:
            self._grants[self._lane_of[stream.id]] -= 1
            return False
        self._room[stream.lane, stream.stream_class] -= 1
        self._draw(stream, 1)
        if stream.stream_class is not StreamClass.BACKGROUND or self._near[stream.lane] <= 0:
            return False
        self._near[stream.lane] -= 1
        return True

    def _draw(self, stream: Stream, count: int) -> None:
        for key_id in stream.limit_key_ids:
            self._offered[key_id, stream.lane] += count


def _serves(worker: WorkerView, lane: Lane) -> bool:
    return lane.task_type in worker.task_types and (lane.queue in worker.queues or lane.queue == f"@{worker.worker_id}")


def _near(share: int) -> int:
    """How many background runs go before all others at a time, so that `share` places are theirs.

    Half as many again as are to run: between the end of one and the start of the next one lies a dispatcher's look.
    """
    return share + math.ceil(share / 2)


def wanted_heads(
    facts: WindowFacts, windows: Windows, is_served: Callable[[Stream], bool] = lambda _: True
) -> dict[int, int]:
    """Of which streams how many waiting runs may be needed: those whose turn may come within the room that is left.

    Streams that are not served now, because no worker suits them, are passed over: they keep no others waiting.
    """
    by_window: dict[tuple[Lane, StreamClass, bool], list[tuple[float | datetime, Stream]]] = defaultdict(list)
    for stream in facts.streams:
        if stream.head_at is not None and windows.room(stream) > 0 and is_served(stream):
            turn = _start(stream, facts.clocks) if stream.stream_class is not StreamClass.PLAIN else stream.head_at
            by_window[stream.lane, stream.stream_class, windows.is_granted(stream)].append((turn, stream))
    wanted = {}
    for waiting in by_window.values():
        waiting.sort(key=lambda each: (each[0], each[1].id))
        left = windows.window_room(waiting[0][1])
        first = waiting[: 2 * left + WINDOW_MIN]
        share = max(_HEADS_MIN, _HEADS_FACTOR * left // len(first))
        for _, stream in first:
            wanted[stream.id] = min(windows.room(stream), share)
    return wanted


def plan_window(
    facts: WindowFacts,
    windows: Windows,
    heads: Mapping[int, Sequence[tuple[int, datetime]]],
    choose: Choose,
    needs_choice: Callable[[Stream], bool],
) -> WindowPlan:
    """Release waiting runs into the room that is left, each in its turn."""
    plan = _Plan(facts, windows, heads, choose, needs_choice)
    for each in (StreamClass.PLAIN, StreamClass.FAIR, StreamClass.BACKGROUND):
        plan.release(each)
    return plan.result()


class _Plan:
    def __init__(
        self,
        facts: WindowFacts,
        windows: Windows,
        heads: Mapping[int, Sequence[tuple[int, datetime]]],
        choose: Choose,
        needs_choice: Callable[[Stream], bool],
    ) -> None:
        self._facts = facts
        self._windows = windows
        self._heads = heads
        self._choose = choose
        self._needing_choice = {stream.id for stream in facts.streams if heads.get(stream.id) and needs_choice(stream)}
        self._releases: list[Release] = []
        self._virtual_times: dict[int, float] = {}
        self._clocks = dict(facts.clocks)
        self._unversed = {worker.session_id for worker in facts.workers if not worker.takes_grants}
        self._is_short = False

    def release(self, stream_class: StreamClass) -> None:
        streams = [
            stream
            for stream in self._facts.streams
            if stream.stream_class is stream_class and self._heads.get(stream.id)
        ]
        is_plain = stream_class is StreamClass.PLAIN
        positions = {stream.id: 0 for stream in streams}
        self._oldest: dict[Lane, datetime] = {}
        for stream in streams:
            first = self._heads[stream.id][0][1]
            self._oldest[stream.lane] = min(first, self._oldest.get(stream.lane, first))
        by_id = {stream.id: stream for stream in streams}
        queue = [(self._turn(stream, self._heads[stream.id][0][1]), stream.id) for stream in streams]
        heapify(queue)
        while queue:
            turn, stream_id = queue[0]
            stream, heads, position = by_id[stream_id], self._heads[stream_id], positions[stream_id]
            run_id, claim_at = heads[position]
            if not is_plain and (now_due := self._turn(stream, claim_at)) > turn:
                # Another stream of its fairness key was served meanwhile.
                heapreplace(queue, (now_due, stream_id))
            elif self._windows.room(stream) <= 0 or not self._serve(stream, run_id, claim_at, is_plain=is_plain):
                heappop(queue)
            elif position + 1 == len(heads):
                heappop(queue)
                # There may be more of it than was asked for.
                self._is_short |= self._windows.room(stream) > 0
            else:
                positions[stream_id] = position + 1
                following = heads[position + 1][1]
                heapreplace(queue, ((0.0, following) if is_plain else self._turn(stream, following), stream_id))

    def result(self) -> WindowPlan:
        keys = {key.id: key for key in self._facts.limit_keys}
        waiting = {
            (key_id, stream.lane)
            for stream in self._facts.streams
            if stream.head_at is not None
            for key_id in stream.limit_key_ids
            if key_id in keys
        }
        waits = [
            seconds
            for key_id, lane in waiting
            if (seconds := seconds_to_start(keys[key_id], already=self._windows.offered(key_id, lane))) is not None
        ]
        changed = {key: time for key, time in self._clocks.items() if self._facts.clocks.get(key) != time}
        return WindowPlan(
            releases=tuple(self._releases),
            virtual_times=self._virtual_times,
            clocks=changed,
            seconds_to_next=0.0 if self._is_short and self._releases else min(waits, default=None),
        )

    def _turn(self, stream: Stream, claim_at: datetime) -> tuple[float, datetime]:
        if stream.stream_class is StreamClass.PLAIN:
            return 0.0, claim_at
        return self._start(stream), claim_at

    def _start(self, stream: Stream) -> float:
        served = self._virtual_times.get(stream.fairness_id or 0, stream.virtual_time)
        return max(served, self._clocks.get((stream.key.queue, stream.key.background), 0.0))

    def _serve(self, stream: Stream, run_id: int, claim_at: datetime, *, is_plain: bool) -> bool:
        session_id = None
        if stream.id in self._needing_choice:
            session_id = self._choose(Placement(run_id=run_id, stream=stream.key))
            if session_id is None:
                # Nobody suits now, and nobody will suit the next one of the same stream.
                return False
        is_near = self._windows.take(stream)
        if not is_plain:
            start = self._start(stream)
            self._clocks[stream.key.queue, stream.key.background] = start
            if stream.fairness_id is not None:
                self._virtual_times[stream.fairness_id] = start + 1.0 / stream.key.weight
            claim_at = self._place_in_line(stream, is_near=is_near) + timedelta(microseconds=len(self._releases))
        is_granted = self._windows.is_granted(stream) and session_id not in self._unversed
        granted_of = stream.id if is_granted else None
        self._releases.append(Release(run_id=run_id, claim_at=claim_at, session_id=session_id, granted_of=granted_of))
        return True

    def _place_in_line(self, stream: Stream, *, is_near: bool) -> datetime:
        """Those that take turns do so at the place in line of the one of them that has waited longest."""
        if stream.stream_class is StreamClass.BACKGROUND:
            return self._facts.now - FAR if is_near else self._facts.now + FAR
        return self._oldest[stream.lane]


def _start(stream: Stream, clocks: Mapping[tuple[str, bool], float]) -> float:
    return max(stream.virtual_time, clocks.get((stream.key.queue, stream.key.background), 0.0))
