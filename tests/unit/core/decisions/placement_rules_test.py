"""Who may take a run, and how a batch of runs is given out."""

from collections.abc import Sequence
from typing import Any

import pytest

from fixtures.dispatch_views import build_placement, build_view, build_views
from scheduler_core.decisions.placement_rules import Workers, is_granted, needs_placement, place
from scheduler_core.interfaces import DispatchStrategy
from scheduler_core.models.dispatch import Placement, Stream, StreamKey, WorkerView


class NamedStrategy(DispatchStrategy):
    """Names the first that is offered, and remembers whom it was asked for."""

    def __init__(self, name: str, answer: int | None = None) -> None:
        self.name = name
        self.answer = answer
        self.asked: list[int] = []

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """The first, or what the test says."""
        self.asked.append(run.run_id)
        return workers[0].session_id if self.answer is None else self.answer


def stream(**key: Any) -> StreamKey:
    """A stream of shell runs in queue 'default'."""
    return build_placement(**key).stream


def ids(views: Sequence[WorkerView]) -> list[int]:
    """Who is offered."""
    return [view.session_id for view in views]


@pytest.mark.parametrize(
    ("key", "fields", "is_offered"),
    [
        ({}, {}, True),
        ({"queue": "gpu"}, {}, False),
        ({"queue": "@w1"}, {}, True),
        ({"queue": "@w2"}, {}, False),
        ({"task_type": "python"}, {}, False),
        ({"required_tags": ("eu", "gpu")}, {"tags": frozenset({"eu"})}, False),
        ({"required_tags": ("eu",)}, {"tags": frozenset({"eu", "gpu"})}, True),
        ({"forbidden_tags": ("gpu", "us")}, {"tags": frozenset({"eu", "gpu"})}, False),
        ({"preferred_tags": ("gpu",)}, {}, True),
        ({}, {"running": 6, "assigned": 4}, False),
        ({}, {"running": 6, "assigned": 3}, True),
        ({"resources": (("gpu", 1.0),)}, {}, False),
        ({"resources": (("gpu", 1.0),)}, {"resources": {"gpu": 2.0}, "used": {"gpu": 1.0}}, True),
        ({"resources": (("gpu", 1.5),)}, {"resources": {"gpu": 2.0}, "used": {"gpu": 1.0}}, False),
        ({"resources": (("cpu", 1.0), ("gpu", 1.0))}, {"resources": {"gpu": 2.0}}, False),
    ],
)
def test_core_unit_eligible_knows_every_rule(key: dict[str, Any], fields: dict[str, Any], is_offered: bool) -> None:
    """Queue, type, tags, places and resources each keep a worker from being offered; preferred tags do not."""
    assert ids(Workers([build_view(1, **fields)]).eligible(stream(**key))) == ([1] if is_offered else [])


def test_core_unit_eligible_prefers_the_most_preferred_tags() -> None:
    """Only those with most preferred tags are offered, until they are full or have nothing left."""
    workers = Workers(
        [
            build_view(3, places=1, tags=frozenset({"eu", "ssd"})),
            build_view(1, tags=frozenset({"eu"})),
            build_view(2, tags=frozenset({"ssd"})),
        ]
    )
    wanted = stream(preferred_tags=("eu", "ssd"))
    assert ids(workers.eligible(wanted)) == [3]
    workers.take(3, wanted)
    assert ids(workers.eligible(wanted)) == [1, 2]


def test_core_unit_runs_are_given_ahead_only_when_no_place_is_free() -> None:
    """Who will have a place at once comes after everybody with a free one, even with fewer preferred tags."""
    workers = Workers(
        [
            build_view(1, places=1, ahead=2, tags=frozenset({"eu"})),
            build_view(2, places=1, ahead=1),
            build_view(3, places=1, running=1),
        ]
    )
    wanted = stream(preferred_tags=("eu",))
    taken = []
    while offered := workers.eligible(wanted):
        taken.append(offered[0].session_id)
        assert workers.take_if_able(taken[-1], wanted)
    assert taken == [1, 2, 1, 1, 2]
    assert not any(workers.take_if_able(session_id, wanted) for session_id in (1, 2, 3))


def test_core_unit_take_counts_places_resources_turns_and_types() -> None:
    """What is given is seen by the next choice, and by nobody else: the views handed in stay as they were."""
    views = [build_view(1, turn=7, resources={"cpu": 4.0}, used={"cpu": 1.0}), build_view(2, turn=9)]
    workers = Workers(views)
    workers.take(1, stream(resources=(("cpu", 1.5),)))
    (first, _) = workers.eligible(stream())
    assert (first.assigned, first.used, first.turn, first.recent_types) == (1, {"cpu": 2.5}, 10, frozenset({"shell"}))
    assert (views[0].assigned, views[0].used, views[0].turn, views[0].recent_types) == (0, {"cpu": 1.0}, 7, frozenset())
    with pytest.raises(KeyError):
        workers.take(3, stream())


def test_core_unit_resources_forgive_how_floats_add_up() -> None:
    """Ten tenths of a core fill one core, though floats do not add up to exactly 1; an eleventh does not fit."""
    workers = Workers([build_view(1, places=20, resources={"cpu": 1.0})])
    tenth = stream(resources=(("cpu", 0.1),))
    for _ in range(10):
        assert workers.eligible(tenth)
        workers.take(1, tenth)
    assert not workers.eligible(tenth)


@pytest.mark.parametrize(
    ("key", "default", "expected"),
    [
        ({}, "shared", False),
        ({}, "random", True),
        ({"strategy": "shared"}, "random", False),
        ({"strategy": "random"}, "shared", True),
        ({"required_tags": ("eu",)}, "shared", True),
        ({"preferred_tags": ("eu",)}, "shared", True),
        ({"forbidden_tags": ("eu",)}, "shared", True),
        ({"resources": (("cpu", 1.0),)}, "shared", True),
        ({"hash_value": ""}, "shared", True),
        ({"limits": ((1, "x"),), "fairness_key": "x", "background": True}, "shared", False),
        ({"queue": "@w1", "strategy": "random", "required_tags": ("eu",)}, "random", False),
    ],
)
def test_core_unit_needs_placement(key: dict[str, Any], default: str, expected: bool) -> None:
    """Somebody is chosen for a strategy, tags, resources or a hash value, and never in a worker's own queue."""
    assert needs_placement(stream(**key), default) is expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ({"required_tags": ("eu",)}, "least_loaded"),
        ({"resources": (("cpu", 1.0),), "required_tags": ("eu",)}, "resource_aware"),
        ({"hash_value": "a", "resources": (("cpu", 1.0),)}, "consistent_hash"),
        ({"strategy": "mine", "hash_value": "a"}, "mine"),
    ],
)
def test_core_unit_place_finds_who_decides(key: dict[str, Any], expected: str) -> None:
    """A strategy that is named decides; where none is and somebody has to be chosen, the run says which."""
    known = {
        name: NamedStrategy(name) for name in ("shared", "least_loaded", "resource_aware", "consistent_hash", "mine")
    }
    workers = Workers([build_view(1, tags=frozenset({"eu"}), resources={"cpu": 1.0})])
    assert place([build_placement(7, **key)], workers, lambda name: known[name or "shared"]) == [1]
    assert [name for name, strategy in known.items() if strategy.asked] == [expected]


def test_core_unit_place_lets_runs_wait_that_nobody_may_have() -> None:
    """An unknown strategy, one that names nobody offered, and no worker: each such run waits, the others do not."""
    known = {"first": NamedStrategy("first"), "wrong": NamedStrategy("wrong", answer=2), "absent": None}
    workers = Workers([build_view(1), build_view(2, running=10)])
    batch = [
        build_placement(number, strategy=name, queue=queue)
        for number, (name, queue) in enumerate(
            [("absent", "default"), ("wrong", "default"), ("first", "nobody's"), ("first", "default")]
        )
    ]
    assert place(batch, workers, lambda name: known[name or "first"]) == [None, None, None, 1]
    assert [view.assigned for view in workers.eligible(stream())] == [1]


def test_core_unit_place_brings_the_snapshot_up_to_date() -> None:
    """Each run of a batch sees what the ones before it were given, so that no worker gets more than it has room for."""
    first = NamedStrategy("first")
    workers = Workers([*build_views([8, 9])])
    assert place([build_placement(number) for number in range(5)], workers, lambda _: first) == [1, 1, 2, None, None]


@pytest.mark.parametrize(
    ("key", "default", "expected"),
    [
        ({}, "shared", False),
        ({}, "random", True),
        ({"strategy": "round_robin"}, "shared", True),
        ({"strategy": "consistent_hash", "hash_value": "a"}, "shared", True),
        ({"required_tags": ("gpu",)}, "shared", True),
        ({"resources": (("gpu", 1.0),)}, "shared", True),
        ({"strategy": "random", "limits": ((1, ""),)}, "shared", False),
        ({"strategy": "random", "fairness_key": "a"}, "shared", False),
        ({"strategy": "random", "background": True}, "shared", False),
        ({"strategy": "random", "queue": "@w1"}, "shared", False),
    ],
)
def test_core_unit_runs_with_a_chosen_worker_alone_are_granted(
    key: dict[str, Any], default: str, expected: bool
) -> None:
    """Permits, turns and the background need a run that is claimable; nobody is chosen for a worker's own queue."""
    assert is_granted(Stream(id=1, key=stream(**key)), default) is expected
