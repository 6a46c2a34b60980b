"""Whom each strategy names."""

from fixtures.dispatch_views import build_placement, build_view, build_views
from scheduler_dispatcher.strategies.consistent_hash_strategy import ConsistentHashStrategy
from scheduler_dispatcher.strategies.least_loaded_strategy import LeastLoadedStrategy
from scheduler_dispatcher.strategies.power_of_two_strategy import PowerOfTwoStrategy
from scheduler_dispatcher.strategies.random_strategy import RandomStrategy
from scheduler_dispatcher.strategies.resource_aware_strategy import ResourceAwareStrategy
from scheduler_dispatcher.strategies.round_robin_strategy import RoundRobinStrategy
from scheduler_dispatcher.strategies.shared_strategy import SharedStrategy
from scheduler_dispatcher.strategies.task_type_affinity_strategy import TaskTypeAffinityStrategy


def test_dispatcher_unit_shared_names_nobody() -> None:
    """With shared, whoever claims first gets the run."""
    assert SharedStrategy().choose(build_placement(), build_views([0])) is None


def test_dispatcher_unit_round_robin_names_who_waited_longest() -> None:
    """The turn alone decides, then the session id; load does not count."""
    workers = [build_view(1, turn=5), build_view(2, turn=3, running=9), build_view(3, turn=4)]
    assert RoundRobinStrategy().choose(build_placement(), workers) == 2
    assert RoundRobinStrategy().choose(build_placement(), build_views([9, 0])) == 1


def test_dispatcher_unit_least_loaded_names_the_smallest_share() -> None:
    """The share of places that are taken decides, not their number; assigned runs count like running ones."""
    workers = [build_view(1, places=4, running=2), build_view(2, places=40, running=8), build_view(3, assigned=3)]
    assert LeastLoadedStrategy().choose(build_placement(), workers) == 2


def test_dispatcher_unit_least_loaded_of_equal_ones_names_who_waited_longest() -> None:
    """Workers of the same load take turns."""
    workers = [build_view(1, turn=2), build_view(2, turn=1), build_view(3, turn=1)]
    assert LeastLoadedStrategy().choose(build_placement(), workers) == 2


def test_dispatcher_unit_power_of_two_names_the_less_loaded_of_two() -> None:
    """The two are always different ones, so that the most loaded of all is never named; every other one is."""
    workers = build_views([5, 1, 3, 9])
    named = {PowerOfTwoStrategy().choose(build_placement(run_id), workers) for run_id in range(200)}
    assert named == {1, 2, 3}
    assert PowerOfTwoStrategy().choose(build_placement(), build_views([9])) == 1


def test_dispatcher_unit_random_names_everybody_about_as_often() -> None:
    """Chance comes from the run's id: the same run always gets the same worker, many runs are spread evenly."""
    workers = build_views([0, 9, 0, 5])
    named = [RandomStrategy().choose(build_placement(run_id), workers) for run_id in range(4000)]
    assert named == [RandomStrategy().choose(build_placement(run_id), workers) for run_id in range(4000)]
    assert all(900 < named.count(session_id) < 1100 for session_id in (1, 2, 3, 4))


def test_dispatcher_unit_task_type_affinity_names_who_knows_the_type() -> None:
    """Who had the type lately comes first, however loaded; of several the least loaded."""
    workers = [
        build_view(1),
        build_view(2, running=8, recent_types=frozenset({"shell"})),
        build_view(3, running=7, recent_types=frozenset({"shell", "http"})),
    ]
    strategy = TaskTypeAffinityStrategy()
    assert strategy.choose(build_placement(), workers) == 3
    assert strategy.choose_if_suited(build_placement(), workers) == 3
    assert strategy.choose(build_placement(task_type="python"), workers) == 1
    assert strategy.choose_if_suited(build_placement(task_type="python"), workers) is None


def test_dispatcher_unit_consistent_hash_keeps_to_the_value() -> None:
    """Runs of one value go to one worker whatever their ids and the load; without a value the task type counts."""
    workers = build_views([0, 0, 0, 0])
    strategy = ConsistentHashStrategy()
    chosen = {strategy.choose(build_placement(run_id, hash_value="acme"), workers) for run_id in range(20)}
    assert len(chosen) == 1
    loaded = build_views([0 if number not in chosen else 9 for number in range(1, 5)])
    assert {strategy.choose(build_placement(hash_value="acme"), loaded)} == chosen
    by_type = strategy.choose(build_placement(task_type="shell"), workers)
    assert by_type == strategy.choose(build_placement(hash_value="shell"), workers)
    assert strategy.choose_if_suited(build_placement(), workers) is None


def test_dispatcher_unit_consistent_hash_goes_by_worker_id() -> None:
    """A worker that comes back with the same id in a new session gets its values again."""
    before = build_views([0, 0, 0, 0])
    after = [build_view(view.session_id + 10, worker_id=view.worker_id) for view in before]
    for value in "abcdefgh":
        chosen = ConsistentHashStrategy().choose(build_placement(hash_value=value), before)
        assert chosen is not None
        assert ConsistentHashStrategy().choose(build_placement(hash_value=value), after) == chosen + 10


def test_dispatcher_unit_resource_aware_names_who_has_most_left_of_the_scarcest() -> None:
    """What would be scarcest with the run decides: much memory does not make up for few cores."""
    workers = [
        build_view(1, resources={"cpu": 8.0, "memory": 64.0}, used={"cpu": 7.0}),
        build_view(2, resources={"cpu": 8.0, "memory": 64.0}, used={"cpu": 4.0, "memory": 32.0}),
    ]
    placement = build_placement(resources=(("cpu", 1.0), ("memory", 1.0)))
    assert ResourceAwareStrategy().choose(placement, workers) == 2
    only_memory = build_placement(resources=(("memory", 1.0),))
    assert ResourceAwareStrategy().choose(only_memory, workers) == 1


def test_dispatcher_unit_resource_aware_counts_what_the_run_takes() -> None:
    """A large request leaves less of a small worker, even though more of it is free now."""
    workers = [
        build_view(1, resources={"memory": 8.0}),
        build_view(2, resources={"memory": 64.0}, used={"memory": 16.0}),
    ]
    assert ResourceAwareStrategy().choose(build_placement(resources=(("memory", 6.0),)), workers) == 2


def test_dispatcher_unit_resource_aware_without_a_request_goes_by_load() -> None:
    """A run that requests nothing goes to the least loaded, or to whoever comes next in a composite."""
    workers = build_views([3, 1, 2])
    assert ResourceAwareStrategy().choose(build_placement(), workers) == 2
    assert ResourceAwareStrategy().choose_if_suited(build_placement(), workers) is None
