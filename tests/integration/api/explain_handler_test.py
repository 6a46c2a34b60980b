"""Explanations over HTTP, of what a real database holds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from fixtures.api_app import Api
from fixtures.factories import build_definition, build_plan, claim, create_runs, create_task, open_session, report
from fixtures.flows import add_members, create_flow, set_runs
from fixtures.in_memory_message_queue import InMemoryMessageQueue, InMemoryWire
from fixtures.windows import build_window, insert_limit
from scheduler_core.decisions.schedule_rules import next_run_after
from scheduler_core.decisions.stream_keys import keyed
from scheduler_core.interfaces import Store
from scheduler_core.models import FlowMember, FlowPlan, OverlapPolicy, Schedule, TaskRunStatus, TaskStatus
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.schedule_service import ScheduleService

MINUTE = timedelta(minutes=1)
MINUTELY = Schedule(cron="* * * * *")


async def explain(api: Api, path: str, **query: Any) -> dict[str, Any]:
    """An explanation."""
    answer = await api.get(f"/api/v1/{path}/explain", params=query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def codes(explanation: dict[str, Any]) -> list[str]:
    """Its codes, in their order."""
    return [blocker["code"] for blocker in explanation["blockers"]]


async def start_dispatcher(store: Store) -> None:
    """A dispatcher has been seen."""
    async with store.autocommit() as work:
        dispatcher_id = await work.dispatchers.begin("host", 1, "0.1.0")
        await work.dispatchers.seen(dispatcher_id, None, strategy="shared", strategies=["shared", "least_loaded"])


async def test_api_integration_explain_run_names_all_blockers(api: Api, store: Store) -> None:
    """A run of a paused task for which there is no worker and no dispatcher says so, each with what clears it."""
    task = await create_task(store, name="report")
    [run] = await create_runs(store, build_plan(task, status=TaskRunStatus.PENDING))
    async with store.transaction() as work:
        await work.tasks.set_status([task.id], TaskStatus.PAUSED)
    told = await explain(api, f"task-runs/{run.run_id}")
    assert codes(told) == ["DISPATCHER_DOWN", "PAUSED", "NO_WORKER"]
    assert told["is_blocked"]
    assert told["summary"] == f"Run {run.run_id} of 'report' is PENDING: 3 things keep it from running."
    paused = told["blockers"][1]
    assert (paused["task"], paused["blocks"], paused["since"] is not None) == ("report", True, True)
    assert paused["clears"] == "Resume it: `scheduler task resume report`."


async def test_api_integration_explain_run_tells_of_the_queue(api: Api, store: Store, rings: InMemoryWire) -> None:
    """A message queue that is away is told beside the rest, and blocks nothing."""
    await start_dispatcher(store)
    await open_session(store)
    [run] = await create_runs(store, build_plan(await create_task(store)))
    assert (await explain(api, f"task-runs/{run.run_id}"))["blockers"] == []
    rings.go_down()
    told = await explain(api, f"task-runs/{run.run_id}")
    assert [(blocker["code"], blocker["blocks"]) for blocker in told["blockers"]] == [("BROKER_UNREACHABLE", False)]
    assert not told["is_blocked"]


async def test_api_integration_explain_run_counts_what_is_ahead(api: Api, store: Store) -> None:
    """Of the runs of its lane those of higher priority and older ones are ahead, and no others."""
    await start_dispatcher(store)
    session = await open_session(store, places=1)
    low, high = await create_task(store, priority=1), await create_task(store, priority=9)
    await create_runs(store, build_plan(high))
    await claim(store, session)
    older, subject, younger = await create_runs(store, build_plan(low), copies=3)
    await create_runs(store, build_plan(high), copies=2)
    await create_runs(store, build_plan(await create_task(store, queue="other", priority=9)))
    told = await explain(api, f"task-runs/{subject.run_id}")
    assert codes(told) == ["PLACES_BUSY"]
    assert "1 of 1 places at 1 worker" in told["blockers"][0]["message"]
    assert "3 runs are ahead of it" in told["blockers"][0]["message"]
    assert older.run_id < subject.run_id < younger.run_id


async def test_api_integration_explain_run_names_every_limit_that_is_full(
    api: Api, store: Store, database_url: str
) -> None:
    """Of two limits with the same key both are told, with who holds their permits; a third one with room is not."""
    await start_dispatcher(store)
    insert_limit(database_url, "narrow", key="params.customer", concurrent=1)
    insert_limit(database_url, "slow", key="params.customer", rate=1, rate_seconds=3600.0)
    insert_limit(database_url, "wide", concurrent=9)
    task = await create_task(store, name="copy", limits=("narrow", "slow", "wide"), parameters={"customer": "acme"})
    session = await open_session(store)
    first, subject = await create_runs(store, build_plan(task), copies=2)
    told = await explain(api, f"task-runs/{subject.run_id}")
    assert (codes(told), told["is_blocked"]) == (["NOT_SORTED"], False)
    assert told["summary"].endswith("nothing that is known keeps it from running.")
    window = build_window(store)
    await window.look()
    assert [run.id for run in await claim(store, session)] == [first.run_id]
    await window.look()
    told = await explain(api, f"task-runs/{subject.run_id}")
    assert codes(told) == ["LIMIT_FULL", "RATE_LIMITED"]
    full, limited = told["blockers"]
    assert full["message"] == (
        f"Limit 'narrow' allows 1 run of key 'acme' at once: 1 runs now (run {first.run_id} of 'copy')."
    )
    assert (full["run_id"], full["task"], full["since"]) == (first.run_id, "copy", told["slot"])
    now, estimate = (datetime.fromisoformat(text) for text in (told["now"], limited["estimate"]))
    assert timedelta(minutes=50) < estimate - now < timedelta(minutes=60)


async def test_api_integration_explain_run_tells_to_whom_it_was_given(
    api: Api, store: Store, database_url: str
) -> None:
    """A run that is meant for one worker waits for that one, and as soon as that drains for another one like it."""
    await start_dispatcher(store)
    chosen = await open_session(store, worker_id="chosen", tags=("gpu",))
    await open_session(store)
    [run] = await create_runs(store, build_plan(await create_task(store, required_tags=("gpu",))))
    await build_window(store).look()
    told = await explain(api, f"task-runs/{run.run_id}")
    assert (codes(told), told["is_blocked"]) == (["ASSIGNED"], False)
    assert told["blockers"][0]["message"].startswith("It was given to worker 'chosen' at ")
    async with store.autocommit() as work:
        await work.worker_sessions.renew(chosen, draining=True)
    told = await explain(api, f"task-runs/{run.run_id}")
    assert (codes(told), told["is_blocked"]) == (["NO_TAGGED_WORKER"], True)


async def test_api_integration_explain_run_counts_what_is_about_to_be_released(api: Api, store: Store) -> None:
    """A plain run learns of a gated one that the next look puts before it, and takes the only place."""
    await start_dispatcher(store)
    await open_session(store, places=1)
    [gated] = await create_runs(store, build_plan(await create_task(store, fairness_key="'x'", priority=9)))
    async with store.transaction() as work:
        await work.dispatch.hold_window()
        await work.dispatch.sort([keyed(run) for run in await work.dispatch.gated(10)])
    [plain] = await create_runs(store, build_plan(await create_task(store)))
    assert codes(await explain(api, f"task-runs/{gated.run_id}")) == []
    assert codes(await explain(api, f"task-runs/{plain.run_id}")) == ["PLACES_BUSY"]


async def test_api_integration_explain_run_tells_its_story(api: Api, store: Store) -> None:
    """An ended run has no blockers; its story names what it waited for, who took it, and its attempts."""
    first, second = await create_task(store, name="extract"), await create_task(store, name="load")
    members = (
        FlowMember(
            task_id=first.id,
            task_version_id=first.task_version_id,
            status=TaskRunStatus.DISPATCHED,
            needs_settlement=True,
        ),
        FlowMember(
            task_id=second.id,
            task_version_id=second.task_version_id,
            status=TaskRunStatus.PENDING,
            waiting_on=1,
            upstreams=1,
        ),
    )
    root, waiting = await create_runs(store, FlowPlan(members, ((0, 1),)))
    session = await open_session(store, worker_id="worker-a")
    [claimed] = await claim(store, session)
    assert codes(await explain(api, f"task-runs/{waiting.run_id}")) == ["DISPATCHER_DOWN", "UPSTREAM"]
    async with store.autocommit() as work:
        await work.task_runs.finish(session, [report(claimed)])
        await work.task_runs.settle(10)
    [claimed] = await claim(store, session)
    async with store.autocommit() as work:
        await work.task_runs.finish(session, [report(claimed, TaskRunStatus.FAILED, error="no such file")])
    told = await explain(api, f"task-runs/{waiting.run_id}")
    assert (told["status"], told["blockers"], told["is_blocked"]) == ("FAILED", [], False)
    made, inputs, taken, ended = [part["message"] for part in told["story"]]
    assert made == f"Made as a part of flow {root.run_id}."
    assert inputs == (
        f"Its trigger rule all_success looked at 1 run upstream: run {root.run_id} of 'extract' COMPLETED."
    )
    assert taken.startswith(
        "Attempt 1 was taken by worker 'worker-a' from queue 'default', type 'python', priority 5, "
    )
    assert ended.startswith("FAILED after ")
    assert ended.endswith(": no such file")
    assert all(part["at"] for part in told["story"])


async def test_api_integration_explain_tells_where_the_runs_of_a_group_stand(
    api: Api, store: Store, database_url: str
) -> None:
    """Of a group that was run again in part: what was taken over counts as ended, and the others are counted."""
    await start_dispatcher(store)
    session = await open_session(store)
    _, runs = await create_flow(store, {"parts": ()}, parts={"shards": 7})
    statuses = ["COMPLETED", "RUNNING", "DISPATCHED", "PENDING", "PENDING"]
    members = add_members(database_url, runs["parts"], statuses, session)
    set_runs(database_url, [runs["parts"]], status="PENDING", group_size=7, waiting_on=4, expands=None)
    set_runs(database_url, members[3:4], waiting_on=1)
    set_runs(database_url, members[4:], not_before=datetime.now(UTC) + MINUTE)
    told = await explain(api, f"task-runs/{runs['parts']}")
    assert codes(told) == ["GROUP_RUNNING"]
    assert told["blockers"][0]["message"] == (
        "It stands for 7 runs, of which 3 have ended (2 taken over), and runs nothing itself: 1 running, 1 waiting for "
        "a worker to take them, 1 waiting for a place in the group, 1 backing off."
    )


async def test_api_integration_explain_task_tells_what_starts_it(api: Api, store: Store) -> None:
    """Without schedule and dependencies only a trigger does; the newest runs that wait come with their blockers."""
    task = await create_task(store, name="report")
    runs = await create_runs(store, build_plan(task), copies=7)
    told = await explain(api, "tasks/report")
    assert codes(told) == ["DISPATCHER_DOWN", "NO_START"]
    assert [run["run_id"] for run in told["runs"]] == [run.run_id for run in reversed(runs[-5:])]
    assert [blocker["code"] for blocker in told["runs"][0]["blockers"]] == ["NO_WORKER"]
    assert told["summary"].endswith("7 runs have not begun.")


async def test_api_integration_explain_task_knows_the_tasks_in_whose_place_it_runs(api: Api, store: Store) -> None:
    """A task without a schedule that is another's sub-flow is started by that one."""
    await start_dispatcher(store)
    await create_task(store, name="part")
    await create_task(store, name="whole", task_type="flow", sub_flow="part")
    told = await explain(api, "tasks/part")
    assert (codes(told), told["is_blocked"]) == ([], False)
    assert told["summary"] == "Task 'part' is ACTIVE. It runs as the sub-flow of 'whole'. 0 runs have not begun."


async def test_api_integration_explain_task_warns_that_a_slot_will_be_skipped(api: Api, store: Store) -> None:
    """With overlap = "skip" a run that has not ended costs the next slot, unless it ends before."""
    await start_dispatcher(store)
    due = next_run_after(MINUTELY, datetime.now(UTC))
    task = await create_task(store, name="minutely", schedule=MINUTELY, next_due=due, overlap=OverlapPolicy.SKIP)
    assert codes(await explain(api, "tasks/minutely")) == ["NOT_DUE"]
    [run] = await create_runs(store, build_plan(task))
    told = await explain(api, "tasks/minutely")
    assert codes(told) == ["NOT_DUE", "OVERLAP"]
    assert (told["blockers"][1]["blocks"], told["blockers"][1]["run_id"]) == (False, run.run_id)


async def test_api_integration_explain_story_lists_what_its_rule_was_judged_by(
    api: Api, store: Store, database_url: str
) -> None:
    """Runs that end after the rule held were not waited for; a tolerated failure counts as a success."""
    [first, second, third] = [await create_task(store, name=name) for name in ("first", "second", "third")]
    task = await create_task(store, name="report")
    begins = [
        FlowMember(task_id=one.id, task_version_id=one.task_version_id, status=TaskRunStatus.DISPATCHED,
                   needs_settlement=True)
        for one in (first, second, third)
    ]  # fmt: skip
    member = FlowMember(task_id=task.id, task_version_id=task.task_version_id, status=TaskRunStatus.PENDING,
                        waiting_on=3, upstreams=3, trigger_rule="at_least(2)")  # fmt: skip
    runs = await create_runs(store, FlowPlan((*begins, member), ((0, 3), (1, 3), (2, 3))))
    ids = {run.task_id: run.run_id for run in runs}
    a, b, c, subject = (ids[one.id] for one in (first, second, third, task))
    session = await open_session(store)
    claimed = {run.id: run for run in await claim(store, session)}
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE scheduler.task_run_dependencies SET tolerant = true WHERE run_id = %s AND upstream_run_id = %s",
            [subject, c],
        )

    async def end(run_id: int, status: TaskRunStatus) -> None:
        async with store.autocommit() as work:
            await work.task_runs.finish(session, [report(claimed[run_id], status)])
            await work.task_runs.settle(10)

    await end(b, TaskRunStatus.COMPLETED)
    waiting = (await explain(api, f"task-runs/{subject}"))["story"][1]["message"]
    assert (
        waiting
        == f"Its trigger rule at_least(2) looks at 3 runs upstream; ended so far: run {b} of 'second' COMPLETED."
    )
    await end(c, TaskRunStatus.FAILED)
    await end(a, TaskRunStatus.COMPLETED)
    told = (await explain(api, f"task-runs/{subject}"))["story"][1]["message"]
    assert told == (
        f"Its trigger rule at_least(2) looked at 2 runs upstream: run {b} of 'second' COMPLETED, run {c} of 'third' "
        f"FAILED (its failure counts as a success). Not waited for: run {a} of 'first'."
    )


async def test_api_integration_explain_task_tells_when_it_is_due(api: Api, store: Store) -> None:
    """A schedule's next slot, one that has none left, and one that waits for the end of a run."""
    await start_dispatcher(store)
    now = datetime.now(UTC)
    due = next_run_after(MINUTELY, now)
    assert due is not None
    await create_task(store, name="minutely", schedule=MINUTELY, next_due=due)
    await create_task(store, name="over", schedule=Schedule(cron="* * * * *", valid_until=now), next_due=None)
    told = await explain(api, "tasks/minutely")
    assert (codes(told), told["blockers"][0]["estimate"]) == (["NOT_DUE"], due.isoformat().replace("+00:00", "Z"))
    assert codes(await explain(api, "tasks/over")) == ["EXHAUSTED"]


async def test_api_integration_explain_slot_tells_what_became_of_it(api: Api, store: Store) -> None:
    """A slot with its run, slots without one, one to come, and an instant that is none."""
    await start_dispatcher(store)
    await open_session(store)
    past = datetime.now(UTC).replace(second=0, microsecond=0) - 3 * MINUTE
    async with store.transaction() as work:
        task = await create_task_at(work, past)
    service = ScheduleService(store, Ringer(store, InMemoryMessageQueue()), batch=100, interval_seconds=10.0)
    while await service.look() == 0.0:
        pass
    missed = await explain(api, f"tasks/{task}", slot=(past + MINUTE).isoformat())
    assert (missed["status"], codes(missed), missed["run_id"]) == ("MISSED", ["MISSED"], None)
    assert 'misfire = "latest"' in missed["blockers"][0]["message"]
    async with store.autocommit() as work:
        [run] = await work.task_runs.page(task_id=task)
    ran = await explain(api, f"tasks/{task}", slot=run.scheduled_at.isoformat())
    assert (ran["status"], ran["run_id"], ran["blockers"]) == ("DISPATCHED", run.id, [])
    assert ran["story"][0]["message"].startswith("Made for the slot ")
    later = run.scheduled_at + 60 * MINUTE
    assert codes(await explain(api, f"tasks/{task}", slot=later.isoformat())) == ["NOT_DUE"]
    between = await explain(api, f"tasks/{task}", slot=(past + MINUTE / 2).isoformat())
    assert codes(between) == ["NO_SLOT"]
    assert f"the one before is {past:%Y-%m-%d %H:%M:%S} UTC" in between["blockers"][0]["message"]
    before = await explain(api, f"tasks/{task}", slot=(past - 600 * MINUTE).isoformat())
    assert codes(before) == ["NO_SLOT"]


async def create_task_at(work: Any, since: datetime) -> int:
    """The id of a task that was created a while ago and is due since."""
    (task,) = await work.tasks.create(
        [build_definition(name="ticking", schedule=MINUTELY)], [next_run_after(MINUTELY, since)], since
    )
    task_id: int = task.id
    return task_id


async def test_api_integration_explain_refuses_what_is_not_there(api: Api, store: Store) -> None:
    """Unknown runs and tasks are 404, a slot that is no instant is 422 and says how one is written."""
    await create_task(store, name="report")
    assert (await api.get("/api/v1/task-runs/999/explain")).status_code == 404
    assert (await api.get("/api/v1/tasks/nothing/explain")).status_code == 404
    refused = await api.get("/api/v1/tasks/report/explain", params={"slot": "noon"})
    assert refused.status_code == 422
    assert "2027-01-31T09:00:00Z" in refused.text
