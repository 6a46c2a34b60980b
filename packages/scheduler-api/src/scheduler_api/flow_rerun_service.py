"""Runs flows again, wholly or in part."""

from collections.abc import Sequence
from typing import Any

import msgspec

from scheduler_api.schemas.flow_schema import RERUNS_SHOWN_MAX, RerunBody, RerunFlow, RerunRun
from scheduler_api.schemas.object_reader import read_object
from scheduler_api.schemas.task_input import raise_problems
from scheduler_api.task_reference import parse_flow_id
from scheduler_api.trace_context import current_trace_context
from scheduler_api.transactions import OnceKey, Outcome, Transactions
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.decisions.flow_rules import plan_flow
from scheduler_core.decisions.nearest import hint
from scheduler_core.decisions.rerun_rules import failed_runs, plan_rerun, runs_of_tasks
from scheduler_core.errors import FlowNotFoundError, FlowStateError, Problem
from scheduler_core.interfaces import Clock, Store, UnitOfWork
from scheduler_core.models import CreatedRun, FlowPlan, FlowRequest, RunTrigger, TaskGraph, TaskRun
from scheduler_core.models.rerun import FlowEdge, FlowRun, RerunFrom


class FlowRerunService:
    """Makes a new flow of runs of an earlier one."""

    def __init__(self, store: Store, clock: Clock, ringer: WorkRinger) -> None:
        self._ringer = ringer
        self._transactions = Transactions(store, clock)

    async def rerun(self, flow_id: str, document: Any, once: OnceKey | None) -> Outcome[RerunFlow]:
        """Run a flow again from where `document`, a RerunBody, says, and all that is downstream of that.

        What is not run again counts as it ended, with its results. Raises FlowNotFoundError, and FlowStateError while a
        run of the flow is not final, when nothing has failed, or when one of its tasks is deleted.
        """
        values, problems = read_object(document, RerunBody)
        start, names = values.get("start"), values.get("tasks") or []
        if start is not None and (start is RerunFrom.TASKS) != bool(names):
            message = (
                "from tasks needs the names of tasks: give tasks."
                if start is RerunFrom.TASKS
                else f"tasks go with from 'tasks', not with '{start}'. Leave them out, or say from 'tasks'."
            )
            problems.append(Problem("tasks", message))
        raise_problems(problems)
        number = parse_flow_id(flow_id)
        created: list[CreatedRun] = []

        async def act(work: UnitOfWork) -> RerunFlow:
            runs, edges = await _ended_flow(work, number)
            root = await work.task_runs.get(number)
            graph = await work.tasks.lock_graph_of(sorted({run.task_id for run in runs}))
            plan = _plan(runs, edges, graph, start or RerunFrom.START, names)
            background = bool(values.get("background", False))
            created[:] = await work.task_runs.create_flows([_request(plan, root, background=background)])
            tasks = {run.task_id: run.task_name for run in runs}
            again = [member.retry_of for member in plan.members]
            again[0] = again[0] or root.id
            return RerunFlow(
                flow_id=created[0].flow_id,
                run_count=len(created),
                rerun=[
                    RerunRun(run_id=run.run_id, retry_of=old, task=tasks.get(run.task_id, graph[run.task_id].name))
                    for run, old in zip(created[:RERUNS_SHOWN_MAX], again, strict=False)
                ],
            )

        outcome = await self._transactions.run_once(act, once, RerunFlow)
        if not outcome.repeated:
            await self._ringer.ring_for_runs(created, many_begin=True)
        return outcome


async def run_again_from(work: UnitOfWork, run: TaskRun) -> tuple[list[CreatedRun], int]:
    """Run a flow again from one of its runs on, as a new flow: what was created, and the id that the run has there.

    Raises FlowStateError while a run of the flow is not final, or when one of its tasks is deleted.
    """
    runs, edges = await _ended_flow(work, run.flow_id)
    graph = await work.tasks.lock_graph_of(sorted({each.task_id for each in runs}))
    _check_tasks(runs, graph)
    plan = plan_rerun(runs, edges, {run.id}, graph)
    created = await work.task_runs.create_flows([_request(plan, run, background=run.background)])
    # A flow's runs get their ids in the order of its plan.
    ids = sorted(made.run_id for made in created)
    return created, ids[[member.retry_of for member in plan.members].index(run.id)]


async def _ended_flow(work: UnitOfWork, flow_id: int) -> tuple[list[FlowRun], list[FlowEdge]]:
    """The runs and edges of a flow that has ended and is settled."""
    runs = await work.flows.lock_runs(flow_id)
    if not runs:
        raise FlowNotFoundError(flow_id, await _flow_of(work, flow_id))
    await work.task_runs.settle(len(runs), [run.id for run in runs])
    runs = await work.flows.lock_runs(flow_id)
    active = [run.id for run in runs if not run.status.is_final]
    if active:
        raise FlowStateError(flow_id, "RUNNING", f"run again before all of it has ended: run {active[0]} has not")
    return runs, await work.flows.edges(flow_id)


async def _flow_of(work: UnitOfWork, run_id: int) -> int | None:
    """The flow that a run belongs to, for who has named a run instead."""
    for run in await work.task_runs.get_many([run_id]):
        return run.flow_id
    return None


def _plan(
    runs: Sequence[FlowRun], edges: Sequence[FlowEdge], graph: TaskGraph, start: RerunFrom, names: Sequence[str]
) -> FlowPlan:
    _check_tasks(runs, graph)
    known = {run.id for run in runs}
    is_whole = all(edge.upstream_run_id in known for edge in edges)
    if start is RerunFrom.START and is_whole:
        return plan_flow(graph, runs[0].task_id)
    if start is RerunFrom.START:
        seeds = {run.id for run in runs if run.group_id is None}
    elif start is RerunFrom.FAILED:
        seeds = failed_runs(runs)
        if not seeds:
            raise FlowStateError(
                runs[0].id, "COMPLETED", "run again from what failed: nothing has. Name a task, or the start"
            )
    else:
        present = {run.task_name for run in runs}
        raise_problems(
            [
                Problem(f"tasks.{index}", f"The flow has no task '{name[:100]}'.{hint(name, present)}")
                for index, name in enumerate(names)
                if name not in present
            ]
        )
        seeds = runs_of_tasks(runs, names)
    return plan_rerun(runs, edges, seeds, graph)


def _check_tasks(runs: Sequence[FlowRun], graph: TaskGraph) -> None:
    for run in runs:
        if run.task_id not in graph:
            raise FlowStateError(
                runs[0].id, "final", f"run again: the task '{run.task_name}' of run {run.id} was deleted"
            )


def _request(plan: FlowPlan, root: TaskRun, *, background: bool) -> FlowRequest:
    is_new = plan.members[0].retry_of is None
    return FlowRequest(
        plan=plan,
        trigger=RunTrigger.RETRY,
        scheduled_at=root.scheduled_at,
        parameters=_text(root.parameters) if is_new else None,
        retry_of=root.id if is_new else None,
        interval_from=root.interval_from,
        interval_to=root.interval_to,
        trace_context=current_trace_context(),
        background=background,
    )


def _text(parameters: dict[str, Any] | None) -> str | None:
    return msgspec.json.encode(parameters).decode() if parameters is not None else None
