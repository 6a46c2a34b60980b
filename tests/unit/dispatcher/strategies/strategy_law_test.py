"""What holds for every strategy, whatever the workers and the runs."""

from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.dispatch_views import build_placement, build_view
from scheduler_core.decisions.placement_rules import Workers, left, needs_placement, place, takes
from scheduler_core.models.dispatch import Placement, StreamKey, WorkerView
from scheduler_dispatcher.dispatcher_config import DispatcherConfig
from scheduler_dispatcher.strategies.consistent_hash_strategy import ConsistentHashStrategy
from scheduler_dispatcher.strategies.installed_strategies import installed_strategies
from scheduler_dispatcher.strategies.registry import Strategies

STRATEGIES = Strategies.from_config(DispatcherConfig(composites={"mine": ("task_type_affinity", "power_of_two")}))
TAGS = ("eu", "gpu", "ssd")
NAMES = sorted({*installed_strategies(), "mine"})

tags = st.lists(st.sampled_from(TAGS), unique=True).map(tuple)
views = st.builds(
    build_view,
    st.integers(1, 1000),
    queues=st.frozensets(st.sampled_from(["default", "other"])),
    task_types=st.frozensets(st.sampled_from(["shell", "http"])),
    tags=tags.map(frozenset),
    places=st.integers(1, 4),
    running=st.integers(0, 3),
    ahead=st.integers(0, 2),
    resources=st.dictionaries(st.sampled_from(["cpu", "gpu"]), st.integers(1, 40).map(lambda tenths: tenths / 10)),
    turn=st.integers(0, 9),
    recent_types=st.frozensets(st.sampled_from(["shell", "http"])),
)
snapshots = st.lists(views, max_size=6, unique_by=lambda view: view.session_id)
streams = st.builds(
    StreamKey,
    queue=st.sampled_from(["default", "other", "nobody's"]),
    task_type=st.sampled_from(["shell", "http"]),
    strategy=st.sampled_from([None, *NAMES]),
    required_tags=tags,
    preferred_tags=tags,
    forbidden_tags=tags,
    resources=st.dictionaries(
        st.sampled_from(["cpu", "gpu"]), st.integers(1, 20).map(lambda tenths: tenths / 10), max_size=2
    ).map(lambda amounts: tuple(sorted(amounts.items()))),
    hash_value=st.none() | st.text(max_size=3),
)
batches = st.lists(streams, max_size=25).map(
    lambda keys: [Placement(run_id=number, stream=key) for number, key in enumerate(keys, start=1)]
)


@given(snapshots, batches)
def test_dispatcher_unit_no_strategy_ever_names_a_worker_that_must_not_have_the_run(
    workers: list[WorkerView], batch: list[Placement]
) -> None:
    """Queue, type and tags fit, no place is given twice, and nothing is promised that a worker does not have."""
    by_id = {view.session_id: view for view in workers}
    given_runs: Counter[int] = Counter()
    promised: dict[tuple[int, str], float] = defaultdict(float)
    for placement, session_id in zip(batch, place(batch, Workers(workers), STRATEGIES.get), strict=True):
        if session_id is None:
            continue
        assert takes(by_id[session_id], placement.stream)
        given_runs[session_id] += 1
        for name, amount in placement.stream.resources:
            promised[session_id, name] += amount
    for session_id, count in given_runs.items():
        assert count <= by_id[session_id].free + by_id[session_id].ahead
    for (session_id, name), amount in promised.items():
        assert amount <= by_id[session_id].resources[name] * (1 + 1e-6)


@given(snapshots, batches)
def test_dispatcher_unit_a_run_waits_only_when_nobody_can_take_it(
    workers: list[WorkerView], batch: list[Placement]
) -> None:
    """Every installed strategy names somebody whenever somebody is offered: no run waits beside a free place."""
    state = Workers(workers)
    for placement in batch:
        offered = state.eligible(placement.stream)
        (session_id,) = place([placement], state, STRATEGIES.get)
        assert (session_id is None) == (not offered)


@given(snapshots, batches)
def test_dispatcher_unit_the_same_snapshot_gives_the_same_choices(
    workers: list[WorkerView], batch: list[Placement]
) -> None:
    """Placing is a function of what it is given, which stays as it is."""
    first = place(batch, Workers(workers), STRATEGIES.get)
    assert place(batch, Workers(reversed(workers)), STRATEGIES.get) == first


@given(snapshots, streams)
def test_dispatcher_unit_preferred_tags_never_let_a_run_wait(workers: list[WorkerView], stream: StreamKey) -> None:
    """Of those with a free place, else of those who take more, just the ones with most preferred tags are offered."""
    able = [
        view
        for view in sorted(workers, key=lambda view: view.session_id)
        if takes(view, stream)
        and view.takes_more
        and all(amount <= left(view, name) + 1e-9 for name, amount in stream.resources)
    ]
    able = [view for view in able if view.free] or able
    most = max((len(view.tags & set(stream.preferred_tags)) for view in able), default=0)
    expected = [view.session_id for view in able if len(view.tags & set(stream.preferred_tags)) == most]
    assert [view.session_id for view in Workers(workers).eligible(stream)] == expected


@pytest.mark.parametrize("name", ["round_robin", "least_loaded"])
@given(workers=st.integers(1, 8), runs=st.integers(0, 40))
def test_dispatcher_unit_a_burst_is_spread_evenly(name: str, workers: int, runs: int) -> None:
    """A burst over equal idle workers leaves no two of them further apart than one place."""
    batch = [build_placement(run_id, strategy=name) for run_id in range(runs)]
    given_to = place(batch, Workers(build_view(number, places=50) for number in range(workers)), STRATEGIES.get)
    counts = [given_to.count(number) for number in range(workers)]
    assert sum(counts) == runs
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_dispatcher_unit_a_burst_fills_every_place_and_no_more(name: str) -> None:
    """Twice as many runs as places: every place is taken, the rest wait, with whatever strategy."""
    batch = [build_placement(run_id, strategy=name, required_tags=("eu",)) for run_id in range(40)]
    workers = Workers(build_view(number, places=5, tags=frozenset({"eu"})) for number in range(4))
    given_to = place(batch, workers, STRATEGIES.get)
    assert [given_to.count(number) for number in range(4)] == [5, 5, 5, 5]
    assert given_to.count(None) == 20


@given(st.integers(2, 12), st.integers(0, 10_000))
def test_dispatcher_unit_consistent_hash_moves_only_the_values_of_who_left(count: int, salt: int) -> None:
    """A worker that leaves moves its own values and no others; they are about their even share of all."""
    workers = [build_view(number, worker_id=f"{salt}-{number}") for number in range(count)]
    strategy = ConsistentHashStrategy()
    placements = [build_placement(hash_value=f"customer-{number}") for number in range(400)]
    before = [strategy.choose(placement, workers) for placement in placements]
    gone = workers[salt % count]
    after = [strategy.choose(placement, [view for view in workers if view is not gone]) for placement in placements]
    moved = [was for was, now in zip(before, after, strict=True) if was != now]
    assert set(moved) <= {gone.session_id}
    # Five standard deviations of a share 1/n of 400 values.
    assert len(moved) <= 400 / count + 5 * (400 * (1 / count) * (1 - 1 / count)) ** 0.5


def test_dispatcher_unit_round_robin_goes_on_where_the_last_batch_ended() -> None:
    """Turns are kept in the snapshot, so that a batch of one goes to the next worker each time."""
    workers = Workers(build_view(number) for number in range(3))
    named = [place([build_placement(run, strategy="round_robin")], workers, STRATEGIES.get)[0] for run in range(9)]
    assert named == [0, 1, 2] * 3
    assert all(one != other for one, other in pairwise(named))


@given(streams)
def test_dispatcher_unit_needs_placement_leaves_own_queues_alone(stream: StreamKey) -> None:
    """A run of a worker's own queue has its worker; nothing else about it counts."""
    own = StreamKey(queue="@w1", task_type="shell", strategy=stream.strategy, required_tags=stream.required_tags)
    assert not needs_placement(own, "random")
