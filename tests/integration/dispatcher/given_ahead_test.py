"""Runs that are given ahead to sessions whose runs were short, also where the next ones are long."""

from collections.abc import Sequence

import psycopg
import pytest

from fixtures.clock import FrozenClock
from fixtures.factories import build_plan, claim, create_runs, create_task, open_session, report
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from scheduler_core.errors import ConflictError
from scheduler_core.interfaces import Store
from scheduler_core.models import ClaimedRun, Task
from scheduler_dispatcher.dispatcher_config import DispatcherConfig
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.session_memory import SessionMemory
from scheduler_dispatcher.strategies.registry import Strategies
from scheduler_dispatcher.window_service import WindowService
from scheduler_infra.database.dispatch_repository import PostgresDispatchRepository

_PLACES = 20


class Course:
    """A window and the clock that it goes by; what stands in the database grows as much older as that passes."""

    def __init__(self, store: Store, url: str) -> None:
        config, self._clock = DispatcherConfig(), FrozenClock()
        memory = SessionMemory(self._clock, config.dispatch_timeout_seconds)
        ringer = Ringer(store, InMemoryMessageQueue())
        self._window = WindowService(store, ringer, self._clock, config, Strategies.from_config(config), memory)
        self._store = store
        self._url = url

    async def look_after(self, seconds: float) -> None:
        """Let time pass, and look."""
        self._clock.advance(seconds)
        with psycopg.connect(self._url, autocommit=True) as connection:
            age = {"seconds": seconds}
            connection.execute(
                "UPDATE scheduler.run_grants SET granted_at = granted_at - %(seconds)s * interval '1 second'", age
            )
            connection.execute(
                "UPDATE scheduler.task_runs SET started_at = started_at - %(seconds)s * interval '1 second' "
                "WHERE status = 'RUNNING'",
                age,
            )
        await self._window.look()

    def granted(self, session_id: int) -> int:
        """How many runs are granted to the session."""
        with psycopg.connect(self._url) as connection:
            row = connection.execute(
                "SELECT count(*) FROM scheduler.granted_runs WHERE session_id = %(id)s", {"id": session_id}
            ).fetchone()
        assert row is not None
        granted: int = row[0]
        return granted

    async def end(self, session_id: int, runs: Sequence[ClaimedRun]) -> None:
        """Runs of the session end."""
        async with self._store.autocommit() as work:
            await work.task_runs.finish(session_id, [report(run) for run in runs])

    async def be_short(self, task: Task, *session_ids: int) -> None:
        """Let the sessions carry out many runs that end at once."""
        await trigger(self._store, task, 500 * len(session_ids))
        claimed = True
        while claimed:
            await self.look_after(0.05)
            claimed = False
            for session_id in session_ids:
                if runs := await claim(self._store, session_id, _PLACES):
                    claimed = True
                    await self.end(session_id, runs)


async def trigger(store: Store, task: Task, copies: int = 1) -> list[int]:
    """Runs of a task."""
    return [run.run_id for run in await create_runs(store, build_plan(task), copies)]


async def seconds_until_granted(course: Course, session_id: int) -> float:
    """How long it takes, by looks of every 0.15 s, until the session is given something; 5 s at most."""
    for looks in range(1, 34):
        await course.look_after(0.15)
        if course.granted(session_id):
            return round(0.15 * looks, 2)
    return 5.0


async def test_dispatcher_integration_a_hoard_keeps_nobody_else_idle(store: Store, database_url: str) -> None:
    """Whatever a worker that stands still was given ahead: of the backlog a new one is given what it has room for."""
    task = await create_task(store, strategy="least_loaded")
    first, hung = [await open_session(store, places=_PLACES) for _ in range(2)]
    course = Course(store, database_url)
    await course.be_short(task, first, hung)
    await trigger(store, task, 1000)
    await course.look_after(30.0)
    assert course.granted(hung) > 5 * _PLACES
    await claim(store, first, _PLACES)
    new = await open_session(store, places=_PLACES)
    assert await seconds_until_granted(course, new) == 0.15


async def test_dispatcher_integration_a_burst_after_a_pause_is_given_ahead(store: Store, database_url: str) -> None:
    """At its first look already, by the pace of the minute before, and after that as to anybody."""
    task = await create_task(store, strategy="least_loaded")
    session_id = await open_session(store, places=_PLACES)
    course = Course(store, database_url)
    for pause, is_known in ((30.0, True), (61.0, False)):
        await course.be_short(task, session_id)
        await trigger(store, task, 1000)
        await course.look_after(pause)
        assert (course.granted(session_id) > _PLACES) is is_known
        while runs := await claim(store, session_id, _PLACES):
            await course.end(session_id, runs)
            await course.look_after(0.05)


async def test_dispatcher_integration_a_pace_is_not_kept_by_seldom_looks(store: Store, database_url: str) -> None:
    """A long run every half minute says nothing of short ones: after two minutes nothing is given ahead."""
    task = await create_task(store, strategy="least_loaded")
    session_id = await open_session(store, places=_PLACES)
    course = Course(store, database_url)
    await course.be_short(task, session_id)
    for _ in range(4):
        await trigger(store, task)
        await course.look_after(30.0)
        await course.end(session_id, await claim(store, session_id))
    await trigger(store, task, 1000)
    await course.look_after(30.0)
    assert course.granted(session_id) == _PLACES


async def test_dispatcher_integration_a_full_worker_hoards_but_once(store: Store, database_url: str) -> None:
    """Its runs have become long but for those of one place: what is taken back is no pace, and does not come again."""
    task = await create_task(store, strategy="least_loaded")
    session_id = await open_session(store, places=_PLACES)
    course = Course(store, database_url)
    await course.be_short(task, session_id)
    await trigger(store, task, 150)
    await course.look_after(0.15)
    held = await claim(store, session_id, _PLACES)
    assert course.granted(session_id) >= 5 * _PLACES
    new = await open_session(store, places=_PLACES)
    hoards = []
    for _ in range(30):
        await course.end(session_id, [held.pop()])
        held += await claim(store, session_id, 1)
        await course.look_after(0.15)
        await claim(store, new, _PLACES)
        hoards.append(course.granted(session_id))
    assert max(hoards[-10:]) <= _PLACES // 2


async def test_dispatcher_integration_what_is_given_ahead_lets_bigger_runs_through(
    store: Store, database_url: str
) -> None:
    """A run that requests half of a worker begins although small ones were promised all of it, and go on coming."""
    small = await create_task(store, name="small", strategy="resource_aware", resources={"mem": 1})
    big = await create_task(store, name="big", strategy="resource_aware", resources={"mem": 50}, priority=10)
    session_id = await open_session(store, places=_PLACES, resources={"mem": 100.0})
    course = Course(store, database_url)
    await trigger(store, small, 2000)
    claimed: set[int] = set()

    async def go_on(looks: int) -> None:
        for _ in range(looks):
            await course.look_after(0.05)
            runs = await claim(store, session_id, _PLACES)
            claimed.update(run.id for run in runs)
            await course.end(session_id, runs)

    await go_on(10)
    assert course.granted(session_id) > 2 * _PLACES
    (run_id,) = await trigger(store, big)
    await go_on(10)
    assert run_id in claimed
    assert course.granted(session_id) > 0


async def test_dispatcher_integration_a_look_that_failed_has_given_nothing(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was about to give has not ended at once: the next look gives no more than there are places."""
    task = await create_task(store, strategy="least_loaded")
    session_id = await open_session(store, places=_PLACES)
    course = Course(store, database_url)
    await trigger(store, task, 1000)

    async def refuse(*_: object) -> None:
        raise ConflictError("another transaction was first")

    with monkeypatch.context() as patch:
        patch.setattr(PostgresDispatchRepository, "release", refuse)
        with pytest.raises(ConflictError):
            await course.look_after(0.05)
    await course.look_after(0.05)
    assert course.granted(session_id) == _PLACES
