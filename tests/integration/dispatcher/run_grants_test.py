"""Runs of a strategy alone: granted to sessions by name, and written only when they are claimed."""

from typing import Any

import msgspec
import psycopg
import pytest

from fixtures.earlier_version import run_as_0005
from fixtures.factories import (
    build_plan,
    claim,
    create_runs,
    create_task,
    open_session,
    report,
    status_of,
)
from fixtures.windows import build_window, insert_limit
from scheduler_core.interfaces import Store
from scheduler_core.models import Lane, Task, TaskRunStatus, TaskStatus


def rows(url: str, statement: str, **parameters: Any) -> list[Any]:
    """What a statement answers."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement.encode(), parameters).fetchall()


def granted(url: str) -> list[Any]:
    """Runs that are granted and not taken, each with its session."""
    return rows(url, "SELECT id, session_id FROM scheduler.granted_runs ORDER BY id")


async def trigger(store: Store, task: Task, copies: int = 1) -> list[int]:
    """Runs of a task."""
    return [run.run_id for run in await create_runs(store, build_plan(task), copies)]


async def test_dispatcher_integration_a_granted_run_is_written_once(store: Store, database_url: str) -> None:
    """It waits until its session claims it, which nobody else does; the claim tells what is left of the grant."""
    task = await create_task(store, strategy="round_robin")
    first, second = await open_session(store, places=3), await open_session(store, places=3)
    runs = await trigger(store, task, 5)
    await build_window(store).look()
    assert granted(database_url) == [(run, (first, second)[place % 2]) for place, run in enumerate(runs)]
    assert {await status_of(store, run) for run in runs} == {TaskRunStatus.PENDING}
    claimed = await claim(store, first, 2)
    assert [(run.id, run.granted_left) for run in claimed] == [(runs[0], 1), (runs[2], 1)]
    assert granted(database_url) == [(runs[1], second), (runs[3], second), (runs[4], first)]
    assert [(run.id, run.granted_left) for run in await claim(store, first)] == [(runs[4], 0)]
    assert await claim(store, first) == []
    assert [run.id for run in await claim(store, second)] == [runs[1], runs[3]]


async def test_dispatcher_integration_a_claim_leaves_the_rest_of_its_grant(store: Store, database_url: str) -> None:
    """In its order, whether the first runs of it were taken or some that come after one that nobody may have now."""
    task = await create_task(store, strategy="round_robin")
    session_id = await open_session(store, places=9)
    runs = await trigger(store, task, 6)
    await build_window(store).look()

    async def left_after_claim_of(limit: int) -> list[int]:
        await claim(store, session_id, limit)
        ((left,),) = rows(database_url, "SELECT run_ids FROM scheduler.run_grants")
        return [runs.index(run) for run in left]

    assert await left_after_claim_of(2) == [2, 3, 4, 5]
    async with store.transaction() as work:
        await work.task_runs.cancel([runs[2]])
    assert await left_after_claim_of(2) == [2, 5]
    assert await left_after_claim_of(2) == [2]


async def test_dispatcher_integration_whoever_claims_need_not_know_of_its_grants(store: Store) -> None:
    """What a worker remembers of them saves a statement and changes no answer; plain claims tell of no grants."""
    task = await create_task(store, strategy="least_loaded")
    plain = await create_task(store, name="plain")
    session_id = await open_session(store, places=9)
    (first, second), (alone, other) = await trigger(store, task, 2), await trigger(store, plain, 2)
    await build_window(store).look()
    found = []
    async with store.autocommit() as work:
        for knows in (False, True, True, True, False):
            claimed = await work.task_runs.claim(session_id, [Lane("default", "python")], 1, has_grants=knows)
            found.append([(run.id, run.granted_left) for run in claimed])
    assert found == [[(first, 1)], [(second, 0)], [(alone, None)], [(other, None)], []]


@pytest.mark.parametrize("change", ["pause", "cancel", "reroute", "limit"])
async def test_dispatcher_integration_no_grant_outlives_what_it_was_given_under(
    store: Store, database_url: str, change: str
) -> None:
    """From the answer on nothing starts under the old rule, although nobody has touched the grant."""
    insert_limit(database_url, "one", concurrent=1)
    task = await create_task(store, strategy="least_loaded")
    session_id = await open_session(store, places=4)
    runs = await trigger(store, task, 2)
    await build_window(store).look()
    assert granted(database_url) == [(run, session_id) for run in runs]
    async with store.transaction() as work:
        if change == "pause":
            await work.tasks.set_status([task.id], TaskStatus.PAUSED)
        elif change == "cancel":
            await work.task_runs.cancel(runs)
        else:
            changed: dict[str, Any] = {"queue": "other"} if change == "reroute" else {"limits": ("one",)}
            definition = msgspec.structs.replace(task.definition(), **changed)
            await work.tasks.update([task.id], [definition], [None])
        # What is not committed yet is stepped over.
        assert await claim(store, session_id) == []
    assert granted(database_url) == []
    assert await claim(store, session_id) == []
    assert rows(database_url, "SELECT cardinality(run_ids) FROM scheduler.run_grants") == [(2,)]


async def test_dispatcher_integration_a_grant_is_for_runs_of_its_own_stream(store: Store, database_url: str) -> None:
    """A run that has come into another stream is decided there anew, although its session has runs of that one, too."""
    task, other = [await create_task(store, name=each, strategy=each) for each in ("least_loaded", "round_robin")]
    session_id = await open_session(store, places=4)
    (moved,), (kept,) = await trigger(store, task), await trigger(store, other)
    await build_window(store).look()
    assert granted(database_url) == [(moved, session_id), (kept, session_id)]
    rows(
        database_url,
        "UPDATE scheduler.task_runs AS run SET stream_id = kept.stream_id FROM scheduler.task_runs AS kept "
        "WHERE run.id = %(moved)s AND kept.id = %(kept)s RETURNING run.id",
        moved=moved,
        kept=kept,
    )
    assert [run.id for run in await claim(store, session_id)] == [kept]
    assert await status_of(store, moved) is TaskRunStatus.PENDING


async def test_dispatcher_integration_a_grant_goes_with_its_session(store: Store, database_url: str) -> None:
    """What was granted to a session that drains or is over is somebody else's with the next look."""
    task = await create_task(store, strategy="least_loaded")
    first = await open_session(store, places=9)
    runs = await trigger(store, task, 3)
    window = build_window(store)
    await window.look()
    assert granted(database_url) == [(run, first) for run in runs]
    second = await open_session(store, places=1)
    async with store.autocommit() as work:
        await work.worker_sessions.renew(first, True)
    assert granted(database_url) == []
    await window.look()
    assert granted(database_url) == [(runs[0], second)]
    async with store.autocommit() as work:
        await work.worker_sessions.close(second)
    assert granted(database_url) == []
    lost = await open_session(store, places=3)
    await window.look()
    assert granted(database_url) == [(run, lost) for run in runs]
    rows(database_url, "UPDATE scheduler.worker_sessions SET lease_expires_at = now() - interval '1 s' RETURNING id")
    async with store.autocommit() as work:
        await work.worker_sessions.reap([lost])
    assert granted(database_url) == []
    heir = await open_session(store, places=3)
    await window.look()
    assert [run.id for run in await claim(store, heir)] == runs


async def test_dispatcher_integration_an_attempt_needs_a_grant_of_its_own(store: Store, database_url: str) -> None:
    """A run that is tried again is nobody's by the grant of the attempt before."""
    task = await create_task(store, strategy="least_loaded", max_retries=1)
    session_id = await open_session(store, places=4)
    runs = await trigger(store, task, 2)
    window = build_window(store)
    await window.look()
    first, _ = await claim(store, session_id)
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(first, status=TaskRunStatus.FAILED, retry_delay_seconds=0.0)])
    assert granted(database_url) == []
    await window.look()
    assert granted(database_url) == [(runs[0], session_id)]


async def test_dispatcher_integration_granted_runs_keep_to_the_order_of_claims(store: Store, database_url: str) -> None:
    """Plain and granted runs of several streams are claimed by age and priority, whichever way they came."""
    chosen = await create_task(store, name="chosen", strategy="least_loaded")
    urgent = await create_task(store, name="urgent", strategy="round_robin", priority=8)
    plain = await create_task(store, name="plain")
    session_id = await open_session(store, places=9)
    ids = [(await trigger(store, task))[0] for task in (chosen, plain, chosen, urgent, plain)]
    await build_window(store).look()
    assert [run.id for run in await claim(store, session_id, 3)] == [ids[3], ids[0], ids[1]]
    assert granted(database_url) == [(ids[2], session_id)]
    assert [run.id for run in await claim(store, session_id)] == [ids[2], ids[4]]


async def test_dispatcher_integration_heads_are_what_is_granted_to_nobody(store: Store, database_url: str) -> None:
    """In the order of claims, of each stream from the given one on; the facts name the first one of each."""
    task = await create_task(store, strategy="round_robin")
    await open_session(store, places=2)
    runs = await trigger(store, task, 7)
    await build_window(store).look()
    assert [run for run, _ in granted(database_url)] == runs[:2]
    async with store.autocommit() as work:
        ((urgent,),) = rows(
            database_url,
            "UPDATE scheduler.task_runs SET claim_at = claim_at - interval '1 hour' WHERE id = %(id)s RETURNING id",
            id=runs[6],
        )
        (stream,) = (await work.dispatch.facts()).streams
        heads = (await work.dispatch.heads({stream.id: 9}))[stream.id]
        assert [run for run, _ in heads] == [urgent, *runs[2:6]]
        assert heads == sorted(heads, key=lambda head: (head[1], head[0]))
        assert (stream.head_id, stream.head_at) == heads[0]
        # All were made at once: their ids alone tell which comes first.
        since = {stream.id: (heads[2][1], heads[2][0])}
        assert await work.dispatch.heads({stream.id: 2}, since=since) == {stream.id: heads[2:4]}
        beyond = {stream.id: (heads[4][1], heads[4][0] + 1)}
        assert await work.dispatch.heads({stream.id: 9}, since=beyond) == {}


async def test_dispatcher_integration_workers_of_the_version_before_are_given_runs_as_before(
    store: Store, database_url: str
) -> None:
    """They claim what is DISPATCHED to them and know of no grants; beside them others are granted theirs."""
    task = await create_task(store, strategy="round_robin")
    session: dict[str, Any] = {"worker_id": "former", "hostname": "host", "boot_id": "boot", "version": "5", "tags": []}
    session |= {"pid": 1, "process_started_at": 1, "queues": ["default"], "task_types": ["python"], "places": 4}
    [former] = run_as_0005(database_url, "open_session", lease_seconds=30.0, resources="{}", **session)
    newer = await open_session(store, places=4)
    runs = await trigger(store, task, 4)
    window = build_window(store)
    await window.look()
    wanted = {"queues": ["default"], "task_types": ["python"], "limit": 4, "look": 4}
    claimed = run_as_0005(database_url, "claim_runs", session_id=former["id"], **wanted)
    assert [run["id"] for run in claimed] == [runs[0], runs[2]]
    assert [(run.id, run.granted_left) for run in await claim(store, newer)] == [(runs[1], 0), (runs[3], 0)]


def age_grants(url: str, seconds: float) -> None:
    """All grants are older by so much."""
    older = "UPDATE scheduler.run_grants SET granted_at = granted_at - %(seconds)s * interval '1 second' RETURNING 1"
    rows(url, older, seconds=seconds)


async def test_dispatcher_integration_what_a_full_worker_does_not_take_is_for_others(
    store: Store, database_url: str
) -> None:
    """Its runs have become longer than they were when it was given some; for that it is not left out."""
    task = await create_task(store, strategy="least_loaded")
    urgent = await create_task(store, name="urgent", priority=8)
    first = await open_session(store, places=2)
    runs = await trigger(store, task, 2)
    window = build_window(store)
    await window.look()
    long_ones = await trigger(store, urgent, 2)
    claimed = await claim(store, first, 2)
    assert [run.id for run in claimed] == long_ones
    second = await open_session(store, places=1)
    age_grants(database_url, 0.5)
    await window.look()
    assert granted(database_url) == [(run, first) for run in runs]
    age_grants(database_url, 4.0)
    await window.look()
    assert granted(database_url) == [(runs[0], second)]
    async with store.autocommit() as work:
        await work.task_runs.finish(first, [report(run) for run in claimed])
    await window.look()
    assert granted(database_url) == [(runs[0], second), (runs[1], first)]


async def test_dispatcher_integration_only_who_had_room_has_let_a_run_wait(store: Store, database_url: str) -> None:
    """What is granted to a full worker until the time-out is taken back without a word of it."""
    task = await create_task(store, strategy="round_robin")
    urgent = await create_task(store, name="urgent", priority=8)
    full, hung = await open_session(store, places=1), await open_session(store, places=1)
    runs = await trigger(store, task, 2)
    await build_window(store).look()
    (long_one,) = await trigger(store, urgent)
    assert [run.id for run in await claim(store, full, 1)] == [long_one]
    assert granted(database_url) == [(runs[0], full), (runs[1], hung)]
    age_grants(database_url, 11.0)
    async with store.transaction() as work:
        taken = await work.dispatch.recall(10.0)
    assert [(each.session_id, each.runs, each.is_missed) for each in taken] == [(full, 1, False), (hung, 1, True)]
    assert granted(database_url) == []


@pytest.mark.parametrize("ends", [False, True])
async def test_dispatcher_integration_grants_end_where_no_other_run_is_gated(
    store: Store, database_url: str, ends: bool
) -> None:
    """After a granted backlog is cancelled nothing is left of it, whether or not its session goes on."""
    task = await create_task(store, strategy="least_loaded")
    session_id = await open_session(store, places=40)
    runs = await trigger(store, task, 40)
    window = build_window(store)
    await window.look()
    async with store.autocommit() as work:
        await work.task_runs.cancel(runs)
        if ends:
            await work.worker_sessions.close(session_id)
    age_grants(database_url, 2.0)
    assert await window.look() <= 0.25
    assert rows(database_url, "SELECT * FROM scheduler.run_grants") == []
    assert await window.look() > 0.25
