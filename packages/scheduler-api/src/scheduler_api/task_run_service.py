"""Makes runs by hand and looks after them: trigger, cancel, pause, retry."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from scheduler_api.lone_tasks import LoneTasks
from scheduler_api.schemas.object_reader import read_object
from scheduler_api.schemas.parameter_input import run_schema_problems
from scheduler_api.schemas.task_input import raise_problems
from scheduler_api.schemas.task_run_schema import TRIGGER_COUNT_MAX, TriggerBody, TriggeredRuns
from scheduler_api.single_runs import SingleRuns
from scheduler_api.task_reference import parse_run_id, parse_task_reference
from scheduler_api.trace_context import current_trace_context
from scheduler_api.transactions import OnceKey, Outcome, Transactions
from scheduler_api.unique_trigger import UniqueTrigger, unique_key
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.decisions.flow_rules import plan_flow
from scheduler_core.decisions.pause_rules import pause_problem
from scheduler_core.decisions.task_rules import check_definition
from scheduler_core.errors import (
    ConflictError,
    InvalidInputError,
    Problem,
    TaskNotFoundError,
    TaskRunNotFoundError,
    TaskRunStateError,
)
from scheduler_core.interfaces import Clock, Store, UnitOfWork
from scheduler_core.models import (
    CreatedRun,
    FlowPlan,
    FlowRequest,
    RunTrigger,
    SingleRun,
    Task,
    TaskRun,
    TaskRunStatus,
    TaskStatus,
)
from scheduler_core.models.interval_wait import DependentRun

RUNS_AT_ONCE_MAX = 100_000
_DEPENDENTS_MAX = 100


class TaskRunService:
    """What can be done with runs."""

    def __init__(self, store: Store, clock: Clock, ringer: WorkRinger) -> None:
        self._store = store
        self._ringer = ringer
        self._transactions = Transactions(store, clock)
        self._lone_tasks = LoneTasks(store, clock)
        self._single_runs = SingleRuns(store, ringer)

    async def trigger(
        self, reference: str, namespace: str, document: Any, once: OnceKey | None = None
    ) -> Outcome[TriggeredRuns]:
        """Run a task at once, with its downstream, once or `count` times; `document` is a TriggerBody.

        Runs of a PAUSED task are accepted and held. Of a task with unique runs the answer may be the run that is there
        already. Raises TaskNotFoundError for a deleted one.
        """
        values, problems = read_object(document, TriggerBody)
        count = values.get("count")
        if count is not None and not 1 <= count <= TRIGGER_COUNT_MAX:
            problems.append(Problem("count", f"count is from 1 to {TRIGGER_COUNT_MAX}, not {count}."))
        raise_problems(problems)
        parameters = values.get("parameters")
        background = bool(values.get("background", False))
        if once is None and not background and (count or 1) == 1:
            single = await self._trigger_single(reference, namespace, parameters)
            if single is not None:
                return Outcome(single, repeated=False)
        created: list[CreatedRun] = []

        async def act(work: UnitOfWork) -> TriggeredRuns:
            task = await work.tasks.get(parse_task_reference(reference, namespace), namespace)
            _check_overrides(task, parameters)
            task, plan = await _locked_plan(work, task)
            copies = count or 1
            _check_size(plan, copies)
            unique = await _unique_trigger(work, task, parameters, copies)
            created.clear()
            if unique is not None:
                if standing := await unique.standing_run():
                    return TriggeredRuns(first=standing, run_ids=[standing.id], existing=True)
                plan = unique.plan(plan)
            created[:] = await work.task_runs.create_flows(
                [
                    FlowRequest(
                        plan=plan,
                        trigger=RunTrigger.MANUAL,
                        copies=copies,
                        parameters=_json_text(parameters),
                        trace_context=current_trace_context(),
                        background=background,
                    )
                ]
            )
            if unique is not None:
                await unique.take(created[0].run_id)
                first = await work.task_runs.get(created[0].run_id)
                return TriggeredRuns(first=first, run_ids=[first.id])
            return TriggeredRuns(
                first=_run_of(task, created[0], parameters, background=background),
                run_ids=[run.run_id for run in created[:copies]],
            )

        outcome = await self._transactions.run_once(act, once, TriggeredRuns)
        if not outcome.repeated:
            await self._ringer.ring_for_runs(created)
        return outcome

    async def _trigger_single(
        self, reference: str, namespace: str, parameters: dict[str, Any] | None
    ) -> TriggeredRuns | None:
        """The run of a task that stands alone, made without a transaction; None for all others.

        By what was known of the task when it was last read; the database makes no run when that is out of date.
        """
        task = await self._lone_tasks.get(reference, namespace)
        if task is None:
            return None
        try:
            _check_overrides(task, parameters)
        except InvalidInputError:
            return None  # Out of date, maybe.
        created = await self._single_runs.create(
            SingleRun(
                task_id=task.id,
                task_version_id=task.task_version_id,
                parameters=_json_text(parameters),
                trace_context=current_trace_context(),
            )
        )
        if created is None:
            self._lone_tasks.pass_over(reference, namespace)
            return None
        return TriggeredRuns(first=_run_of(task, created, parameters, background=False), run_ids=[created.run_id])

    async def retry(self, run_id: str, once: OnceKey | None = None) -> Outcome[TaskRun]:
        """Make a new run of the same task, slot, data interval and parameters, with its downstream.

        `retry_of` names the old one, whose upstream results the new one knows. Raises TaskRunStateError unless the old
        run is final, and ConflictError for a single run of a group.
        """
        created: list[CreatedRun] = []

        async def act(work: UnitOfWork) -> TaskRun:
            old = await work.task_runs.keep(parse_run_id(run_id))
            if not old.status.is_final:
                raise TaskRunStateError(old.id, old.status, "retried before it is final")
            task = await work.tasks.get(old.task_id, old.namespace)
            if task.status is TaskStatus.INACTIVE:
                raise ConflictError(f"Task '{old.task_name}' of run {old.id} is deleted, so the run cannot be retried.")
            if old.shard_index is not None:
                raise ConflictError(
                    f"Run {old.id} is number {old.shard_index} of group {old.group_id} and cannot be run again alone. "
                    f"Run the failed ones of its flow again: scheduler flow rerun {old.flow_id} --from-failed"
                )
            task, plan = await _locked_plan(work, task)
            given = [(upstream, 0) for upstream in await work.flows.upstream_of(old.id)]
            created[:] = await work.task_runs.create_flows(
                [
                    FlowRequest(
                        plan=msgspec.structs.replace(plan, given=tuple(given)),
                        trigger=RunTrigger.RETRY,
                        scheduled_at=old.scheduled_at,
                        parameters=_json_text(old.parameters),
                        retry_of=old.id,
                        interval_from=old.interval_from,
                        interval_to=old.interval_to,
                        trace_context=current_trace_context(),
                    )
                ]
            )
            return await work.task_runs.get(created[0].run_id)

        outcome = await self._transactions.run_once(act, once, TaskRun)
        if not outcome.repeated:
            await self._ringer.ring_for_runs(created)
        return outcome

    async def cancel(self, run_id: str) -> TaskRun:
        """Cancel a run: at once when nobody executes it, else its worker is told to end it. A group ends with its runs.

        Raises TaskRunStateError when it is final in another way; a run that is CANCELLED already stays so.
        """
        number = parse_run_id(run_id)

        async def act(work: UnitOfWork) -> tuple[TaskRun, list[int]]:
            changes = await work.task_runs.cancel([number])
            if not changes:
                raise TaskRunNotFoundError(number)
            status = changes[0].status
            if status.is_final and status is not TaskRunStatus.CANCELLED:
                raise TaskRunStateError(number, status, "cancelled")
            sessions = [] if status.is_final else await work.task_runs.sessions_of([number])
            return await work.task_runs.get(number), sessions

        run, sessions = await self._transactions.run(act)
        await self._ringer.ring_sessions(sessions)
        if run.status is not TaskRunStatus.RUNNING:
            # Those who wait for it, or for the runs of the group that it is, are to be settled.
            await self._ringer.ring_dispatchers()
        return run

    async def pause(self, run_id: str, *, pause: bool) -> TaskRun:
        """Ask that a running run stands still, or goes on; its worker does so and says since when.

        Asking again changes nothing. Raises TaskRunStateError for a run that is not RUNNING, or is being cancelled.
        """
        number = parse_run_id(run_id)

        async def act(work: UnitOfWork) -> tuple[TaskRun, int | None]:
            holder = await work.task_runs.ask_for_pause(number, pause=pause)
            if holder is None:
                raise TaskRunNotFoundError(number)
            run = await work.task_runs.get(number)
            if (problem := pause_problem(run, pause=pause)) is not None:
                raise TaskRunStateError(number, run.status, problem)
            return run, holder.session_id

        run, session_id = await self._transactions.run(act)
        await self._ringer.ring_sessions([] if session_id is None else [session_id])
        return run

    async def get(self, run_id: str) -> TaskRun:
        """One run; raises TaskRunNotFoundError."""
        async with self._store.autocommit() as work:
            return await work.task_runs.get(parse_run_id(run_id))

    async def page(
        self,
        *,
        namespace: str | None,
        task: str | None,
        flow_id: int | None,
        group_id: int | None = None,
        statuses: Sequence[TaskRunStatus],
        stale: bool = False,
        before_id: int | None,
        limit: int,
    ) -> list[TaskRun]:
        """Runs, newest first. `task` is an id, or a name within `namespace`; raises TaskNotFoundError."""
        async with self._store.autocommit() as work:
            task_id = None
            if task is not None:
                found = await work.tasks.get(parse_task_reference(task, namespace or "default"), namespace or "default")
                task_id = found.id
            return await work.task_runs.page(
                namespace=None if task_id is not None else namespace,
                task_id=task_id,
                flow_id=flow_id,
                group_id=group_id,
                statuses=statuses,
                stale=stale,
                before_id=before_id,
                limit=limit,
            )

    async def dependents(self, run_id: str) -> list[DependentRun]:
        """Up to 100 ended runs that had waited for the slot that a run stands for; raises TaskRunNotFoundError."""
        number = parse_run_id(run_id)
        async with self._store.autocommit() as work:
            await work.task_runs.get(number)
            return await work.intervals.dependents_of(number, _DEPENDENTS_MAX)


async def _locked_plan(work: UnitOfWork, task: Task) -> tuple[Task, FlowPlan]:
    """The flow that a run of the task begins, and the task as it is now: neither changes until the commit."""
    graph = await work.tasks.lock_graph_of([task.id])
    if task.id not in graph:
        raise TaskNotFoundError(task.name, task.namespace)
    if graph[task.id].task_version_id != task.task_version_id:
        task = await work.tasks.get(task.id, task.namespace)
    return task, plan_flow(graph, task.id)


def _check_overrides(task: Task, parameters: dict[str, Any] | None) -> None:
    """Judge the parameters that the run will have by the rules of its type and by the task's schema."""
    if task.status is TaskStatus.INACTIVE:
        raise TaskNotFoundError(task.name, task.namespace)
    merged = {**task.parameters, **(parameters or {})}
    problems = run_schema_problems(task.parameters_schema, merged)
    if parameters:
        definition = msgspec.structs.replace(task.definition(), parameters=merged)
        problems = check_definition(definition, [task.task_type]) + problems
    raise_problems([problem for problem in dict.fromkeys(problems) if problem.field.partition(".")[0] == "parameters"])


def _check_size(plan: FlowPlan, copies: int) -> None:
    runs = len(plan.members) * copies
    if runs > RUNS_AT_ONCE_MAX:
        raise_problems(
            [
                Problem(
                    "count",
                    f"{copies} flows of {len(plan.members)} runs are {runs} runs; at most {RUNS_AT_ONCE_MAX} may "
                    "be made at once. Ask for fewer, several times.",
                )
            ]
        )


async def _unique_trigger(
    work: UnitOfWork, task: Task, parameters: dict[str, Any] | None, copies: int
) -> UniqueTrigger | None:
    """How the trigger of a task with unique runs is judged; None for any other task."""
    if task.unique is None:
        return None
    if copies != 1:
        message = f"Runs of '{task.name}' are unique: {copies} runs of the same parameters would be one. Leave it out."
        raise InvalidInputError.of("count", message)
    key = await unique_key(task, task.unique, parameters or {})
    return UniqueTrigger(work, task, task.unique, key, _json_text(parameters))


def _json_text(parameters: dict[str, Any] | None) -> str | None:
    return msgspec.json.encode(parameters).decode() if parameters is not None else None


def _run_of(task: Task, created: CreatedRun, parameters: dict[str, Any] | None, *, background: bool) -> TaskRun:
    """The run as the store has just written it, without asking for it again."""
    return TaskRun(
        id=created.run_id,
        task_id=task.id,
        task_name=task.name,
        namespace=task.namespace,
        task_version=task.version,
        flow_id=created.flow_id,
        status=created.status,
        trigger=RunTrigger.MANUAL,
        task_type=created.task_type,
        queue=created.queue,
        priority=task.priority,
        scheduled_at=created.scheduled_at,
        interval_from=None,
        interval_to=None,
        not_before=created.scheduled_at,
        created_at=created.scheduled_at,
        started_at=None,
        completed_at=None,
        attempt=0,
        failures=0,
        losses=0,
        max_retries=task.max_retries,
        worker_id=None,
        cancel_requested=False,
        waiting_on=0,
        parameters=parameters,
        result=None,
        error=None,
        retry_of=None,
        background=background,
        start_before=_start_before(task, created),
    )


def _start_before(task: Task, created: CreatedRun) -> datetime | None:
    """No time passes for a run of a paused task."""
    if task.queue_timeout_seconds is None or task.status is TaskStatus.PAUSED:
        return None
    return created.scheduled_at + timedelta(seconds=task.queue_timeout_seconds)
