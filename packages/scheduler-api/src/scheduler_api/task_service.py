"""Creates, changes, pauses and deletes tasks. What is answered is complete; what is refused left nothing."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from scheduler_api import schedule_changes
from scheduler_api.known_task_types import KnownTaskTypes
from scheduler_api.next_due import first_due, first_due_of_new, past_problems
from scheduler_api.schemas.task_input import ReadTask, namespace_problem, raise_problems, read_task, read_task_changes
from scheduler_api.task_graph_check import check_graph_of
from scheduler_api.task_reference import parse_task_reference
from scheduler_api.transactions import OnceKey, Outcome, Transactions, as_collision
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.decisions.nearest import hint
from scheduler_core.errors import (
    ConflictError,
    InvalidInputError,
    Problem,
    TaskHasDependentsError,
    TaskNotFoundError,
)
from scheduler_core.interfaces import Clock, Store, UnitOfWork
from scheduler_core.models import (
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
        read = read_task(document, await self._task_types.covering(_types_in(document)))
        raise_problems(read.problems)

        async def act(work: UnitOfWork) -> Task:
            definition, now = read.definition, await work.system.now()
            # Not before: a request that is repeated with its key gets its answer, however late it is.
            raise_problems(past_problems(definition, None, now))
            await check_dependencies_exist(work, [definition])
            with as_collision(TaskNotFoundError):  # a dependency was deleted since
                (task,) = await work.tasks.create([definition], [first_due_of_new(definition, now)], now)
            if definition.dependencies:
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

        return await self._change(reference, namespace, read)

    async def change(self, reference: str, namespace: str, document: Any) -> Task:
        """Replace the fields that are given; parameters and retry are replaced as a whole."""
        task_types = await self._task_types.covering(_types_in(document))
        return await self._change(reference, namespace, lambda before: read_task_changes(document, before, task_types))

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

    async def _change(self, reference: str, namespace: str, read: Callable[[TaskDefinition], ReadTask]) -> Task:
        async def act(work: UnitOfWork) -> Task:
            before = await _get_present(work, reference, namespace)
            definition, problems = read(before.definition())
            former, now = await schedule_changes.ends_of_former(work, [before]), await work.system.now()
            raise_problems(problems or past_problems(definition, before.schedule, now, former.get(before.id)))
            if definition == before.definition():
                return before
            await check_dependencies_exist(work, [definition])
            (task,) = await update_tasks(work, [before], [definition])
            if definition.name != before.name:
                await _rename_in_dependents(work, task, before.name)
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
    with as_collision(TaskNotFoundError):
        updated = await work.tasks.update([task.id for task in before], definitions, next_due, now)
    for old, new in zip(before, updated, strict=True):
        if new.version != old.version + 1:
            raise ConflictError(f"Task '{old.name}' was changed by somebody else at the same time. Try again.")
    return updated


async def check_dependencies_exist(
    work: UnitOfWork, definitions: Sequence[TaskDefinition], prefixes: Sequence[str] = ("",)
) -> None:
    """Raise InvalidInputError naming every dependency that is neither stored nor among the definitions."""
    problems = []
    created = {(definition.namespace, definition.name) for definition in definitions}
    for namespace in sorted({definition.namespace for definition in definitions}):
        names = {name for d in definitions if d.namespace == namespace for name in d.dependencies}
        names -= {name for space, name in created if space == namespace}
        found = {task.name for task in await work.tasks.get_many(sorted(names), namespace)} if names else set()
        missing = names - found
        for definition, prefix in zip(definitions, prefixes, strict=True):
            if definition.namespace == namespace:
                problems += [
                    Problem(
                        f"{prefix}dependencies",
                        f"There is no task '{name}' in namespace '{namespace}' to depend on.{hint(name, found)}",
                    )
                    for name in definition.dependencies
                    if name in missing
                ]
    raise_problems(problems)


async def _get_present(work: UnitOfWork, reference: str, namespace: str) -> Task:
    """The task, unless it is deleted."""
    task = await work.tasks.get(parse_task_reference(reference, namespace), namespace)
    if task.status is TaskStatus.INACTIVE:
        raise TaskNotFoundError(reference, namespace)
    return task


async def _check_graph(work: UnitOfWork, task: Task) -> None:
    problems = await check_graph_of(work, [task])
    if problems:
        raise InvalidInputError([Problem("dependencies", problem.message) for problem in problems])


def _changes_graph(before: Task, definition: TaskDefinition) -> bool:
    return set(before.dependencies) != set(definition.dependencies) or (before.schedule is None) != (
        definition.schedule is None
    )


async def _rename_in_dependents(work: UnitOfWork, task: Task, old_name: str) -> None:
    """Let the definitions of those who depend on a renamed task say its new name."""
    names = await work.tasks.dependents_of(task.id)
    if not names:
        return
    dependents = await work.tasks.get_many(names, task.namespace)
    definitions = [
        msgspec.structs.replace(
            dependent.definition(),
            dependencies=tuple(task.name if name == old_name else name for name in dependent.dependencies),
        )
        for dependent in dependents
    ]
    await work.tasks.update([d.id for d in dependents], definitions, [d.next_run_at for d in dependents])


def _types_in(document: Any) -> set[str]:
    task_type = document.get("task_type") if isinstance(document, dict) else None
    return {task_type} if isinstance(task_type, str) else set()
