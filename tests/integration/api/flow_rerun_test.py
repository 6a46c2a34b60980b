"""Flows that are run again: wholly, from what failed, and from a task on."""

from collections.abc import Sequence
from typing import Any

import pytest

from fixtures.factories import build_definition
from fixtures.flow_driver import FlowDriver, Job
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from scheduler_api.flow_rerun_service import FlowRerunService
from scheduler_api.schemas.flow_schema import RerunFlow
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.errors import FlowNotFoundError, FlowStateError, InvalidInputError
from scheduler_core.interfaces import Store
from scheduler_core.models import ClaimedRun, TaskRun, TaskRunStatus
from scheduler_core.runtime import SystemClock

COMPLETED, FAILED, SKIPPED = TaskRunStatus.COMPLETED, TaskRunStatus.FAILED, TaskRunStatus.SKIPPED


class Reruns:
    """A flow driver, the service, and which jobs fail now."""

    def __init__(self, store: Store) -> None:
        self.flow = FlowDriver(store)
        self.service = FlowRerunService(store, SystemClock(), WorkRinger(store, InMemoryMessageQueue()))
        self.failing: set[tuple[str, int | None]] = set()
        self.ran: list[str] = []

    def job(self, name: str, run: ClaimedRun) -> Job:
        """Remember it, and fail where that is asked for."""
        self.ran.append(name if run.shard_index is None else f"{name}.{run.shard_index}")
        number = len(self.ran)
        return Job([number, number], (name, run.shard_index) not in self.failing)

    async def carry_out(self, flow_id: int) -> dict[str, list[TaskRun]]:
        """Work until the flow has ended; `ran` are the jobs of this flow then."""
        self.ran = []
        return await self.flow.carry_out(flow_id, self.job)

    async def rerun(self, flow_id: int, start: str, *tasks: str) -> dict[str, list[TaskRun]]:
        """Run a flow again, and work until that has ended."""
        return await self.carry_out((await self.asked(flow_id, start, tasks)).flow_id)

    async def asked(self, flow_id: int, start: str, tasks: Sequence[str] = ()) -> RerunFlow:
        """Ask for a rerun."""
        document: dict[str, Any] = {"from": start, **({"tasks": list(tasks)} if tasks else {})}
        return (await self.service.rerun(str(flow_id), document, None)).result


@pytest.fixture
def reruns(store: Store) -> Reruns:
    """Nothing defined yet."""
    return Reruns(store)


async def diamond(reruns: Reruns) -> int:
    """a → b, c → d; b fails, so d is skipped. The ended flow's id."""
    for name, after in (("a", ()), ("b", ("a",)), ("c", ("a",)), ("d", ("b", "c"))):
        await reruns.flow.task(name, *after)
    reruns.failing = {("b", None)}
    flow_id = await reruns.flow.trigger("a", {"day": 1})
    runs = await reruns.carry_out(flow_id)
    assert [runs[name][0].status for name in "abcd"] == [COMPLETED, FAILED, COMPLETED, SKIPPED]
    reruns.failing = set()
    return flow_id


async def test_api_integration_flow_rerun_from_the_failed_runs(reruns: Reruns) -> None:
    """What failed and what was skipped for it runs, and knows the results of what is kept."""
    flow_id = await diamond(reruns)
    runs = await reruns.rerun(flow_id, "failed")
    assert reruns.ran == ["b", "d"]
    assert [runs[name][0].status for name in ("b", "d")] == [COMPLETED, COMPLETED]
    old = await reruns.flow.runs(flow_id)
    assert runs["b"][0].retry_of == old["b"][0].id
    async with reruns.flow.store.autocommit() as work:
        inputs = await work.flows.inputs([runs["d"][0].id])
    assert {run.task_name: run.run_id for run in inputs[runs["d"][0].id].upstream} == {
        "b": runs["b"][0].id,
        "c": old["c"][0].id,
    }


async def test_api_integration_flow_rerun_of_a_rerun(reruns: Reruns) -> None:
    """A rerun that fails again can be run again: from what failed, and from its start."""
    flow_id = await diamond(reruns)
    reruns.failing = {("d", None)}
    runs = await reruns.rerun(flow_id, "failed")
    second = runs["b"][0].flow_id
    reruns.failing = set()
    runs = await reruns.rerun(second, "failed")
    assert (reruns.ran, runs["d"][0].status) == (["d"], COMPLETED)
    runs = await reruns.rerun(second, "start")
    assert (reruns.ran, runs["d"][0].status) == (["b", "d"], COMPLETED)


async def test_api_integration_flow_rerun_from_the_start(reruns: Reruns) -> None:
    """Everything runs once more, with the parameters that the flow was begun with."""
    flow_id = await diamond(reruns)
    runs = await reruns.rerun(flow_id, "start")
    assert reruns.ran == ["a", "b", "c", "d"]
    assert runs["a"][0].parameters == {"day": 1}
    assert runs["a"][0].retry_of == flow_id


async def test_api_integration_flow_rerun_from_a_task(reruns: Reruns) -> None:
    """The task and all that is downstream of it run, also when they had completed."""
    flow_id = await diamond(reruns)
    runs = await reruns.rerun(flow_id, "tasks", "c")
    assert reruns.ran == ["c"]
    assert runs["d"][0].status is SKIPPED  # b has failed, and was not run again
    await reruns.rerun(flow_id, "tasks", "c", "b")
    assert sorted(reruns.ran) == ["b", "c", "d"]


async def test_api_integration_flow_rerun_of_single_runs_of_a_group(reruns: Reruns) -> None:
    """Of a map only what failed runs again; what reduces it has all results in their places."""
    flow = reruns.flow
    await flow.task("list")
    await flow.task("copy", "list", map_over="[10, 20, 30, 40]", max_parallel=1, tolerated_failures=1)
    await flow.task("sum", "copy")
    reruns.failing = {("copy", 1), ("copy", 2)}
    flow_id = await flow.trigger("list")
    runs = await reruns.carry_out(flow_id)
    assert [run.status for run in runs["copy"]] == [FAILED, COMPLETED, FAILED, FAILED, SKIPPED]
    reruns.failing = set()
    old = {run.shard_index: run.result for run in runs["copy"][1:]}
    runs = await reruns.rerun(flow_id, "failed")
    assert reruns.ran == ["copy.1", "copy.2", "copy.3", "sum"]
    assert [run.status for run in runs["copy"]] == [COMPLETED] * 4
    assert [run.item for run in runs["copy"]] == [None, 20, 30, 40]
    new = {run.shard_index: run.result for run in runs["copy"][1:]}
    async with flow.store.autocommit() as work:
        (upstream,) = (await work.flows.inputs([runs["sum"][0].id]))[runs["sum"][0].id].upstream
    assert upstream.results == (old[0], new[1], new[2], new[3])

    runs = await reruns.rerun(flow_id, "tasks", "list")
    assert reruns.ran == ["list", "copy.0", "copy.1", "copy.2", "copy.3", "sum"]


async def test_api_integration_flow_rerun_within_a_sub_flow(reruns: Reruns) -> None:
    """What failed within a sub-flow runs again in its place, and what waits for the sub-flow after it."""
    flow = reruns.flow
    await flow.task("part")
    await flow.task("part-2", "part")
    await flow.task("etl", task_type="flow", sub_flow="part")
    await flow.task("end", "etl")
    reruns.failing = {("part-2", None)}
    flow_id = await flow.trigger("etl")
    assert (await reruns.carry_out(flow_id))["etl"][0].status is FAILED
    reruns.failing = set()
    runs = await reruns.rerun(flow_id, "failed")
    assert reruns.ran == ["part-2", "end"]
    assert [runs[name][0].status for name in ("etl", "end")] == [COMPLETED, COMPLETED]


async def test_api_integration_flow_rerun_refuses_what_cannot_be(reruns: Reruns) -> None:
    """Unknown flows and tasks, contradictions, flows that run, and flows without a failure: nothing is made."""
    flow_id = await diamond(reruns)
    with pytest.raises(InvalidInputError, match="no task 'e'"):
        await reruns.asked(flow_id, "tasks", ["e"])
    with pytest.raises(InvalidInputError, match="needs the names"):
        await reruns.asked(flow_id, "tasks")
    with pytest.raises(InvalidInputError, match="Leave them out"):
        await reruns.asked(flow_id, "failed", ["a"])
    with pytest.raises(FlowNotFoundError, match="no flow 4711"):
        await reruns.asked(4711, "start")
    again = (await reruns.asked(flow_id, "failed")).flow_id
    with pytest.raises(FlowStateError, match="has not"):
        await reruns.asked(again, "start")
    await reruns.carry_out(again)
    with pytest.raises(FlowStateError, match="nothing has"):
        await reruns.asked(again, "failed")


async def test_api_integration_flow_rerun_after_a_task_is_no_group_any_more(reruns: Reruns) -> None:
    """What was a group is an ordinary run now, and waits for what is upstream of it as such."""
    flow = reruns.flow
    await flow.task("list")
    await flow.task("load", "list", shards=2)
    flow_id = await flow.trigger("list")
    await reruns.carry_out(flow_id)
    changed = build_definition(name="load", dependencies=("list",))
    async with flow.store.transaction() as work:
        await work.tasks.update([flow.tasks["load"].id], [changed], [None])
    runs = await reruns.rerun(flow_id, "tasks", "list")
    assert reruns.ran == ["list", "load"]
    assert (runs["load"][0].status, runs["load"][0].group_size) == (COMPLETED, None)


async def test_api_integration_flow_rerun_keeps_the_outcome_of_a_sub_flow(reruns: Reruns) -> None:
    """A failure that another branch had taken up stays none, and the results that are kept are known downstream."""
    flow = reruns.flow
    await flow.task("part")
    await flow.task("broken", "part")
    await flow.task("mend", "broken", trigger_rule="one_failed")
    await flow.task("last", "part")
    await flow.task("etl", task_type="flow", sub_flow="part")
    await flow.task("end", "etl")
    reruns.failing = {("broken", None), ("last", None)}
    flow_id = await flow.trigger("etl")
    runs = await reruns.carry_out(flow_id)
    assert (runs["mend"][0].status, runs["etl"][0].status) == (COMPLETED, FAILED)
    reruns.failing = {("broken", None)}
    runs = await reruns.rerun(flow_id, "tasks", "last")
    assert reruns.ran == ["last", "end"]
    assert [runs[name][0].status for name in ("etl", "end")] == [COMPLETED, COMPLETED]
    async with flow.store.autocommit() as work:
        (upstream,) = (await work.flows.inputs([runs["end"][0].id]))[runs["end"][0].id].upstream
    assert set(upstream.result) == {"mend", "last"}
