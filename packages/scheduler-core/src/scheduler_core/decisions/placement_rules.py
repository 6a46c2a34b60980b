"""Which workers may take a run, and how a batch of runs is given to them."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from scheduler_core.interfaces.dispatch_strategy import DispatchStrategy
from scheduler_core.models.dispatch import Placement, Stream, StreamClass, StreamKey, WorkerView
from scheduler_core.models.dispatch_options import SHARED_STRATEGY

HASH_STRATEGY = "consistent_hash"
RESOURCE_STRATEGY = "resource_aware"
LEAST_LOADED_STRATEGY = "least_loaded"

_OWN_QUEUE = "@"
# Amounts are added up as floats: 0.1 three times is more than 0.3 by less than this share.
_ROUNDING = 1e-9

_Demand = tuple[str, str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]
_Groups = list[list[WorkerView]]


class _Takers(NamedTuple):
    """Whoever takes runs of a demand; those with a free place, and those that take more, most preferred tags first."""

    ids: frozenset[int]
    free: _Groups
    more: _Groups


class Workers:
    """A snapshot of workers that is brought up to date as runs are given to them; the views handed in stay as they are.

    Looking up who may take a run costs nothing, or, where it requests resources, as much as there are workers of its
    queue, type and tags.
    """

    def __init__(self, views: Iterable[WorkerView]) -> None:
        ordered = sorted(views, key=lambda view: view.session_id)
        self._by_id = {view.session_id: msgspec.structs.replace(view, used=dict(view.used)) for view in ordered}
        self._takers: dict[_Demand, _Takers] = {}
        # Of the stream that was asked for last: runs of one stream come one after another.
        self._last: tuple[StreamKey, _Takers] | None = None
        self._last_turn = max((view.turn for view in ordered), default=0)

    @property
    def views(self) -> Sequence[WorkerView]:
        """All of them as they are by now, in ascending order of session id. Not to be changed."""
        return list(self._by_id.values())

    def eligible(self, stream: StreamKey) -> list[WorkerView]:
        """Those that can take a run of this stream now, in ascending order of session id.

        They take its queue and type, have its required tags and none of its forbidden ones, have a free place, and have
        left what it requests. Of those only the ones with most of its preferred tags. Where no place is free: those
        that will have one at once.
        """
        takers = self._takers_of(stream)
        for groups in (takers.free, takers.more):
            for group in groups:
                able = [view for view in group if fits(view, stream)] if stream.resources else group
                if able:
                    return able
        return []

    def take_if_able(self, session_id: int, stream: StreamKey) -> bool:
        """Take if there is this session and it can take a run of this stream now; preferred tags do not count."""
        if session_id not in self._takers_of(stream).ids:
            return False
        view = self._by_id[session_id]
        if not view.takes_more or (stream.resources and not fits(view, stream)):
            return False
        self._take(view, stream)
        return True

    def take(self, session_id: int, stream: StreamKey) -> None:
        """Count a run of this stream as given to the session; KeyError when there is no such session."""
        self._take(self._by_id[session_id], stream)

    def _take(self, view: WorkerView, stream: StreamKey) -> None:
        view.assigned += 1
        for name, amount in stream.resources:
            view.used[name] = view.used.get(name, 0.0) + amount
        self._last_turn += 1
        view.turn = self._last_turn
        if stream.task_type not in view.recent_types:
            view.recent_types |= {stream.task_type}
        # Nothing gives it a place again in this snapshot.
        left_over = view.places - view.running - view.assigned
        if left_over == 0:
            for takers in self._takers.values():
                _leave_out(view, takers.free)
        if left_over + view.ahead == 0:
            for takers in self._takers.values():
                _leave_out(view, takers.more)

    def give_nothing_ahead(self, stream: StreamKey) -> None:
        """Whoever has the resources for a run of this stream, used or not, gets no more runs than it has places for."""
        for session_id in self._takers_of(stream).ids:
            view = self._by_id[session_id]
            if any(amount > view.resources.get(name, 0.0) for name, amount in stream.resources):
                continue
            view.ahead = 0
            if not view.takes_more:
                for takers in self._takers.values():
                    _leave_out(view, takers.more)

    def _takers_of(self, stream: StreamKey) -> _Takers:
        if self._last is not None and self._last[0] is stream:
            return self._last[1]
        demand = _demand(stream)
        found = self._takers.get(demand)
        if found is None:
            able = [view for view in self._by_id.values() if takes(view, stream)]
            found = self._takers[demand] = _Takers(
                frozenset(view.session_id for view in able),
                _by_preference((view for view in able if view.free), stream),
                _by_preference((view for view in able if view.takes_more), stream),
            )
        self._last = (stream, found)
        return found


def _demand(stream: StreamKey) -> _Demand:
    return stream.queue, stream.task_type, stream.required_tags, stream.preferred_tags, stream.forbidden_tags


def _by_preference(views: Iterable[WorkerView], stream: StreamKey) -> _Groups:
    by_score: dict[int, list[WorkerView]] = {}
    for view in views:
        by_score.setdefault(len(view.tags.intersection(stream.preferred_tags)), []).append(view)
    return [by_score[score] for score in sorted(by_score, reverse=True)]


def _leave_out(full: WorkerView, groups: _Groups) -> None:
    """Lists that were handed out stay as they are."""
    groups[:] = [[view for view in group if view is not full] for group in groups]


def takes(view: WorkerView, stream: StreamKey) -> bool:
    """Whether a worker serves the queue and type and has the right tags; free places and resources do not count."""
    return (
        (stream.queue in view.queues or stream.queue == f"{_OWN_QUEUE}{view.worker_id}")
        and stream.task_type in view.task_types
        and view.tags.issuperset(stream.required_tags)
        and view.tags.isdisjoint(stream.forbidden_tags)
    )


def needs_placement(stream: StreamKey, default_strategy: str) -> bool:
    """Whether a worker is chosen for its runs; those of a worker's own queue have theirs."""
    if stream.queue.startswith(_OWN_QUEUE):
        return False
    return bool(
        (stream.strategy or default_strategy) != SHARED_STRATEGY
        or stream.required_tags
        or stream.preferred_tags
        or stream.forbidden_tags
        or stream.resources
        or stream.hash_value is not None
    )


def is_granted(stream: Stream, default_strategy: str) -> bool:
    """Whether its runs are named to sessions without being written: those with a chosen worker, and nothing else.

    Permits, fairness and the background are decided of runs that are claimable.
    """
    return (
        stream.stream_class is StreamClass.PLAIN
        and not stream.key.limits
        and needs_placement(stream.key, default_strategy)
    )


def is_served(
    stream: StreamKey, default_strategy: str, workers: Workers, choose: Callable[[str | None], DispatchStrategy | None]
) -> bool:
    """Whether a run of the stream could be released now: nobody is to be chosen, or somebody can be."""
    return not needs_placement(stream, default_strategy) or (
        choose(stream.strategy) is not None and bool(workers.eligible(stream))
    )


def keep_room(waiting: Iterable[StreamKey], workers: Workers) -> None:
    """See that runs which request more than any worker has left come to their turn.

    What is given ahead is promised resources too, so that smaller runs would take for ever whatever becomes free.
    """
    for stream in {(_demand(stream), stream.resources): stream for stream in waiting if stream.resources}.values():
        if not workers.eligible(stream):
            workers.give_nothing_ahead(stream)


def place(
    placements: Sequence[Placement], workers: Workers, choose: Callable[[str | None], DispatchStrategy | None]
) -> list[int | None]:
    """The session of each run, in order; None: the run waits. `workers` is brought up to date with each choice.

    `choose` gives the strategy of a name, or the default one for None. Runs whose strategy it does not know wait, and
    so do those for which a strategy names a session that was not offered. Where nobody is to be chosen and yet somebody
    must be, `consistent_hash` decides for a hash value, `resource_aware` for resources, and `least_loaded` for tags.
    """
    return [place_one(placement, workers, choose) for placement in placements]


def place_one(
    placement: Placement, workers: Workers, choose: Callable[[str | None], DispatchStrategy | None]
) -> int | None:
    """What `place` says of a single run."""
    stream = placement.stream
    offered = workers.eligible(stream)
    if not offered:
        return None
    strategy = choose(stream.strategy)
    if strategy is not None and strategy.name == SHARED_STRATEGY:
        strategy = choose(instead_of_shared(stream))
    if strategy is None:
        return None
    session_id = strategy.choose(placement, offered)
    return session_id if session_id is not None and workers.take_if_able(session_id, stream) else None


def instead_of_shared(stream: StreamKey) -> str:
    """The strategy that decides where nobody is to be chosen and yet somebody must be."""
    if stream.hash_value is not None:
        return HASH_STRATEGY
    return RESOURCE_STRATEGY if stream.resources else LEAST_LOADED_STRATEGY


def fits(view: WorkerView, stream: StreamKey) -> bool:
    """Whether a worker has left what a run of the stream requests."""
    return all(
        amount <= left(view, name) + _ROUNDING * view.resources.get(name, 0.0) for name, amount in stream.resources
    )


def left(view: WorkerView, name: str) -> float:
    """How much of a resource nothing has been promised of; 0 for one that the worker does not report."""
    return view.resources.get(name, 0.0) - view.used.get(name, 0.0)
