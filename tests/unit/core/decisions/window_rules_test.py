"""Whose turn it is: fair shares by weight, background behind live work but for its share, limits and room."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.window_rules import FAR, WINDOW_MIN, Windows, plan_window, wanted_heads
from scheduler_core.models import LimitKeyState
from scheduler_core.models.dispatch import Placement, Stream, StreamKey, WindowFacts, WindowPlan, WorkerView

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def worker(places: int = 7, **changes: Any) -> WorkerView:
    """A worker that takes python runs of the default queue."""
    fields: dict[str, Any] = {
        "session_id": 1,
        "worker_id": "w",
        "queues": frozenset({"default"}),
        "task_types": frozenset({"python"}),
        "places": places,
    }
    return WorkerView(**{**fields, **changes})


def stream(stream_id: int, **changes: Any) -> Stream:
    """A stream of the default queue with waiting runs; keys that StreamKey knows go there."""
    names = set(StreamKey.__struct_fields__)
    fields = {k: v for k, v in changes.items() if k in names}
    key = StreamKey(**{"queue": "default", "task_type": "python", **fields})
    rest = {k: v for k, v in changes.items() if k not in names}
    return Stream(**{"id": stream_id, "key": key, "head_at": NOON, **rest})


def planned(facts: WindowFacts, waiting: Mapping[int, Sequence[int]] | None = None, **options: Any) -> WindowPlan:
    """The plan where the streams have these waiting runs, all of the same age, and nobody is chosen."""
    windows = Windows(facts, **options)
    wanted = wanted_heads(facts, windows)
    every = {each.id: range(each.id * 1000, each.id * 1000 + 100) for each in facts.streams}
    runs: Mapping[int, Sequence[int]] = waiting or every
    heads = {each: [(run_id, NOON) for run_id in runs.get(each, ())][:count] for each, count in wanted.items()}
    return plan_window(facts, windows, heads, lambda _: None, lambda _: False)


def test_core_unit_window_is_as_large_as_the_places_and_counts_what_is_claimable() -> None:
    """A lane with 20 places and 15 claimable runs gets five more; one without a worker gets none."""
    facts = WindowFacts(now=NOON, streams=(stream(1, claimable=15),), workers=(worker(20),))
    assert len(planned(facts).releases) == 5
    assert planned(msgspec.structs.replace(facts, workers=())).releases == ()
    assert len(planned(facts, size=16).releases) == 1


def test_core_unit_runs_are_released_to_who_takes_no_grants() -> None:
    """A worker of an earlier version is given its runs as claimable ones, beside others to which they are granted."""
    workers = (worker(4), worker(4, session_id=2, takes_grants=False))
    facts = WindowFacts(now=NOON, streams=(stream(1, strategy="random"),), workers=workers)
    windows = Windows(facts, is_granted=lambda _: True, takers=workers)
    heads = {1: [(run_id, NOON) for run_id in range(1, 5)]}
    plan = plan_window(facts, windows, heads, lambda run: 1 + run.run_id % 2, lambda _: True)
    assert [(each.session_id, each.granted_of) for each in plan.releases] == [(2, None), (1, 1)] * 2


def test_core_unit_granted_runs_have_a_window_of_their_own() -> None:
    """All that the workers take now and at once, less what is granted already; others of the lane keep their room."""
    streams = (stream(1, strategy="random", claimable=4), stream(2, claimable=5))
    facts = WindowFacts(now=NOON, streams=streams, workers=(worker(20),))
    options: dict[str, Any] = {"is_granted": lambda each: each.id == 1, "takers": (worker(20, assigned=4, ahead=10),)}
    plan = planned(facts, **options)
    assert Counter(release.granted_of for release in plan.releases) == {1: 26, None: 15}
    assert {release.run_id // 1000 for release in plan.releases if release.granted_of} == {1}
    assert Counter(release.granted_of for release in planned(facts, size=8, **options).releases) == {1: 4, None: 3}


@pytest.mark.parametrize("weights", [(1, 2, 4), (1, 1, 1), (5, 1, 0.5)])
def test_core_unit_keys_are_served_by_their_weights(weights: tuple[float, ...]) -> None:
    """Over many windows each key's runs are served in proportion, to within one run."""
    served: Counter[int] = Counter()
    streams = [stream(n, fairness_key=f"t{n}", weight=weight, fairness_id=n) for n, weight in enumerate(weights, 1)]
    clocks: dict[tuple[str, bool], float] = {}
    for _ in range(100):
        plan = planned(WindowFacts(now=NOON, streams=tuple(streams), clocks=clocks, workers=(worker(),)))
        assert len(plan.releases) == WINDOW_MIN
        served.update(release.run_id // 1000 for release in plan.releases)
        clocks |= plan.clocks
        streams = [
            msgspec.structs.replace(each, virtual_time=plan.virtual_times.get(each.id, each.virtual_time))
            for each in streams
        ]
    for n, weight in enumerate(weights, 1):
        assert abs(served[n] - 100 * WINDOW_MIN * weight / sum(weights)) <= 2, served


def test_core_unit_a_key_that_comes_back_does_not_catch_up() -> None:
    """Who was away starts where its queue is: it gets its share from now on and nothing for the past."""
    facts = WindowFacts(
        now=NOON,
        streams=(
            stream(1, fairness_key="busy", fairness_id=1, virtual_time=1000.0),
            stream(2, fairness_key="back", fairness_id=2, virtual_time=3.0),
        ),
        clocks={("default", False): 1000.0},
        workers=(worker(8),),
    )
    served = Counter(release.run_id // 1000 for release in planned(facts).releases)
    assert served == {1: 4, 2: 4}


def test_core_unit_two_streams_of_one_key_share_its_turns() -> None:
    """A key with runs of two kinds gets no more than one with a single kind."""
    facts = WindowFacts(
        now=NOON,
        streams=(
            stream(1, fairness_key="a", fairness_id=1),
            stream(2, fairness_key="a", fairness_id=1, limits=((9, ""),)),
            stream(3, fairness_key="b", fairness_id=3),
        ),
        workers=(worker(8),),
    )
    served = Counter(release.run_id // 1000 for release in planned(facts).releases)
    assert served[3] == 4
    assert served[1] + served[2] == 4


def test_core_unit_background_runs_come_after_all_others_but_for_their_share() -> None:
    """Of ten places one is the background's: one run and the next one go first, the others come far behind."""
    live, background = stream(1, fairness_key="a", fairness_id=1), stream(2, background=True, fairness_id=2)
    facts = WindowFacts(now=NOON, streams=(live, background), workers=(worker(10),))
    plan = planned(facts, background_share=0.1)
    later = NOON + timedelta(days=1)
    far = [release for release in plan.releases if release.claim_at > later]
    assert len(plan.releases) == 20
    assert {release.run_id // 1000 for release in far} == {2}
    assert len(far) == 8
    assert all(release.claim_at > NOON + FAR - timedelta(days=1) for release in far)
    # Two of them run: nobody else comes before live runs until it has ended.
    busy = msgspec.structs.replace(background, running=2, claimable=8, far=8)
    again = planned(msgspec.structs.replace(facts, streams=(live, busy)), background_share=0.1)
    assert all(release.claim_at > later for release in again.releases if release.run_id // 1000 == 2)
    # They have ended: although the window is full, the next ones go first.
    over = msgspec.structs.replace(background, running=0, claimable=10, far=10)
    late = planned(msgspec.structs.replace(facts, streams=(live, over)), background_share=0.1)
    assert [r.claim_at < NOON for r in late.releases if r.run_id // 1000 == 2] == [True, True]


def test_core_unit_limits_bound_what_is_claimable_over_all_streams() -> None:
    """Two streams of a key with room for three, one claimable already, get two in all; others are not held up."""
    facts = WindowFacts(
        now=NOON,
        streams=(
            stream(1, limits=((5, "x"),), limit_key_ids=(50,), claimable=1),
            stream(2, limits=((5, "x"), (6, "")), limit_key_ids=(50, 60)),
            stream(3, limits=((5, "y"),), limit_key_ids=(51,)),
        ),
        limit_keys=(
            LimitKeyState(id=50, now=NOON, concurrent=4, running=1),
            LimitKeyState(id=51, now=NOON, concurrent=2),
            LimitKeyState(id=60, now=NOON, concurrent=1, running=1),
        ),
        workers=(worker(20),),
    )
    assert Counter(release.run_id // 1000 for release in planned(facts).releases) == {1: 2, 3: 2}


def test_core_unit_a_lane_leaves_other_lanes_all_places_of_a_limit() -> None:
    """What is claimable in one lane, before or by this plan, may wait there for long: no other lane waits for that."""
    key: dict[str, Any] = {"limits": ((5, ""),), "limit_key_ids": (50,)}
    workers = (worker(1, queues=frozenset({"busy"})), worker(1, queues=frozenset({"new"})), worker(20))
    facts = WindowFacts(
        now=NOON,
        streams=(stream(1, queue="busy", claimable=3, **key), stream(2, queue="new", **key), stream(3, **key)),
        limit_keys=(LimitKeyState(id=50, now=NOON, concurrent=3),),
        workers=workers,
    )
    assert Counter(release.run_id // 1000 for release in planned(facts).releases) == {2: 3, 3: 3}


def test_core_unit_the_next_look_is_when_a_rate_lets_the_next_run_go() -> None:
    """Two starts are left and taken: the third waits for half of its second, and nobody asks sooner."""
    facts = WindowFacts(
        now=NOON,
        streams=(stream(1, limits=((5, ""),), limit_key_ids=(50,)),),
        limit_keys=(LimitKeyState(id=50, now=NOON, rate=1, burst=9, tokens=2.5, refilled_at=NOON),),
        workers=(worker(20),),
    )
    plan = planned(facts)
    assert len(plan.releases) == 2
    assert plan.seconds_to_next == 0.5


def test_core_unit_a_run_that_no_worker_suits_does_not_hold_up_other_streams() -> None:
    """The chooser names nobody for the first stream, and session 7 for the second."""
    facts = WindowFacts(
        now=NOON,
        streams=(stream(1, required_tags=("gpu",)), stream(2, required_tags=("eu",))),
        workers=(worker(20),),
    )
    windows = Windows(facts)
    heads = {1: [(1, NOON)], 2: [(2, NOON + timedelta(seconds=1)), (3, NOON + timedelta(seconds=2))]}

    def choose(run: Placement) -> int | None:
        return 7 if run.stream.required_tags == ("eu",) else None

    plan = plan_window(facts, windows, heads, choose, lambda _: True)
    assert [(release.run_id, release.session_id) for release in plan.releases] == [(2, 7), (3, 7)]
    # Plain runs keep their place in the order of claims.
    assert plan.releases[0].claim_at == NOON + timedelta(seconds=1)


@given(
    st.lists(
        st.tuples(st.sampled_from(["plain", "fair", "background"]), st.integers(0, 12), st.integers(0, 3)),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 12),
)
def test_core_unit_no_window_is_overfilled(kinds: list[tuple[str, int, int]], places: int) -> None:
    """Whatever waits: of each class no more becomes claimable than its window, the background's share aside."""
    options: dict[str, dict[str, Any]] = {
        "plain": {},
        "fair": {"fairness_key": "k"},
        "background": {"background": True},
    }
    streams = tuple(
        stream(n, fairness_id=n if kind != "plain" else None, claimable=claimable, far=claimable, **options[kind])
        for n, (kind, _, claimable) in enumerate(kinds, 1)
    )
    waiting = {n: range(n * 1000, n * 1000 + count) for n, (_, count, _) in enumerate(kinds, 1)}
    plan = planned(WindowFacts(now=NOON, streams=streams, workers=(worker(places),)), waiting, background_share=0.0)
    for kind in options:
        ids = {n for n, (each, _, _) in enumerate(kinds, 1) if each == kind}
        before = sum(each.claimable for each in streams if each.id in ids)
        released = sum(release.run_id // 1000 in ids for release in plan.releases)
        window = max(WINDOW_MIN, places)
        assert released <= max(0, window - before)
        if plan.seconds_to_next != 0.0:
            assert released == min(max(0, window - before), sum(len(waiting[n]) for n in ids))
