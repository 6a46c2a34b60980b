"""Groups: shards, maps, broadcasts and sub-flows, from their expansion to what their runs downstream know."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest

from fixtures.factories import build_definition, claim, open_session
from fixtures.flow_driver import FlowDriver, Job
from fixtures.waiting import wait_until_blocked
from scheduler_core.interfaces import Store
from scheduler_core.models import ClaimedRun, Lane, SkipReason, TaskRun, TaskRunStatus
from scheduler_core.models.expansion import Expansion, GroupMember
from scheduler_dispatcher import expansion_service

COMPLETED, FAILED, SKIPPED, CANCELLED = (
    TaskRunStatus.COMPLETED,
    TaskRunStatus.FAILED,
    TaskRunStatus.SKIPPED,
    TaskRunStatus.CANCELLED,
)


@pytest.fixture
def flow(store: Store) -> FlowDriver:
    """Nothing defined yet."""
    return FlowDriver(store)


def statuses(runs: dict[str, list[TaskRun]], name: str) -> list[TaskRunStatus]:
    """The head's first, then those of its runs."""
    return [run.status for run in runs[name]]


async def results(flow: FlowDriver, run: TaskRun) -> Any:
    """What the run knows of its single upstream group."""
    async with flow.store.autocommit() as work:
        (upstream,) = (await work.flows.inputs([run.id]))[run.id].upstream
    return list(upstream.results) if upstream.results is not None else upstream.result


async def test_dispatcher_integration_shards_run_as_a_group(flow: FlowDriver) -> None:
    """Each shard knows its place; downstream waits for all of them and has their results in order."""
    await flow.task("load", shards=3)
    await flow.task("report", "load")
    seen = []

    def job(name: str, run: ClaimedRun) -> Job:
        seen.append((name, run.shard_index, run.shard_total))
        return Job(f"{name} {run.shard_index}")

    runs = await flow.carry_out(await flow.trigger("load"), job)
    assert seen == [("load", 0, 3), ("load", 1, 3), ("load", 2, 3), ("report", None, None)]
    assert statuses(runs, "load") == [COMPLETED] * 4
    head, *members = runs["load"]
    assert (head.group_size, head.attempt, {run.group_id for run in members}) == (3, 0, {head.id})
    assert await results(flow, runs["report"][0]) == ["load 0", "load 1", "load 2"]


async def test_dispatcher_integration_map_runs_once_for_each_item(flow: FlowDriver) -> None:
    """The items are what the expression gives over the upstream result."""
    await flow.task("list")
    await flow.task("copy", "list", map_over="upstream.list.result.files")
    await flow.task("sum", "copy")

    def job(name: str, run: ClaimedRun) -> Job:
        return Job({"files": ["a", {"b": 1}]} if name == "list" else run.item)

    runs = await flow.carry_out(await flow.trigger("list"), job)
    assert [run.item for run in runs["copy"]] == [None, "a", {"b": 1}]
    assert await results(flow, runs["sum"][0]) == ['"a"', '{"b": 1}']


async def test_dispatcher_integration_map_over_nothing_is_complete(flow: FlowDriver) -> None:
    """An empty list makes a group of no runs, which has completed."""
    await flow.task("list")
    await flow.task("copy", "list", map_over="upstream.list.result")
    await flow.task("sum", "copy")
    runs = await flow.carry_out(await flow.trigger("list"), lambda name, run: Job([]))
    assert statuses(runs, "copy") == [COMPLETED]
    assert runs["copy"][0].group_size == 0
    assert await results(flow, runs["sum"][0]) == []


@pytest.mark.parametrize(
    ("result", "problem"),
    [({"a": 1}, "map_over is no list but an object"), (7, "no list but a number"), (None, "no list but null")],
)
async def test_dispatcher_integration_map_over_something_else_fails(
    flow: FlowDriver, result: Any, problem: str
) -> None:
    """What is no list fails the group with a sentence, and what needs it is skipped."""
    await flow.task("list")
    await flow.task("copy", "list", map_over="upstream.list.result")
    await flow.task("sum", "copy")
    runs = await flow.carry_out(await flow.trigger("list"), lambda name, run: Job(result))
    assert statuses(runs, "copy") == [FAILED]
    assert problem in str(runs["copy"][0].error)
    assert runs["sum"][0].skip_reason is SkipReason.UPSTREAM_FAILED


async def test_dispatcher_integration_group_runs_no_more_than_its_bound_at_once(flow: FlowDriver) -> None:
    """As one run ends the next one gets its place, until all have run."""
    await flow.task("load", shards=7, max_parallel=2)
    flow_id = await flow.trigger("load")
    runs = await flow.carry_out(flow_id, places=10)
    assert statuses(runs, "load") == [COMPLETED] * 8
    assert flow.most_at_once == 2


async def test_dispatcher_integration_group_gives_up_after_too_many_failures(flow: FlowDriver) -> None:
    """What had not started is skipped, the group fails, and a tolerated number of failures does not fail it."""
    await flow.task("load", shards=6, max_parallel=1, tolerated_failures=1)
    await flow.task("clean", "load", trigger_rule="one_failed")
    runs = await flow.carry_out(
        await flow.trigger("load"), lambda name, run: Job(succeeds=run.shard_index not in (1, 3))
    )
    assert statuses(runs, "load") == [FAILED, COMPLETED, FAILED, COMPLETED, FAILED, SKIPPED, SKIPPED]
    assert {run.skip_reason for run in runs["load"][-2:]} == {SkipReason.GROUP_FAILED}
    assert "4 of the group's 6 runs did not complete" in str(runs["load"][0].error)
    assert statuses(runs, "clean") == [COMPLETED]

    runs = await flow.carry_out(await flow.trigger("load"), lambda name, run: Job(succeeds=run.shard_index != 3))
    assert statuses(runs, "load") == [COMPLETED, COMPLETED, COMPLETED, COMPLETED, FAILED, COMPLETED, COMPLETED]
    assert runs["clean"][0].skip_reason is SkipReason.RULE_UNMET


async def test_dispatcher_integration_group_does_not_count_who_ends_upstream_later(flow: FlowDriver) -> None:
    """A group that starts as soon as one upstream run is complete waits for its own runs alone from then on."""
    await flow.task("begin")
    await flow.task("quick", "begin")
    await flow.task("slow", "begin")
    await flow.task("load", "quick", "slow", trigger_rule="one_success", shards=2)
    flow_id = await flow.trigger("begin")
    session = await open_session(flow.store)
    (begin,) = await claim(flow.store, session)
    await flow.end(session, begin)
    quick, slow = await claim(flow.store, session)
    await flow.end(session, quick)
    await flow.look()
    await flow.end(session, slow, Job(succeeds=False))
    head = (await flow.runs(flow_id))["load"][0]
    assert (head.status, head.waiting_on) == (TaskRunStatus.PENDING, 2)
    for run in await claim(flow.store, session):
        await flow.end(session, run)
    assert statuses(await flow.runs(flow_id), "load") == [COMPLETED] * 3


async def test_dispatcher_integration_broadcast_runs_at_every_worker(flow: FlowDriver) -> None:
    """One run for each live worker of the queue; nobody else can take it."""
    store = flow.store
    first = await open_session(store, worker_id="first", queues=("default", "@first"))
    second = await open_session(store, worker_id="second", queues=("default", "@second"))
    await open_session(store, worker_id="other", queues=("gpu", "@other"))
    await flow.task("flush", broadcast=True)
    flow_id = await flow.trigger("flush")
    await flow.look()
    assert await claim(store, first, 10, Lane("default", "python")) == []
    (run,) = await claim(store, first, 10, Lane("@first", "python"))
    (other,) = await claim(store, second, 10, Lane("@second", "python"))
    assert {run.item, other.item} == {'"first"', '"second"'}
    runs = await flow.runs(flow_id)
    assert [run.queue for run in runs["flush"]] == ["default", "@first", "@second"]


async def test_dispatcher_integration_broadcast_without_a_worker_fails(flow: FlowDriver) -> None:
    """There is nobody to run it."""
    await flow.task("flush", broadcast=True)
    flow_id = await flow.trigger("flush")
    await flow.look()
    (run,) = (await flow.runs(flow_id))["flush"]
    assert (run.status, run.error) == (
        FAILED,
        "There is no live worker for queue 'default' and task type 'python' to broadcast to.",
    )


async def test_dispatcher_integration_broadcast_gives_up_a_worker_that_is_gone(flow: FlowDriver) -> None:
    """A minute after its worker has ended its run is skipped; a queue whose name looks alike is left alone."""
    store = flow.store
    session = await open_session(store, worker_id="gone", queues=("default", "@gone"))
    await open_session(store, worker_id="old", queues=("default",))  # of a version that knows no broadcast
    await flow.task("flush", broadcast=True)
    await flow.task("quick", queue="1fast")
    flow_id, other = await flow.trigger("flush"), await flow.trigger("quick")
    await flow.look()
    async with store.autocommit() as work:
        await work.worker_sessions.close(session)
        await work.flows.give_up_orphans()
        runs = (await flow.runs(flow_id))["flush"]
        assert [run.status for run in runs] == [TaskRunStatus.PENDING, TaskRunStatus.DISPATCHED]
        await work.flows.give_up_orphans(now=datetime.now(UTC) + timedelta(seconds=90))
    head, member = (await flow.runs(flow_id))["flush"]
    assert (member.status, member.skip_reason, head.status) == (SKIPPED, SkipReason.WORKER_GONE, FAILED)
    assert (await flow.runs(other))["quick"][0].status is TaskRunStatus.DISPATCHED


async def test_dispatcher_integration_expansion_takes_no_more_than_it_can_hold(flow: FlowDriver) -> None:
    """A look that has made enough runs leaves the rest for the next one, which comes at once."""
    await flow.task("load", shards=4)
    flows = [await flow.trigger("load") for _ in range(3)]
    with patch.object(expansion_service, "_MEMBERS_MAX", 5):
        assert await flow.expansion.look() == 0.0
        made = [len((await flow.runs(flow_id))["load"]) for flow_id in flows]
        assert made == [5, 5, 1]
        await flow.expansion.look()
    assert [len((await flow.runs(flow_id))["load"]) for flow_id in flows] == [5, 5, 5]


async def test_dispatcher_integration_sub_flow_stands_in_one_place(flow: FlowDriver) -> None:
    """A sub-flow runs as a whole, and its last results are known by their tasks."""
    await flow.task("part")
    await flow.task("part-2", "part")
    await flow.task("begin")
    await flow.task("etl", "begin", task_type="flow", sub_flow="part")
    await flow.task("end", "etl")
    order = []

    def job(name: str, run: ClaimedRun) -> Job:
        order.append(name)
        return Job(name.upper())

    runs = await flow.carry_out(await flow.trigger("begin"), job)
    assert order == ["begin", "part", "part-2", "end"]
    assert statuses(runs, "etl") == [COMPLETED]
    assert {run.group_id for name in ("part", "part-2") for run in runs[name]} == {runs["etl"][0].id}
    assert await results(flow, runs["end"][0]) == {"part-2": "PART-2"}


async def test_dispatcher_integration_sub_flow_that_recovers_has_not_failed(flow: FlowDriver) -> None:
    """The last runs decide: a failure that another branch takes up is none."""
    await flow.task("part")
    await flow.task("mend", "part", trigger_rule="one_failed")
    await flow.task("etl", task_type="flow", sub_flow="part")
    runs = await flow.carry_out(await flow.trigger("etl"), lambda name, run: Job(succeeds=name != "part"))
    assert (runs["part"][0].status, runs["mend"][0].status, runs["etl"][0].status) == (FAILED, COMPLETED, COMPLETED)

    runs = await flow.carry_out(await flow.trigger("etl"), lambda name, run: Job(succeeds=name == "nobody"))
    assert runs["etl"][0].status is FAILED
    assert runs["etl"][0].error == "The sub-flow failed: 1 of the runs that nothing waits for did not complete."


async def test_dispatcher_integration_sub_flow_that_ends_in_a_false_condition_has_not_failed(flow: FlowDriver) -> None:
    """A last run that was skipped without a failure is none."""
    await flow.task("part")
    await flow.task("never", "part", when="params.limit > 2", parameters={"limit": 1})
    await flow.task("etl", task_type="flow", sub_flow="part")
    runs = await flow.carry_out(await flow.trigger("etl"))
    assert (runs["never"][0].status, runs["etl"][0].status) == (SKIPPED, COMPLETED)


async def test_dispatcher_integration_condition_decides_before_a_worker_is_asked(flow: FlowDriver) -> None:
    """A false condition skips the run without a failure, a true one lets it start, a broken one fails it."""
    await flow.task("count")
    await flow.task("many", "count", when="upstream.count.result > params.limit", parameters={"limit": 10})
    await flow.task("few", "count", when="upstream.count.result <= 10")
    await flow.task("odd", "count", when="upstream.count.result.nothing")
    await flow.task("after", "many", "few", trigger_rule="none_failed")
    runs = await flow.carry_out(await flow.trigger("count"), lambda name, run: Job(3))
    assert (runs["many"][0].status, runs["many"][0].skip_reason) == (SKIPPED, SkipReason.WHEN_FALSE)
    assert [runs[name][0].status for name in ("few", "odd", "after")] == [COMPLETED, FAILED, COMPLETED]
    assert "nothing" in str(runs["odd"][0].error)


async def test_dispatcher_integration_group_is_cancelled_with_its_runs(flow: FlowDriver) -> None:
    """What waits is cancelled at once, what runs is told to stop, and the group is cancelled when that has ended."""
    await flow.task("load", shards=4, max_parallel=2)
    await flow.task("after", "load", trigger_rule="all_done")
    flow_id = await flow.trigger("load")
    await flow.look()
    session = await open_session(flow.store)
    (running,) = await claim(flow.store, session, 1)
    async with flow.store.autocommit() as work:
        # The group stands for its runs, whatever they do.
        assert await work.task_runs.active([flow.tasks["load"].id]) == [(flow.tasks["load"].id, flow_id)]
        (change,) = await work.task_runs.cancel([flow_id])
        await work.task_runs.settle(100)
        assert await work.task_runs.sessions_of([flow_id]) == [session]
        # Its slot is still taken: who does not overlap waits.
        assert await work.task_runs.active([flow.tasks["load"].id]) == [(flow.tasks["load"].id, flow_id)]
    assert (change.run_id, change.status) == (flow_id, TaskRunStatus.PENDING)
    runs = await flow.runs(flow_id)
    assert statuses(runs, "load") == [
        TaskRunStatus.PENDING, TaskRunStatus.RUNNING, CANCELLED, CANCELLED, CANCELLED
    ]  # fmt: skip
    assert next(run for run in runs["load"] if run.id == running.id).cancel_requested
    assert runs["after"][0].status is TaskRunStatus.PENDING
    await flow.end(session, running, Job(succeeds=False))
    runs = await flow.runs(flow_id)
    assert statuses(runs, "load") == [CANCELLED] * 5
    assert runs["after"][0].status is TaskRunStatus.DISPATCHED


async def test_dispatcher_integration_group_that_is_cancelled_while_it_is_made(
    flow: FlowDriver, second_store: Store, database_url: str
) -> None:
    """A cancel that waits for the expansion to be committed reaches the runs that this has made."""
    await flow.task("load", shards=3)
    flow_id = await flow.trigger("load")
    async with flow.store.transaction() as work:
        (run,) = await work.flows.take_expandable(10)
        await work.flows.expand([Expansion(run_id=run.id, members=(GroupMember(),) * 3)])

        async def cancel() -> None:
            async with second_store.autocommit() as other:
                await other.task_runs.cancel([flow_id])

        cancelling = asyncio.create_task(cancel())
        await wait_until_blocked(database_url)
        assert not cancelling.done()
    await cancelling
    await flow.look()
    assert statuses(await flow.runs(flow_id), "load") == [CANCELLED] * 4


async def test_dispatcher_integration_place_in_a_group_is_not_lost(
    flow: FlowDriver, second_store: Store, database_url: str
) -> None:
    """When the run that is to have the place is cancelled in that moment, the next one has it."""
    await flow.task("load", shards=4, max_parallel=1, tolerated_failures=3)
    flow_id = await flow.trigger("load")
    await flow.look()
    session = await open_session(flow.store)
    (first,) = await claim(flow.store, session)
    waiting = [run.id for run in (await flow.runs(flow_id))["load"][2:]]
    async with second_store.transaction() as other:
        await other.task_runs.cancel([waiting[0]])
        ending = asyncio.create_task(flow.end(session, first))
        await wait_until_blocked(database_url)
        assert not ending.done()
    await ending
    await flow.look()
    (second,) = await claim(flow.store, session)
    assert second.id == waiting[1]


async def test_dispatcher_integration_group_keeps_the_definition_that_it_was_made_with(flow: FlowDriver) -> None:
    """A change of the task, even into something else, leaves a group that has its runs alone."""
    await flow.task("load", shards=3, max_parallel=1)
    flow_id = await flow.trigger("load")
    await flow.look()
    changed = build_definition(name="load", task_type="shell", queue="other")
    async with flow.store.transaction() as work:
        await work.tasks.update([flow.tasks["load"].id], [changed], [None])
    runs = await flow.carry_out(flow_id)
    assert statuses(runs, "load") == [COMPLETED] * 4
    assert {run.queue for run in runs["load"]} == {"default"}


@pytest.mark.parametrize(
    "map_over", ["['a\\x00b']", "['\\ud800']", "[{'\\x00': 1}]", "[1] * (10 ** 9)", "['a'].nothing"]
)
async def test_dispatcher_integration_bad_expression_fails_its_run_alone(flow: FlowDriver, map_over: str) -> None:
    """Whatever comes of an expression, the run fails with a sentence, and the others go on."""
    await flow.task("bad", map_over=map_over)
    await flow.task("good", shards=2)
    bad, good = await flow.trigger("bad"), await flow.trigger("good")
    assert statuses(await flow.carry_out(good), "good") == [COMPLETED] * 3
    (run,) = (await flow.runs(bad))["bad"]
    assert (run.status, run.error is None) == (FAILED, False)


async def test_dispatcher_integration_refused_expansion_fails_its_run_alone(flow: FlowDriver) -> None:
    """What the database refuses of one run does not keep the others from being expanded."""
    await flow.task("bad", map_over="['x']")
    await flow.task("good", shards=2)
    bad, good = await flow.trigger("bad"), await flow.trigger("good")
    with patch("scheduler_core.decisions.expansion_rules._item", return_value="no JSON"):
        await flow.look()
    assert statuses(await flow.carry_out(good), "good") == [COMPLETED] * 3
    (run,) = (await flow.runs(bad))["bad"]
    assert run.status is FAILED
    assert str(run.error).startswith("It cannot be expanded: ")


async def test_dispatcher_integration_paused_task_is_not_expanded(flow: FlowDriver) -> None:
    """A group waits while its task is paused, and is made when it is resumed."""
    await flow.task("load", shards=2)
    async with flow.store.transaction() as work:
        await work.tasks.set_status([flow.tasks["load"].id], flow.tasks["load"].status.__class__.PAUSED)
    flow_id = await flow.trigger("load")
    await flow.look()
    assert len((await flow.runs(flow_id))["load"]) == 1
    async with flow.store.transaction() as work:
        await work.tasks.set_status([flow.tasks["load"].id], flow.tasks["load"].status.__class__.ACTIVE)
    assert statuses(await flow.carry_out(flow_id), "load") == [COMPLETED] * 3


async def test_dispatcher_integration_group_within_a_sub_flow(flow: FlowDriver) -> None:
    """Groups nest: a map in a sub-flow ends before the sub-flow does."""
    await flow.task("part")
    await flow.task("copies", "part", map_over="upstream.part.result")
    await flow.task("etl", task_type="flow", sub_flow="part")
    await flow.task("end", "etl")
    runs = await flow.carry_out(await flow.trigger("etl"), lambda name, run: Job([1, 2]))
    assert statuses(runs, "copies") == [COMPLETED] * 3
    assert [runs[name][0].status for name in ("etl", "end")] == [COMPLETED, COMPLETED]
