"""Composites: what they try, and which of them are refused."""

from collections.abc import Sequence

import pytest

from fixtures.dispatch_views import build_placement, build_view, build_views
from scheduler_core.interfaces import DispatchStrategy
from scheduler_core.models.dispatch import Placement, WorkerView
from scheduler_dispatcher.strategies.composite_rules import composite_problems
from scheduler_dispatcher.strategies.composite_strategy import CompositeStrategy
from scheduler_dispatcher.strategies.consistent_hash_strategy import ConsistentHashStrategy
from scheduler_dispatcher.strategies.least_loaded_strategy import LeastLoadedStrategy
from scheduler_dispatcher.strategies.round_robin_strategy import RoundRobinStrategy
from scheduler_dispatcher.strategies.task_type_affinity_strategy import TaskTypeAffinityStrategy

INSTALLED = ("least_loaded", "random", "shared")


class FixedStrategy(DispatchStrategy):
    """Always names the same session, or nobody."""

    def __init__(self, session_id: int | None) -> None:
        self.name = "fixed"
        self.session_id = session_id

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """That session."""
        return self.session_id


def test_dispatcher_unit_composite_takes_the_first_that_names_a_worker() -> None:
    """One after another is asked until one names somebody; when none does, nobody is named."""
    members = [FixedStrategy(None), FixedStrategy(2), FixedStrategy(1)]
    assert CompositeStrategy("mine", members).choose(build_placement(), build_views([0, 0])) == 2
    assert CompositeStrategy("mine", [FixedStrategy(None)]).choose(build_placement(), build_views([0])) is None


def test_dispatcher_unit_composite_goes_on_where_a_strategy_is_not_suited() -> None:
    """Affinity decides where somebody knows the type and leaves the others to the next, as does a missing hash key."""
    workers = [build_view(1, turn=3, recent_types=frozenset({"shell"})), build_view(2, turn=2), build_view(3, turn=1)]
    by_affinity = CompositeStrategy("mine", [TaskTypeAffinityStrategy(), RoundRobinStrategy()])
    assert by_affinity.choose(build_placement(), workers) == 1
    assert by_affinity.choose(build_placement(task_type="http"), workers) == 3
    by_hash = CompositeStrategy("mine", [ConsistentHashStrategy(), RoundRobinStrategy()])
    assert by_hash.choose(build_placement(), workers) == 3


def test_dispatcher_unit_composite_lets_its_last_strategy_decide_in_any_case() -> None:
    """At the end nothing is left to others: affinity then names the least loaded one."""
    workers = build_views([2, 1])
    composite = CompositeStrategy("mine", [FixedStrategy(None), TaskTypeAffinityStrategy()])
    assert composite.choose(build_placement(), workers) == 2


def test_dispatcher_unit_composite_within_another_leaves_runs_to_the_next() -> None:
    """Before the end of another composite it names somebody only where one of its strategies is suited."""
    workers = [build_view(1, running=1, turn=1), build_view(2, running=2)]
    inner = CompositeStrategy("inner", [ConsistentHashStrategy(), TaskTypeAffinityStrategy()])
    assert inner.choose_if_suited(build_placement(), workers) is None
    assert CompositeStrategy("outer", [inner, RoundRobinStrategy()]).choose(build_placement(), workers) == 2
    assert CompositeStrategy("outer", [inner, LeastLoadedStrategy()]).choose(build_placement(), workers) == 1


@pytest.mark.parametrize(
    ("composites", "problems"),
    [
        ({"mine": ["random", "least_loaded"], "yours": ["mine"], "twice": ["yours", "mine", "mine"]}, []),
        ({"mine": []}, ["'mine' is empty."]),
        ({"random": ["least_loaded"]}, ["'random' is the name of an installed strategy"]),
        ({"": ["random"]}, ["The name '' is not valid: use"]),
        ({"my own": ["random"]}, ["The name 'my own' is not valid: use"]),
        ({"mine": ["leest_loaded"]}, ["'mine' lists 'leest_loaded', which is no strategy. Did you mean least_loaded?"]),
        ({"mine": ["random", "shared"]}, ["'mine' lists 'shared', which chooses nobody."]),
        ({"mine": ["mine"]}, ["'mine' leads back to itself (mine, mine)."]),
        (
            {"in": ["a"], "a": ["random", "b"], "b": ["c", "random"], "c": ["a"]},
            ["'a' leads back to itself (a, b, c, a)."],
        ),
        (
            {"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]},
            ["'a' leads back to itself (a, b, a).", "'c' leads back to itself (c, d, c)."],
        ),
        (
            {"mine": [], "yours": ["absent", "shared"]},
            ["'mine' is empty.", "'yours' lists 'absent'", "'yours' lists 'shared'"],
        ),
    ],
)
def test_dispatcher_unit_composites_that_cannot_work_are_refused(
    composites: dict[str, list[str]], problems: list[str]
) -> None:
    """Empty, unknown, hiding and circular ones are each told, all at once."""
    found = list(composite_problems(composites, INSTALLED))
    assert len(found) == len(problems)
    assert all(told.startswith(problem) for told, problem in zip(found, problems, strict=True)), found
