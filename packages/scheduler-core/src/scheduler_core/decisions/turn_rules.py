"""How far a gated run is from becoming claimable: what the next decision on windows comes to for one run."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from scheduler_core.decisions.limit_rules import seconds_to_start
from scheduler_core.decisions.placement_rules import (
    Workers,
    fits,
    instead_of_shared,
    is_granted,
    needs_placement,
    takes,
)
from scheduler_core.decisions.window_rules import FAR, Windows, plan_window, wanted_heads
from scheduler_core.models import SHARED_STRATEGY, TaskRunStatus
from scheduler_core.models.dispatch import Placement, Release, Stream, StreamClass, StreamKey, WindowFacts, WorkerView
from scheduler_core.models.limit import LimitKeyState
from scheduler_core.models.situation import RunSituation, SessionFacts, SystemFacts
from scheduler_core.models.turn import LimitStanding, LimitTurn, ToldTurn, TurnFacts, TurnSituation

_LONG: Final = timedelta(seconds=30)

Heads = Mapping[int, Sequence[tuple[int, datetime]]]


class Foresight:
    """What the next look of a dispatcher releases, decided as it decides, but for the choice among suitable workers.

    The windows are taken to have the sizes that dispatchers ship with.
    """

    def __init__(self, window: WindowFacts, heads: Heads, system: SystemFacts) -> None:
        self.window = window
        self.system = system
        self._streams = {stream.id: stream for stream in window.streams}
        self._stream_of = {run_id: stream_id for stream_id, runs in heads.items() for run_id, _ in runs}
        windows = _windows(window, system)
        self._rooms = {stream.id: max(0, windows.window_room(stream)) for stream in window.streams}
        self.views = _views(window, system)
        self._workers = Workers(self.views)
        self.releases = plan_window(
            window, windows, heads, self._choose, lambda stream: needs_placement(stream.key, self.default)
        ).releases
        self._release_of = {release.run_id: release for release in self.releases}
        self._place_of = {release.run_id: place for place, release in enumerate(self.releases)}

    @property
    def views_after(self) -> Sequence[WorkerView]:
        """The workers as they are after these releases."""
        return self._workers.views

    @property
    def default(self) -> str:
        """The strategy that the dispatchers are set to."""
        return self.system.dispatchers.strategy

    def stream(self, stream_id: int | None) -> Stream | None:
        """The stream with this id, None for one without waiting and claimable runs."""
        return self._streams.get(stream_id) if stream_id is not None else None

    def room(self, stream: Stream) -> int:
        """How many more runs of its lane and class may become claimable."""
        return self._rooms[stream.id]

    def release(self, run_id: int) -> Release | None:
        """How a run becomes claimable in the next look; None: it does not."""
        return self._release_of.get(run_id)

    def before(self, run_id: int, stream: Stream, ahead: int, sharing: Iterable[Stream]) -> int:
        """How many of these streams' runs, and of the run's own, are released before it, or else stand before it."""
        first = self.releases[: self._place_of.get(run_id)]
        others = {other.id for other in sharing if other.id != stream.id}
        return ahead + sum(self._stream_of[earlier.run_id] in others for earlier in first)

    def sharing(self, stream: Stream) -> list[Stream]:
        """The streams of its lane and class."""
        return [
            other
            for other in self.window.streams
            if other.lane == stream.lane and other.stream_class is stream.stream_class
        ]

    def with_key(self, key_id: int) -> list[Stream]:
        """The streams with a key of a limit."""
        return [other for other in self.window.streams if key_id in other.limit_key_ids]

    def other_keys(self, stream: Stream) -> int:
        """How many other fairness keys have waiting runs of its lane and class."""
        waiting = {other.fairness_id for other in self.sharing(stream) if other.head_at is not None}
        return len(waiting - {stream.fairness_id})

    def _choose(self, run: Placement) -> int | None:
        if chooser(run.stream, self.default) not in self.system.dispatchers.strategies:
            return None
        offered = self._workers.eligible(run.stream)
        if not offered:
            return None
        session_id = min(offered, key=lambda view: (view.load, view.session_id)).session_id
        self._workers.take(session_id, run.stream)
        return session_id


def foreseen_heads(window: WindowFacts, system: SystemFacts) -> dict[int, int]:
    """Of which streams how many waiting runs a Foresight is to be made with: those that the next look asks for."""
    default, workers = system.dispatchers.strategy, Workers(_views(window, system))

    def is_served(stream: Stream) -> bool:
        return not needs_placement(stream.key, default) or (
            chooser(stream.key, default) in system.dispatchers.strategies and bool(workers.eligible(stream.key))
        )

    return wanted_heads(window, _windows(window, system), is_served)


def told_turn(run: RunSituation, situation: TurnSituation, foresight: Foresight) -> ToldTurn:
    """The turn of a gated run that waits."""
    key = situation.stream or _known_key(run)
    is_pending = run.status is TaskRunStatus.PENDING and not run.is_claimable
    needs_worker = needs_placement(key, foresight.default)
    strategy = chooser(key, foresight.default) if needs_worker else None
    stream = foresight.stream(situation.stream_id) if is_pending else None
    release = foresight.release(run.id)
    views = foresight.views if release is not None else foresight.views_after
    tagged = [view for view in views if takes(view, key)]
    fitting = [view for view in tagged if fits(view, key)]
    stream_class = Stream(id=0, key=key).stream_class
    ahead, now = situation.ahead, foresight.window.now
    last = now + FAR if stream_class is StreamClass.BACKGROUND else None
    lane = StreamKey(queue=run.queue, task_type=run.task_type)
    return ToldTurn(
        facts=TurnFacts(
            is_sorted=stream is not None or not is_pending or not _is_to_be_sorted(run),
            is_placed=is_pending and needs_worker,
            knows_strategy=strategy is None or strategy in foresight.system.dispatchers.strategies,
            tagged=len(tagged),
            fitting=len(fitting),
            free=sum(view.free for view in fitting),
            stream_class=stream_class,
            room=foresight.room(stream) if stream is not None else None,
            before=foresight.before(run.id, stream, ahead, foresight.sharing(stream)) if stream is not None else 0,
            is_far=not is_pending and run.claim_at is not None and run.claim_at > now + FAR / 2,
            waits_long=now - max(run.created_at, run.not_before) > _LONG,
            session_id=release.session_id if release is not None else None,
            limits=tuple(_limit_turn(run, standing, stream, ahead, foresight) for standing in situation.limits),
        ),
        key=key,
        situation=situation,
        strategy=strategy,
        claim_at=release.claim_at if release is not None else last if is_pending else None,
        others=foresight.other_keys(stream) if stream is not None else 0,
        workers=tuple(view for view in views if takes(view, lane)),
    )


def chooser(key: StreamKey, default: str) -> str:
    """The strategy that chooses: in place of `shared`, which chooses nobody, the one that stands in for it."""
    strategy = key.strategy or default
    return strategy if strategy != SHARED_STRATEGY else instead_of_shared(key)


def _limit_turn(
    run: RunSituation, standing: LimitStanding, stream: Stream | None, ahead: int, foresight: Foresight
) -> LimitTurn:
    state = standing.state
    before = foresight.before(run.id, stream, ahead, foresight.with_key(state.id)) if stream is not None else 0
    return LimitTurn(
        standing=standing,
        before=before,
        next_at=_starts_at(state, 0),
        own_at=_starts_at(state, state.claimable + before),
    )


def _starts_at(state: LimitKeyState, already: int) -> datetime | None:
    """When the rate lets a run start after so many others; None: now."""
    seconds = seconds_to_start(state, already)
    # Beyond a century the calendar may end.
    return None if seconds is None else state.now + timedelta(seconds=min(seconds, 3e9))


def _known_key(run: RunSituation) -> StreamKey:
    """What is known of its key before its expressions are evaluated."""
    options = run.dispatch_options
    is_addressed = run.queue.startswith("@")
    return StreamKey(
        queue=run.queue,
        task_type=run.task_type,
        background=run.is_background or options.background,
        strategy=None if is_addressed else options.strategy,
        required_tags=() if is_addressed else tuple(sorted(options.required_tags)),
        forbidden_tags=() if is_addressed else tuple(sorted(options.forbidden_tags)),
        preferred_tags=() if is_addressed else tuple(sorted(options.preferred_tags)),
        resources=() if is_addressed else tuple(sorted(options.resources.items())),
    )


def _is_to_be_sorted(run: RunSituation) -> bool:
    return run.waiting_on == 0 and run.is_due and not run.is_held and not run.expands and run.group_size is None


def _windows(window: WindowFacts, system: SystemFacts) -> Windows:
    default = system.dispatchers.strategy
    return Windows(window, is_granted=lambda stream: is_granted(stream, default), takers=window.workers)


def _is_live(session: SessionFacts) -> bool:
    return session.has_lease and not session.is_draining


def _views(window: WindowFacts, system: SystemFacts) -> tuple[WorkerView, ...]:
    return window.workers or tuple(_view(session) for session in system.sessions if _is_live(session))


def _view(session: SessionFacts) -> WorkerView:
    return WorkerView(
        session_id=session.id,
        worker_id=session.worker_id,
        queues=frozenset(session.queues),
        task_types=frozenset(session.task_types),
        tags=session.tags,
        places=session.places,
        running=session.places - session.free,
        resources=session.resources,
    )
