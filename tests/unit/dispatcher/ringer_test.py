"""Who is rung for which runs."""

from datetime import UTC, datetime

from fixtures.dispatcher_fakes import ScriptedStore
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from scheduler_core.errors import StoreUnavailableError
from scheduler_core.models import DISPATCHERS, CreatedRun, Lane, TaskRunStatus
from scheduler_dispatcher.ringer import Ringer

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(task_type: str, status: TaskRunStatus = TaskRunStatus.DISPATCHED, queue: str = "default") -> CreatedRun:
    """A run of a lane."""
    return CreatedRun(1, 1, 1, status, queue, task_type, NOON)


async def test_ring_workers_counts_claimable_runs_by_lane() -> None:
    """Each lane is rung for as many runs as can be claimed; runs that still wait ring nobody."""
    store, queue = ScriptedStore(), InMemoryMessageQueue()
    store.targets = [4, 2]
    runs = [run("shell"), run("http"), run("shell"), run("python", TaskRunStatus.PENDING), run("shell", queue="gpu")]
    await Ringer(store.as_store(), queue).ring_workers(runs)
    assert store.asked == [([Lane("default", "shell"), Lane("default", "http"), Lane("gpu", "shell")], [2, 1, 1])]
    assert queue.wire.rung == ["session-2", "session-4"]


async def test_ring_workers_asks_nothing_when_nothing_can_be_claimed() -> None:
    """Runs that wait cost no question to the database."""
    store, queue = ScriptedStore(), InMemoryMessageQueue()
    await Ringer(store.as_store(), queue).ring_workers([run("shell", TaskRunStatus.PENDING)])
    assert (store.asked, queue.wire.rung) == ([], [])


async def test_ring_workers_gives_up_when_the_store_is_away() -> None:
    """The runs are committed: not knowing whom to ring must not look like a failure of the batch."""
    store, queue = ScriptedStore(), InMemoryMessageQueue()
    store.error = StoreUnavailableError("away")
    await Ringer(store.as_store(), queue).ring_workers([run("shell")])
    assert queue.wire.rung == []


async def test_ring_dispatchers_rings_their_shared_address() -> None:
    """Dispatchers are rung at one address, whoever of them hears it."""
    queue = InMemoryMessageQueue()
    await Ringer(ScriptedStore().as_store(), queue).ring_dispatchers()
    assert queue.wire.rung == [DISPATCHERS]
