"""What a dispatcher remembers of the sessions that it has chosen."""

from fixtures.clock import FrozenClock
from fixtures.dispatch_views import build_view
from scheduler_core.models.dispatch import WorkerView
from scheduler_dispatcher.session_memory import SessionMemory


def ids(views: list[WorkerView]) -> list[int]:
    """Who is offered."""
    return [view.session_id for view in views]


def test_dispatcher_unit_memory_tells_when_each_was_chosen(frozen_clock: FrozenClock) -> None:
    """The later a session was chosen the greater its turn; what was given stays as it is."""
    memory = SessionMemory(frozen_clock, 10.0)
    views = [build_view(number) for number in (1, 2, 3)]
    for session_id in (2, 1, 2):
        memory.chosen(session_id)
    assert [view.turn for view in memory.apply(views)] == [2, 3, 0]
    assert [view.turn for view in views] == [0, 0, 0]


def test_dispatcher_unit_memory_keeps_task_types(frozen_clock: FrozenClock) -> None:
    """A type that a session was given lately stays known when its runs have ended; very old ones are forgotten."""
    memory = SessionMemory(frozen_clock, 10.0)
    memory.chosen(1, "shell")
    memory.chosen(1, "shell")
    (view,) = memory.apply([build_view(1, recent_types=frozenset({"http"}))])
    assert view.recent_types == {"shell", "http"}
    for number in range(16):
        memory.chosen(1, f"type-{number}")
    (view,) = memory.apply([build_view(1)])
    assert "shell" not in view.recent_types
    assert len(view.recent_types) == 16


def test_dispatcher_unit_memory_leaves_out_who_missed_a_run(frozen_clock: FrozenClock) -> None:
    """For three times the time-out the others are offered, then it is one of them again."""
    memory = SessionMemory(frozen_clock, 10.0)
    views = [build_view(number) for number in (1, 2)]
    memory.missed(1)
    frozen_clock.advance(29)
    assert ids(memory.apply(views)) == [2]
    frozen_clock.advance(1)
    assert ids(memory.apply(views)) == [1, 2]


def test_dispatcher_unit_memory_keeps_who_cannot_be_replaced(frozen_clock: FrozenClock) -> None:
    """When all have missed a run all are offered, and so is one that alone has a queue, type, tag or resource."""
    memory = SessionMemory(frozen_clock, 10.0)
    for session_id in (1, 2):
        memory.missed(session_id)
    assert ids(memory.apply([build_view(1), build_view(2)])) == [1, 2]
    plain = build_view(3)
    for special in (
        build_view(1, queues=frozenset({"default", "gpu"})),
        build_view(1, task_types=frozenset({"shell", "python"})),
        build_view(1, tags=frozenset({"eu"})),
        build_view(1, resources={"gpu": 1.0}),
    ):
        assert ids(memory.apply([special, plain])) == [1, 3]
    assert ids(memory.apply([build_view(1, queues=frozenset({"default", "@w1"})), plain])) == [3]


def test_dispatcher_unit_memory_covers_a_worker_by_several_others(frozen_clock: FrozenClock) -> None:
    """Each queue and type needs another worker, not all of them the same one."""
    memory = SessionMemory(frozen_clock, 10.0)
    memory.missed(1)
    shells, https = build_view(2, task_types=frozenset({"shell"})), build_view(3, task_types=frozenset({"http"}))
    assert ids(memory.apply([build_view(1), shells, https])) == [2, 3]
    assert ids(memory.apply([build_view(1), shells])) == [1, 2]


def test_dispatcher_unit_memory_does_not_grow_for_ever(frozen_clock: FrozenClock) -> None:
    """The sessions chosen longest ago are forgotten beyond ten thousand."""
    memory = SessionMemory(frozen_clock, 10.0)
    for session_id in range(10_001):
        memory.chosen(session_id, "shell")
    first, second = memory.apply([build_view(0), build_view(1)])
    assert (first.turn, first.recent_types) == (0, frozenset())
    assert (second.turn, second.recent_types) == (2, frozenset({"shell"}))


def test_dispatcher_unit_memory_gives_ahead_what_ends_at_once(frozen_clock: FrozenClock) -> None:
    """Where 20 runs a second end 8 are given beyond the places; ten times the places at most. So for a minute."""
    memory = SessionMemory(frozen_clock, 10.0)
    views = [build_view(1, places=20), build_view(2, places=1), build_view(3, places=20)]
    for _ in range(40):
        memory.apply(views)
        for session_id in (1, *[2] * 20):
            memory.chosen(session_id)
        frozen_clock.advance(0.05)
    assert [view.ahead for view in memory.apply(views)] == [8, 10, 0]
    frozen_clock.advance(3.0)
    # Nothing waits.
    memory.apply([])
    frozen_clock.advance(57.0)
    assert [view.ahead for view in memory.apply(views)] == [8, 10, 0]
    frozen_clock.advance(60.5)
    assert [view.ahead for view in memory.apply(views)] == [0, 0, 0]


def test_dispatcher_unit_memory_gives_ahead_in_whole_claims(frozen_clock: FrozenClock) -> None:
    """A worker takes as many runs at once as it has places: eight more would be a claim of their own."""
    memory = SessionMemory(frozen_clock, 10.0)
    memory.apply([build_view(1, places=20)])
    for _ in range(21):
        memory.chosen(1)
    frozen_clock.advance(0.05)
    (view,) = memory.apply([build_view(1, places=20)])
    assert view.ahead == 160


def test_dispatcher_unit_memory_forgets_the_pace_of_who_has_long_runs_now(frozen_clock: FrozenClock) -> None:
    """Short runs, then nothing, then full places of which none has changed hands: nothing is given ahead any more."""
    memory = SessionMemory(frozen_clock, 10.0)
    ahead = {}
    for newest_seconds in (0.3, 2.6):
        memory.apply([build_view(1)])
        for _ in range(5):
            memory.chosen(1)
        frozen_clock.advance(0.1)
        memory.apply([build_view(1)])
        frozen_clock.advance(2.0)
        (view,) = memory.apply([build_view(1, running=10, newest_seconds=newest_seconds)])
        ahead[newest_seconds] = view.ahead
        frozen_clock.advance(61.0)
    assert ahead == {0.3: 20, 2.6: 0}


def test_dispatcher_unit_memory_gives_less_ahead_where_long_runs_have_places(frozen_clock: FrozenClock) -> None:
    """Nine of ten places are taken by runs that began long ago: a tenth of what ten would take is given."""
    memory = SessionMemory(frozen_clock, 10.0)
    memory.apply([build_view(1)])
    for _ in range(10):
        memory.chosen(1)
    frozen_clock.advance(0.05)
    memory.apply([build_view(1)])
    frozen_clock.advance(30.0)
    ahead = [
        memory.apply([build_view(1, running=9, newest_seconds=newest_seconds)])[0].ahead
        for newest_seconds in (29.0, 0.2)
    ]
    assert ahead == [8, 80]


def test_dispatcher_unit_memory_takes_nothing_for_ended_that_was_taken_back(frozen_clock: FrozenClock) -> None:
    """A hundred that the session had are with others now, and two have ended."""
    memory = SessionMemory(frozen_clock, 10.0)
    memory.apply([build_view(1, running=10, assigned=102, newest_seconds=0.1)])
    frozen_clock.advance(0.1)
    memory.taken_back(1, 100)
    memory.taken_back(2, 100)
    (view,) = memory.apply([build_view(1, running=10, newest_seconds=0.1)])
    assert view.ahead == 8


def test_dispatcher_unit_memory_takes_no_ring_for_a_late_look(frozen_clock: FrozenClock) -> None:
    """Looks that come sooner than they were due say nothing of how busy the machine is."""
    found = []
    for asked in (5.0, 0.15):
        memory = SessionMemory(frozen_clock, 10.0)
        for _ in range(3):
            memory.apply([build_view(1)])
            memory.looks_again(asked)
            frozen_clock.advance(0.9)
        memory.apply([build_view(1)])
        found.append(memory.ahead_seconds_max)
    assert found == [1.0, 4.0]


def test_dispatcher_unit_memory_knows_a_pace_after_one_look(frozen_clock: FrozenClock) -> None:
    """Two that ended within the first 50 ms are 40 a second: that nothing is known before counts for nothing."""
    memory = SessionMemory(frozen_clock, 10.0)
    memory.apply([build_view(1, places=20)])
    for _ in range(5):
        memory.chosen(1)
    frozen_clock.advance(0.05)
    (view,) = memory.apply([build_view(1, places=20, running=2, assigned=1)])
    assert view.ahead == 16


def test_dispatcher_unit_memory_gives_nothing_ahead_to_who_ends_nothing(frozen_clock: FrozenClock) -> None:
    """Runs that were given or have begun say nothing of a pace, and neither does what was recalled."""
    memory = SessionMemory(frozen_clock, 10.0)
    memory.apply([build_view(1, places=20)])
    for held in range(1, 20):
        memory.chosen(1)
        frozen_clock.advance(0.01)
        (view,) = memory.apply([build_view(1, places=20, assigned=held % 2, running=held - held % 2)])
        assert view.ahead == 0
    memory.missed(1)
    (view,) = memory.apply([build_view(1, places=20)])
    assert view.ahead == 0


def test_dispatcher_unit_memory_gives_more_ahead_where_looks_come_late(frozen_clock: FrozenClock) -> None:
    """What lasts until the fourth look, also where a ring made one of them come soon; two seconds at most."""
    memory = SessionMemory(frozen_clock, 10.0)

    def ahead(seconds: float) -> int:
        (view,) = memory.apply([build_view(1, places=20)])
        for _ in range(round(20 * seconds)):
            memory.chosen(1)
        frozen_clock.advance(seconds)
        return view.ahead

    for _ in range(20):
        ahead(0.25)
    assert ahead(0.05) == 20
    assert ahead(0.25) == 16
    for _ in range(20):
        ahead(0.9)
    assert ahead(0.9) == 40


def test_dispatcher_unit_memory_takes_nothing_for_ended_where_no_place_has_changed_hands(
    frozen_clock: FrozenClock,
) -> None:
    """What another dispatcher has taken back from a full worker is no pace; what made room for a new run is one.

    A claim says that it began a little before it can be seen.
    """
    memory = SessionMemory(frozen_clock, 10.0)
    ahead = {}
    for newest_seconds in (5.0, 0.3):
        memory.apply([build_view(1, running=10, assigned=20)])
        frozen_clock.advance(0.1)
        (view,) = memory.apply([build_view(1, running=10, newest_seconds=newest_seconds)])
        ahead[newest_seconds] = view.ahead
        frozen_clock.advance(2.0)
    assert ahead == {5.0: 0, 0.3: 80}


def test_dispatcher_unit_memory_gives_nothing_ahead_to_a_worker_of_an_earlier_version(
    frozen_clock: FrozenClock,
) -> None:
    """It is given what it has places for, however short its runs are."""
    memory = SessionMemory(frozen_clock, 10.0)
    views = [build_view(1), build_view(2, takes_grants=False)]
    memory.apply(views)
    for session_id in [1, 2] * 5:
        memory.chosen(session_id)
    frozen_clock.advance(0.1)
    assert [view.ahead for view in memory.apply(views)] == [20, 0]


def test_dispatcher_unit_memory_lets_grants_grow_older_where_looks_come_late(frozen_clock: FrozenClock) -> None:
    """Twice the time that they are to last, a second at least."""
    memory = SessionMemory(frozen_clock, 10.0)
    found = []
    for seconds in (0.1, 0.5, 0.9):
        for _ in range(30):
            memory.apply([build_view(1)])
            frozen_clock.advance(seconds)
        found.append(memory.ahead_seconds_max)
    assert found == [1.0, 4.0, 4.0]
