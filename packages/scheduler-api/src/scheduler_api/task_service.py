"""Creates, changes, pauses and deletes tasks. What is answered is complete; what is refused left nothing."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from scheduler_api import schedule_changes
from scheduler_api.judging import judged
from scheduler_api.known_task_types import KnownTaskTypes
from scheduler_api.named_limits import check_named_limits
from scheduler_api.named_tasks import check_named_tasks, check_unchanged, names_tasks, rename_in_dependents
from scheduler_api.next_due import first_due, first_due_of_new, past_problems
from scheduler_api.schemas.task_input import ReadTask, namespace_problem, raise_problems, read_task, read_task_changes
from scheduler_api.task_graph_check import check_graph_of
from scheduler_api.task_reference import parse_task_reference
from scheduler_api.transactions import OnceKey, Outcome, Transactions, as_collision
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.decisions.renaming import renamed
from scheduler_core.decisions.templates import needs_upstream
from scheduler_core.errors import (
    ConflictError,
    LimitNotFoundError,
    Problem,
    TaskHasDependentsError,
    TaskNotFoundError,
)
from scheduler_core.interfaces import Clock, Store, UnitOfWork
from scheduler_core.models import (
    FlowOptions,
    RunStatistics,
    Task,
    TaskDefinition,
    TaskStatus,
)


class TaskService:
    """What can be done with task definitions. References are ids, or names within a namespace."""

    def __init__(self, store: Store, clock: Clock, ringer: WorkRinger, task_types: KnownTaskTypes) -> None:
        self._store = store
        self._ringer = ringer
        self._task_types = task_types
        self._transactions = Transactions(store, clock)

    async def create(self, document: Any, once: OnceKey | None = None) -> Outcome[Task]:
        """Store a new task, which runs on its schedule from now on.

        Raises InvalidInputError with every problem, TaskNameTakenError when an active task has the name.
        """
        task_types = await self._task_types.covering(_types_in(document))
        read = await judged(lambda: read_task(document, task_types), document)
        raise_problems(read.problems)

        async def act(work: UnitOfWork) -> Task:
            definition, now = read.definition, await work.system.now()
            # Not before: a request that is repeated with its key gets its answer, however late it is.
            raise_problems(past_problems(definition, None, now))
            await check_named_tasks(work, [definition])
            await check_named_limits(work, [definition])
            with as_collision(TaskNotFoundError, LimitNotFoundError):  # a dependency was deleted since
                (task,) = await work.tasks.create([definition], [first_due_of_new(definition, now)], now)
            if names_tasks(definition):
                await _check_graph(work, task)
            return task

        outcome = await self._transactions.run_once(act, once, Task)
        if outcome.result.schedule is not None and not outcome.repeated:
            await self._ringer.ring_dispatchers()
        return outcome

    async def get(self, reference: str, namespace: str) -> Task:
        """One task; an id finds deleted ones, too. Raises TaskNotFoundError."""
        async with self._store.autocommit() as work:
            return await work.tasks.get(parse_task_reference(reference, namespace), namespace)

    async def page(
        self, namespace: str | None, *, after_id: int, limit: int, status: TaskStatus | None, name: str | None
    ) -> list[Task]:
        """Tasks in ascending id order."""
        async with self._store.autocommit() as work:
            return await work.tasks.page(namespace, after_id=after_id, limit=limit, status=status, name_contains=name)

    async def replace(self, reference: str, namespace: str, document: Any) -> Task:
        """Give a task a whole new definition."""
        task_types = await self._task_types.covering(_types_in(document))

        def read(before: TaskDefinition) -> ReadTask:
            found = read_task(document, {*task_types, before.task_type})
            if not isinstance(document, dict) or "namespace" not in document:
                return ReadTask(msgspec.structs.replace(found.definition, namespace=before.namespace), found.problems)
            if found.definition.namespace != before.namespace:
                return ReadTask(found.definition, [*found.problems, namespace_problem(before.namespace)])
            return found

        return await self._change(reference, namespace, document, read)

    async def change(self, reference: str, namespace: str, document: Any) -> Task:
        """Replace the fields that are given; parameters and retry are replaced as a whole."""
        task_types = await self._task_types.covering(_types_in(document))
        return await self._change(
            reference, namespace, document, lambda before: read_task_changes(document, before, task_types)
        )

    async def delete(self, reference: str, namespace: str) -> Task:
        """Make a task INACTIVE: its schedule stops, its waiting runs are cancelled, its name is free, history stays.

        Raises TaskHasDependentsError while others depend on it.
        """

        async def act(work: UnitOfWork) -> Task:
            before = await _get_present(work, reference, namespace)
            standing = await work.schedules.lock([before.id])
            if any(
                each.task_status is TaskStatus.INACTIVE for each in standing
            ):  # deleted while we waited for its lock
                raise TaskNotFoundError(reference, namespace)
            until = await schedule_changes.close(work, standing)
            (task,) = await work.tasks.set_status([before.id], TaskStatus.INACTIVE, until)
            schedule_changes.check_seen(standing, task)
            # Asked under the lock that the change has taken: who comes later finds no task to depend on.
            if dependents := await work.tasks.dependents_of(task.id):
                raise TaskHasDependentsError(task.name, dependents)
            return task

        task = await self._transactions.run(act)
        await self._ringer.ring_dispatchers()
        return task

    async def pause(self, reference: str, namespace: str) -> Task:
        """Hold a task: once this returns none of its runs starts until it is resumed; running ones go on.

        Slots that were due before and had no look yet get no run and are recorded as MISSED.
        """

        async def act(work: UnitOfWork) -> Task:
            before = await _get_present(work, reference, namespace)
            standing = await work.schedules.lock([before.id])
            (task,) = await work.tasks.set_status([before.id], TaskStatus.PAUSED)
            if task.status is TaskStatus.INACTIVE:  # deleted while we waited for its lock
                raise TaskNotFoundError(reference, namespace)
            schedule_changes.check_seen(standing, task)
            for each in standing:
                if each.task_status is TaskStatus.ACTIVE:
                    await schedule_changes.pause(work, each)
            return task

        return await self._transactions.run(act)

    async def resume(self, reference: str, namespace: str) -> Task:
        """Let a paused task go on. Slots that passed meanwhile get no run and are recorded as PAUSED."""

        async def act(work: UnitOfWork) -> Task:
            before = await _get_present(work, reference, namespace)
            if before.status is not TaskStatus.PAUSED:
                return before
            standing = await work.schedules.lock([before.id])
            (task,) = await work.tasks.set_status([before.id], TaskStatus.ACTIVE)
            if task.status is TaskStatus.INACTIVE:  # deleted while we waited for its lock
                raise TaskNotFoundError(reference, namespace)
            schedule_changes.check_seen(standing, task)
            for each in standing:
                if each.task_status is TaskStatus.PAUSED:
                    await schedule_changes.resume(work, each)
            return await work.tasks.get(task.id, task.namespace)

        task = await self._transactions.run(act)
        await self._ringer.ring_dispatchers()
        return task

    async def statistics(self, reference: str, namespace: str, days: int) -> tuple[Task, RunStatistics]:
        """A task, and how its runs of the last days went."""
        async with self._store.autocommit() as work:
            task = await work.tasks.get(parse_task_reference(reference, namespace), namespace)
            return task, await work.task_runs.statistics(task.id, days)

    async def _change(
        self, reference: str, namespace: str, document: Any, read: Callable[[TaskDefinition], ReadTask]
    ) -> Task:
        async def act(work: UnitOfWork) -> Task:
            before = await _get_present(work, reference, namespace)
            present = {"parameters": before.parameters, "parameters_schema": before.parameters_schema}
            definition, problems = await judged(lambda: read(before.definition()), document, present)
            former, now = await schedule_changes.ends_of_former(work, [before]), await work.system.now()
            raise_problems(problems or past_problems(definition, before.schedule, now, former.get(before.id)))
            if definition.name != before.name:
                definition = renamed(definition, before.name, definition.name)  # it may wait for its own past
            if definition == before.definition():
                return before
            await check_named_tasks(work, [definition])
            await check_named_limits(work, [definition])
            (task,) = await update_tasks(work, [before], [definition])
            if definition.name != before.name:
                await rename_in_dependents(work, task, before.name)
            if _changes_graph(before, definition):
                await _check_graph(work, task)
            return task

        task = await self._transactions.run(act)
        await self._ringer.ring_dispatchers()
        return task


async def update_tasks(work: UnitOfWork, before: Sequence[Task], definitions: Sequence[TaskDefinition]) -> list[Task]:
    """Give tasks new versions; a schedule that stays keeps its place, what passed of another is recorded.

    Raises ConflictError, to be tried again, when somebody else changed one of them since it was read.
    """
    standing = {each.task_id: each for each in await work.schedules.lock([task.id for task in before])}
    ending = [
        standing[task.id]
        for task, definition in zip(before, definitions, strict=True)
        if task.id in standing and not schedule_changes.is_same(standing[task.id].schedule, definition.schedule)
    ]
    former = await schedule_changes.ends_of_former(
        work, [task for task, definition in zip(before, definitions, strict=True) if definition.schedule is not None]
    )
    now = await schedule_changes.close(work, ending, former.values())
    next_due: list[datetime | None] = []
    for task, definition in zip(before, definitions, strict=True):
        schedule = definition.schedule
        if schedule is None or schedule_changes.is_same(task.schedule, schedule):
            next_due.append(None)  # it keeps what is stored
            continue
        due = first_due(schedule, now, task.schedule_seed, now if task.schedule else former.get(task.id))
        if due is None:  # it had a slot when this was asked for: the next try says what has passed
            raise ConflictError(f"The last slot of task '{task.name}' has passed meanwhile. Try again.")
        next_due.append(due)
    with as_collision(TaskNotFoundError, LimitNotFoundError):
        updated = await work.tasks.update([task.id for task in before], definitions, next_due, now)
    for old, new in zip(before, updated, strict=True):
        check_unchanged(old, new)
    return updated


async def _get_present(work: UnitOfWork, reference: str, namespace: str) -> Task:
    """The task, unless it is deleted."""
    task = await work.tasks.get(parse_task_reference(reference, namespace), namespace)
    if task.status is TaskStatus.INACTIVE:
        raise TaskNotFoundError(reference, namespace)
    return task


async def _check_graph(work: UnitOfWork, task: Task) -> None:
    problems = await check_graph_of(work, [task])
    raise_problems([Problem(problem.field, problem.message) for problem in problems])


def _changes_graph(before: Task, definition: TaskDefinition) -> bool:
    # As a sub-flow a task has to have what its schema requires, and templates take what others have.
    are_concerned = definition.parameters_schema is not None or needs_upstream(definition.parameters)
    fields = (*_GRAPH_FIELDS, *_PARAMETER_FIELDS) if are_concerned else _GRAPH_FIELDS
    return any(getattr(before, field) != getattr(definition, field) for field in fields)


_PARAMETER_FIELDS = ("parameters", "parameters_schema")
_GRAPH_FIELDS = ("dependencies", "schedule", "task_type", *FlowOptions.__struct_fields__)


def _types_in(document: Any) -> set[str]:
    task_type = document.get("task_type") if isinstance(document, dict) else None
    return {task_type} if isinstance(task_type, str) else set()
