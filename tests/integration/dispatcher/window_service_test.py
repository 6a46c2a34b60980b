"""Gated runs on a real database: sorted, released a few at a time, claimed with their permits."""

import asyncio
from collections import Counter
from typing import Any

import psycopg
import pytest

from fixtures.factories import PYTHON_LANE, build_plan, claim, create_runs, create_task, open_session, report, status_of
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from fixtures.windows import build_window, insert_limit
from scheduler_core.interfaces import Store
from scheduler_core.models import ClaimedRun, Lane, Task, TaskRunStatus, TaskStatus, session_address
from scheduler_dispatcher import key_sorting


async def trigger(store: Store, task: Task, copies: int = 1, **parameters: Any) -> list[int]:
    """Runs of a task with these parameters."""
    text = None
    if parameters:
        pairs = ", ".join(f'"{key}": "{value}"' for key, value in parameters.items())
        text = f"{{{pairs}}}"
    return [run.run_id for run in await create_runs(store, build_plan(task), copies, parameters=text)]


async def finish(store: Store, session_id: int, *runs: ClaimedRun, **changes: Any) -> None:
    """Report the runs as completed."""
    async with store.autocommit() as work:
        await work.task_runs.finish(session_id, [report(run, **changes) for run in runs])


def rows(url: str, statement: str, **parameters: Any) -> list[Any]:
    """What a statement answers."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement.encode(), parameters).fetchall()


def granted(url: str) -> list[Any]:
    """Runs that are granted and not taken, each with its session."""
    return rows(url, "SELECT id, session_id FROM scheduler.granted_runs ORDER BY id")


async def test_dispatcher_integration_a_limit_bounds_runs_by_key_and_frees_with_their_ends(
    store: Store, database_url: str
) -> None:
    """Two of each customer run at once; the end of one lets the next one go, and nothing is swept by hand."""
    insert_limit(database_url, "api", key="params.customer", concurrent=2)
    task = await create_task(store, limits=("api",))
    session_id = await open_session(store, places=10)
    a = await trigger(store, task, 4, customer="a")
    b = await trigger(store, task, 1, customer="b")
    assert await status_of(store, a[0]) is TaskRunStatus.PENDING
    window = build_window(store)
    await window.look()
    claimed = await claim(store, session_id)
    assert [run.id for run in claimed] == [*a[:2], *b]
    await window.look()
    assert await claim(store, session_id) == []
    await finish(store, session_id, claimed[0])
    await window.look()
    assert [run.id for run in await claim(store, session_id)] == [a[2]]
    assert rows(database_url, "SELECT count(*) FROM scheduler.task_run_permits") == [(3,)]


async def test_dispatcher_integration_a_claim_along_takes_no_run_with_limits(store: Store, database_url: str) -> None:
    """Permits are given out under locks that it cannot take any more; nor does it pass by a run that needs some."""
    insert_limit(database_url, "one", concurrent=1)
    limited, plain = await create_task(store, limits=("one",)), await create_task(store, name="plain")
    session_id = await open_session(store, places=10)
    await trigger(store, limited, 1)
    await build_window(store).look()
    await trigger(store, plain, 1)
    async with store.transaction() as work:
        assert await work.task_runs.claim_along(session_id, [PYTHON_LANE], 1) == []
    assert len(await claim(store, session_id)) == 2


async def test_dispatcher_integration_a_run_gets_all_permits_or_none(store: Store, database_url: str) -> None:
    """Who finds one of two limits full takes no permit of the other one, and waits for its turn again."""
    insert_limit(database_url, "wide", concurrent=5)
    insert_limit(database_url, "narrow", concurrent=1)
    both = await create_task(store, limits=("wide", "narrow"))
    session_id = await open_session(store)
    first, second = await trigger(store, both, 2)
    window = build_window(store)
    await window.look()
    # As if another dispatcher had counted at the same time: the claim is what holds.
    rows(
        database_url,
        "UPDATE scheduler.task_runs SET status = 'DISPATCHED', offered_at = now() WHERE id = %(id)s RETURNING id",
        id=second,
    )
    assert [run.id for run in await claim(store, session_id)] == [first]
    assert await status_of(store, second) is TaskRunStatus.PENDING
    assert rows(database_url, "SELECT DISTINCT run_id FROM scheduler.task_run_permits") == [(first,)]


async def test_dispatcher_integration_refused_runs_hold_up_nobody(store: Store, database_url: str) -> None:
    """A claim whose first runs find no permit goes on with those behind them, in the same call."""
    insert_limit(database_url, "one", concurrent=1)
    limited, plain = await create_task(store, limits=("one",)), await create_task(store)
    session_id = await open_session(store)
    before = await trigger(store, limited, 6)
    behind = await trigger(store, plain, 5)
    await build_window(store).look()
    rows(
        database_url,
        "UPDATE scheduler.task_runs SET status = 'DISPATCHED', offered_at = now() WHERE stream_id IS NOT NULL "
        "RETURNING id",
    )
    assert [run.id for run in await claim(store, session_id, 4)] == [before[0], *behind[:3]]
    assert [await status_of(store, run_id) for run_id in before[1:4]] == [TaskRunStatus.PENDING] * 3


async def test_dispatcher_integration_a_rate_bounds_starts_and_says_when_to_look_again(
    store: Store, database_url: str
) -> None:
    """Three may start at once, then one in ten seconds; a retry counts as a start."""
    insert_limit(database_url, "mail", rate=1, rate_seconds=10.0, burst=3)
    task = await create_task(store, limits=("mail",), max_retries=1)
    session_id = await open_session(store)
    await trigger(store, task, 5)
    window = build_window(store, poll_interval_seconds=60.0)
    seconds = await window.look()
    claimed = await claim(store, session_id)
    assert len(claimed) == 3
    assert 9.0 < seconds <= 10.0
    await finish(store, session_id, claimed[0], status=TaskRunStatus.FAILED, retry_delay_seconds=0.0)
    assert 9.0 < await window.look() <= 10.0
    assert await claim(store, session_id) == []
    [(tokens,)] = rows(database_url, "SELECT tokens FROM scheduler.limit_keys")
    assert 0 <= tokens < 1


async def test_dispatcher_integration_many_claims_at_once_never_pass_a_limit(
    store: Store, second_store: Store, database_url: str
) -> None:
    """Claims and ends from many connections: at no moment do more than three runs hold the key."""
    insert_limit(database_url, "three", concurrent=3)
    task = await create_task(store, limits=("three",))
    sessions = [await open_session(store, places=10) for _ in range(4)]
    await trigger(store, task, 60)
    window = build_window(store)
    most = 0
    done: set[int] = set()

    async def work_on(which: Store, session_id: int) -> None:
        nonlocal most
        while len(done) < 60:
            for run in await claim(which, session_id, 3):
                [(running,)] = rows(database_url, "SELECT count(*) FROM scheduler.task_runs WHERE status = 'RUNNING'")
                most = max(most, running)
                done.add(run.id)
                await finish(which, session_id, run)
            # More is offered than may run, so that claims meet at the key.
            rows(
                database_url,
                "UPDATE scheduler.task_runs SET status = 'DISPATCHED', offered_at = now() WHERE id IN (SELECT id FROM "
                "scheduler.task_runs WHERE status = 'PENDING' AND stream_id IS NOT NULL LIMIT 8 FOR UPDATE "
                "SKIP LOCKED) RETURNING id",
            )
            await window.look()

    stores = [store, second_store, store, second_store]
    async with asyncio.timeout(60):
        await asyncio.gather(*(work_on(which, sid) for which, sid in zip(stores, sessions, strict=True)))
    assert 1 <= most <= 3
    assert len(done) == 60


async def test_dispatcher_integration_a_lost_session_holds_no_permit(store: Store, database_url: str) -> None:
    """Its runs are freed by the reaper, and their permits count no more from that moment on."""
    insert_limit(database_url, "one", concurrent=1)
    task = await create_task(store, limits=("one",))
    lost = await open_session(store)
    first, _second = await trigger(store, task, 2)
    window = build_window(store)
    await window.look()
    [held] = await claim(store, lost)
    assert held.id == first
    rows(database_url, "UPDATE scheduler.worker_sessions SET lease_expires_at = now() - interval '1 s' RETURNING id")
    async with store.autocommit() as work:
        await work.worker_sessions.reap([lost])
    heir = await open_session(store)
    await window.look()
    [again] = await claim(store, heir)
    assert (again.id, again.attempt) == (first, 2)
    await window.look()
    assert await claim(store, heir) == []


async def test_dispatcher_integration_a_run_without_a_worker_holds_nothing(store: Store, database_url: str) -> None:
    """A queue that nobody serves does not use up what another queue's runs are waiting for."""
    insert_limit(database_url, "one", concurrent=1)
    nowhere = await create_task(store, limits=("one",), queue="nowhere")
    here = await create_task(store, limits=("one",))
    session_id = await open_session(store)
    await trigger(store, nowhere, 3)
    [run_id] = await trigger(store, here)
    await build_window(store).look()
    assert [run.id for run in await claim(store, session_id)] == [run_id]


async def test_dispatcher_integration_runs_that_wait_for_busy_workers_hold_nothing(
    store: Store, database_url: str
) -> None:
    """What is claimable in a queue whose workers are full leaves another queue's runs all places of their limit."""
    insert_limit(database_url, "two", concurrent=2)
    long_one = await create_task(store, queue="busy")
    there = await create_task(store, limits=("two",), queue="busy")
    here = await create_task(store, limits=("two",))
    full, free = await open_session(store, queues=("busy",), places=1), await open_session(store)
    await trigger(store, long_one)
    assert len(await claim(store, full, 1, Lane("busy", "python"))) == 1
    waiting = await trigger(store, there, 3)
    window = build_window(store)
    await window.look()
    assert [await status_of(store, run_id) for run_id in waiting] == ["DISPATCHED", "DISPATCHED", "PENDING"]
    run_ids = await trigger(store, here, 3)
    await window.look()
    assert [run.id for run in await claim(store, free)] == run_ids[:2]


async def test_dispatcher_integration_claimable_runs_of_a_lane_that_lost_its_workers_go_back(
    store: Store, database_url: str
) -> None:
    """What was released for a worker that is gone waits in its stream again."""
    task = await create_task(store, fairness_key="params.tenant", queue="away")
    session_id = await open_session(store, queues=("away",))
    [run_id] = await trigger(store, task, 1, tenant="a")
    window = build_window(store)
    await window.look()
    assert await status_of(store, run_id) is TaskRunStatus.DISPATCHED
    async with store.autocommit() as work:
        await work.worker_sessions.close(session_id)
    await window.look()
    assert await status_of(store, run_id) is TaskRunStatus.PENDING


async def test_dispatcher_integration_streams_that_nobody_serves_keep_no_other_waiting(
    store: Store, database_url: str
) -> None:
    """However many older streams need a tag that no worker has: who needs none goes on, and they do when one comes."""
    for name in ("each", "one"):
        insert_limit(database_url, name, key="params.customer" if name == "each" else None, concurrent=1)
    needy = await create_task(store, required_tags=("gpu",), limits=("each",))
    plain = await create_task(store, limits=("one",))
    session_id = await open_session(store, places=10)
    tagged = [run_id for number in range(60) for run_id in await trigger(store, needy, 1, customer=str(number))]
    modest = await trigger(store, plain, 1)
    window = build_window(store)
    await window.look()
    assert [run.id for run in await claim(store, session_id)] == modest
    able = await open_session(store, worker_id="gpu-1", tags=("gpu",), places=10)
    await window.look()
    assert [run.id for run in await claim(store, able)] == tagged[:10]


async def test_dispatcher_integration_slow_keys_are_evaluated_bit_by_bit(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look evaluates for about a second and asks for the next one at once; what it has done stands."""
    monkeypatch.setattr(key_sorting, "_SECONDS", 0.0)
    insert_limit(database_url, "each", key="params.customer", concurrent=1)
    task = await create_task(store, limits=("each",))
    session_id = await open_session(store)
    run_ids = [run_id for name in "ab" for run_id in await trigger(store, task, 1, customer=name)]
    window = build_window(store)
    assert await window.look() == 0.0
    assert [run.id for run in await claim(store, session_id)] == run_ids[:1]
    assert await window.look() > 0.0
    assert [run.id for run in await claim(store, session_id)] == run_ids[1:]


async def test_dispatcher_integration_slow_keys_come_after_all_others(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A definition whose key was slow waits for the others' new runs, of which it may have any number before them."""
    insert_limit(database_url, "each", key="params.customer", concurrent=1)
    slow = await create_task(store, limits=("each",))
    quick = await create_task(store, strategy="round_robin")
    monkeypatch.setattr(key_sorting, "_SECONDS", 0.0)
    monkeypatch.setattr(key_sorting, "_SLOW_SECONDS", 0.0)
    before = await trigger(store, slow, 30, customer="a")
    window = build_window(store, max_concurrent_dispatches=5)
    await window.look()
    monkeypatch.setattr(key_sorting, "_SLOW_SECONDS", 60.0)
    [behind] = await trigger(store, quick, 1)
    assert await window.look() == 0.0
    in_streams = "SELECT id FROM scheduler.task_runs WHERE stream_id IS NOT NULL ORDER BY id"
    assert rows(database_url, in_streams) == [(before[0],), (before[1],), (behind,)]


async def test_dispatcher_integration_another_dispatchers_strategy_is_not_kept(store: Store, database_url: str) -> None:
    """What one that is gone has noted is put right by those that are there, within seconds."""
    task = await create_task(store)
    window = build_window(store)
    await window.look()
    async with store.autocommit() as work:
        await work.dispatch.set_strategy("random")
    for _ in range(6):
        await window.look()
    [run_id] = await trigger(store, task)
    assert await status_of(store, run_id) is TaskRunStatus.DISPATCHED


async def test_dispatcher_integration_a_key_that_fails_fails_its_run_alone(store: Store, database_url: str) -> None:
    """The run is FAILED with the expression and the error, what waits for it is told, and the others go on."""
    insert_limit(database_url, "api", key="params.customer.name", concurrent=1)
    task = await create_task(store, limits=("api",))
    after = await create_task(store, dependencies=(task.name,))
    session_id = await open_session(store)
    [bad, waiting] = [run.run_id for run in await create_runs(store, build_plan(task, after), parameters='{"x": 1}')]
    good = [run.run_id for run in await create_runs(store, build_plan(task), parameters='{"customer": {"name": "a"}}')]
    queue = InMemoryMessageQueue()
    await build_window(store, queue).look()
    async with store.autocommit() as work:
        failed = await work.task_runs.get(bad)
        await work.task_runs.settle(10)
    assert failed.status is TaskRunStatus.FAILED
    assert failed.error is not None
    assert "limit 'api'" in failed.error
    assert "params.customer.name" in failed.error
    assert await status_of(store, waiting) is TaskRunStatus.SKIPPED
    assert [run.id for run in await claim(store, session_id)] == good


async def test_dispatcher_integration_tenants_get_places_by_weight(store: Store, database_url: str) -> None:
    """Three tenants of weight 1, 2 and 4 on seven places: after each seven runs the counts are by the weights."""
    task = await create_task(store, fairness_key="params.tenant", fairness_weight="params.weight | int")
    session_id = await open_session(store, places=7)
    tenant_of: dict[int, str] = {}
    for tenant, weight in (("a", 1), ("b", 2), ("c", 4)):
        for run_id in await trigger(store, task, 70, tenant=tenant, weight=weight):
            tenant_of[run_id] = tenant
    window = build_window(store)
    counts: Counter[str] = Counter()
    for _ in range(15):
        await window.look()
        claimed = await claim(store, session_id, 7)
        assert len(claimed) == 7
        counts.update(tenant_of[run.id] for run in claimed)
        await finish(store, session_id, *claimed)
    assert {tenant: round(count / 15) for tenant, count in counts.items()} == {"a": 1, "b": 2, "c": 4}
    assert all(abs(counts[tenant] - 15 * share) <= 2 for tenant, share in (("a", 1), ("b", 2), ("c", 4)))


async def test_dispatcher_integration_background_runs_let_live_ones_go_first(store: Store, database_url: str) -> None:
    """Of ten places the background gets one, and has the next run ready, while live runs wait."""
    task = await create_task(store)
    session_id = await open_session(store, places=10)
    background = {run.run_id for run in await create_runs(store, build_plan(task), 100, background=True)}
    window = build_window(store)
    await window.look()
    live = set(await trigger(store, task, 30))
    claimed = await claim(store, session_id, 10)
    assert [run.id in background for run in claimed] == [True] * 2 + [False] * 8
    await finish(store, session_id, *claimed[2:])
    await window.look()
    claimed += await claim(store, session_id, 8)
    assert {run.id for run in claimed[10:]} <= live
    # A backlog of live runs that is older than its next run does not keep the background from its share.
    await finish(store, session_id, *claimed[:2], *claimed[10:])
    await window.look()
    # As many of the background's again, and no more while live runs wait.
    assert sum(run.id in background for run in await claim(store, session_id, 10)) == 2


async def test_dispatcher_integration_a_chosen_worker_alone_takes_its_run(store: Store, database_url: str) -> None:
    """Runs are given round in turn, each session is rung and claims its own; a dead one's go back to the decision."""
    task = await create_task(store, strategy="round_robin")
    first, second = await open_session(store), await open_session(store)
    runs = await trigger(store, task, 4)
    queue = InMemoryMessageQueue()
    window = build_window(store, queue)
    await window.look()
    assert queue.wire.rung == [session_address(first), session_address(second)]
    assert [run.id for run in await claim(store, first)] == [runs[0], runs[2]]
    async with store.autocommit() as work:
        await work.worker_sessions.close(second)
    await window.look()
    assert [run.id for run in await claim(store, first)] == [runs[1], runs[3]]


async def test_dispatcher_integration_a_worker_that_does_not_take_its_run_loses_it(
    store: Store, database_url: str
) -> None:
    """After the time-out another worker is chosen, and the one that let it wait is left out for a while."""
    task = await create_task(store, strategy="least_loaded")
    stuck, other = await open_session(store, places=20), await open_session(store, places=1)
    [run_id] = await trigger(store, task)
    window = build_window(store, dispatch_timeout_seconds=5.0)
    await window.look()
    assert granted(database_url) == [(run_id, stuck)]
    assert await claim(store, other) == []
    await window.look()
    assert granted(database_url) == [(run_id, stuck)]
    rows(database_url, "UPDATE scheduler.run_grants SET granted_at = granted_at - interval '6 s' RETURNING 1")
    await window.look()
    assert granted(database_url) == [(run_id, other)]
    assert await claim(store, stuck) == []
    assert [run.id for run in await claim(store, other)] == [run_id]


async def test_dispatcher_integration_a_claimable_run_is_taken_back_from_who_lets_it_wait(
    store: Store, database_url: str
) -> None:
    """After the time-out it waits in its stream again and its session is told; a run for anybody stays claimable."""
    chosen = await create_task(store, strategy="least_loaded", fairness_key="params.tenant")
    shared = await create_task(store, fairness_key="params.tenant")
    stuck, _other = await open_session(store, places=20), await open_session(store, places=1)
    [run_id], [open_to_all] = [await trigger(store, task, 1, tenant="a") for task in (chosen, shared)]
    await build_window(store).look()
    offered = "SELECT id, assigned_to FROM scheduler.task_runs WHERE status = 'DISPATCHED' ORDER BY id"
    assert rows(database_url, offered) == [(run_id, stuck), (open_to_all, None)]
    for told, left in (([], [(run_id, stuck), (open_to_all, None)]), ([stuck], [(open_to_all, None)])):
        rows(
            database_url,
            "UPDATE scheduler.task_runs SET offered_at = offered_at - interval '60 s' "
            "WHERE status = 'DISPATCHED' RETURNING id",
        )
        async with store.transaction() as work:
            assert [each.session_id for each in await work.dispatch.recall(100.0) if each.is_missed] == told
        assert rows(database_url, offered) == left
    assert await status_of(store, run_id) is TaskRunStatus.PENDING


async def test_dispatcher_integration_tags_and_resources_choose_the_worker(store: Store, database_url: str) -> None:
    """A run goes to a worker that has its tags and what it requests left, and waits while there is none."""
    task = await create_task(store, required_tags=("gpu",), resources={"gpu": 1.0})
    plain = await open_session(store)
    gpu = await open_session(store, tags=("gpu",), resources={"gpu": 2.0})
    runs = await trigger(store, task, 3)
    window = build_window(store)
    await window.look()
    assert await claim(store, plain) == []
    claimed = await claim(store, gpu)
    assert [run.id for run in claimed] == runs[:2]
    await window.look()
    assert await status_of(store, runs[2]) is TaskRunStatus.PENDING
    await finish(store, gpu, claimed[0])
    await window.look()
    assert [run.id for run in await claim(store, gpu)] == [runs[2]]


@pytest.mark.parametrize("moment", ["sorted", "claimable"])
async def test_dispatcher_integration_a_paused_task_starts_nothing_and_goes_on_later(
    store: Store, database_url: str, moment: str
) -> None:
    """Once the pause is answered nothing of it is claimed, wherever its runs stood; resumed, they take their turns."""
    task = await create_task(store, fairness_key="params.tenant")
    session_id = await open_session(store, places=2 if moment == "sorted" else 10)
    run_ids = await trigger(store, task, 20, tenant="a")
    window = build_window(store)
    await window.look()
    async with store.transaction() as work:
        await work.tasks.set_status([task.id], TaskStatus.PAUSED)
    await window.look()
    assert await claim(store, session_id) == []
    async with store.transaction() as work:
        await work.tasks.set_status([task.id], TaskStatus.ACTIVE)
    await window.look()
    assert [run.id for run in await claim(store, session_id, 2)] == run_ids[:2]


async def test_dispatcher_integration_a_changed_task_is_sorted_anew(store: Store, database_url: str) -> None:
    """A limit that a task gets holds for runs that were claimable before; one that it loses lets them go."""
    insert_limit(database_url, "one", concurrent=1)
    task = await create_task(store)
    session_id = await open_session(store)
    run_ids = await trigger(store, task, 3)
    assert await status_of(store, run_ids[0]) is TaskRunStatus.DISPATCHED
    definition = task.definition()
    async with store.transaction() as work:
        await work.tasks.update([task.id], [msgspec_replace(definition, limits=("one",))], [None])
    window = build_window(store)
    await window.look()
    assert len(await claim(store, session_id)) == 1
    async with store.transaction() as work:
        await work.tasks.update([task.id], [definition], [None])
        await work.task_runs.admit(10)
    assert len(await claim(store, session_id)) == 2


async def test_dispatcher_integration_runs_are_born_in_the_stream_of_their_version(
    store: Store, database_url: str
) -> None:
    """Once a dispatcher knows that a version's runs are alike; background runs and those of a paused task are not."""
    in_streams = "SELECT stream_id IS NOT NULL FROM scheduler.task_runs WHERE id = ANY(%(ids)s) ORDER BY id"
    task = await create_task(store, strategy="round_robin")
    keyed = await create_task(store, strategy="round_robin", fairness_key="params.tenant")
    await open_session(store, places=10)
    window = build_window(store)
    for each in (task, keyed):
        first = await trigger(store, each, 1, tenant="a")
        assert rows(database_url, in_streams, ids=first) == [(False,)]
    await window.look()
    born = await trigger(store, task, 2)
    assert rows(database_url, in_streams, ids=born) == [(True,), (True,)]
    others = [
        *await trigger(store, keyed, 1, tenant="a"),
        *[run.run_id for run in await create_runs(store, build_plan(task), background=True)],
    ]
    async with store.transaction() as work:
        await work.tasks.set_status([task.id], TaskStatus.PAUSED)
    others += await trigger(store, task, 1)
    assert rows(database_url, in_streams, ids=others) == [(False,)] * 3
    assert rows(database_url, in_streams, ids=born) == [(False,), (False,)]
    async with store.transaction() as work:
        await work.tasks.set_status([task.id], TaskStatus.ACTIVE)
        # Nothing is in the stream now, but a run may be born in it at any moment.
        assert await work.dispatch.hold_window() is not None
        await work.dispatch.forget(100)
    await window.look()
    born = await trigger(store, task, 1)
    assert rows(database_url, in_streams, ids=born) == [(True,)]


async def test_dispatcher_integration_two_dispatchers_decide_one_after_another(
    store: Store, second_store: Store, database_url: str
) -> None:
    """While one holds the window the other one neither waits nor decides."""
    task = await create_task(store, fairness_key="params.tenant")
    await open_session(store)
    [run_id] = await trigger(store, task, 1, tenant="a")
    async with second_store.transaction() as work:
        assert await work.dispatch.hold_window() is not None
        assert await build_window(store).look() > 0
        assert await status_of(store, run_id) is TaskRunStatus.PENDING
    await build_window(store).look()
    assert await status_of(store, run_id) is TaskRunStatus.DISPATCHED


async def test_dispatcher_integration_the_dispatchers_strategy_gates_what_is_made(
    store: Store, database_url: str
) -> None:
    """Under another strategy than shared a plain task's runs are given to a worker; set back, they are not."""
    task = await create_task(store)
    session_id = await open_session(store)
    window = build_window(store, strategy="least_loaded")
    await window.look()
    [run_id] = await trigger(store, task)
    assert await status_of(store, run_id) is TaskRunStatus.PENDING
    await window.look()
    assert granted(database_url) == [(run_id, session_id)]
    await build_window(store).look()
    [plain] = await trigger(store, task)
    assert await status_of(store, plain) is TaskRunStatus.DISPATCHED


async def test_dispatcher_integration_streams_that_nobody_needs_are_forgotten(store: Store, database_url: str) -> None:
    """Streams and the keys that were not ahead of their queue go; those of running runs stay."""
    insert_limit(database_url, "one", key="params.tenant", concurrent=1)
    task = await create_task(store, fairness_key="params.tenant", limits=("one",))
    session_id = await open_session(store)
    for tenant in ("a", "b"):
        await trigger(store, task, 1, tenant=tenant)
    await build_window(store).look()
    first, _second = await claim(store, session_id)
    await finish(store, session_id, first)
    async with store.transaction() as work:
        assert await work.dispatch.hold_window() is not None
        # The stream of the run that has ended, and the value of its limit's key.
        assert await work.dispatch.forget(10) == 2
    assert rows(database_url, "SELECT count(*) FROM scheduler.dispatch_streams") == [(1,)]


def msgspec_replace(definition: Any, **changes: Any) -> Any:
    """A definition with other values."""
    return type(definition)(**{**{f: getattr(definition, f) for f in definition.__struct_fields__}, **changes})
