"""Brings a list of tasks, and limits, into being: created, changed or left alone, all of them or none."""

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import Any

from scheduler_api.known_task_types import KnownTaskTypes
from scheduler_api.limit_service import apply_limits
from scheduler_api.named_limits import check_named_limits
from scheduler_api.named_tasks import check_named_tasks
from scheduler_api.next_due import first_due_of_new, past_problems
from scheduler_api.schedule_changes import ends_of_former
from scheduler_api.schemas.limit_input import ReadLimit, read_limit
from scheduler_api.schemas.object_reader import read_object
from scheduler_api.schemas.task_input import ReadTask, raise_problems, read_task
from scheduler_api.schemas.task_schema import AppliedTask, AppliedTasks, TaskListFrame
from scheduler_api.task_graph_check import check_graph_of
from scheduler_api.task_service import update_tasks
from scheduler_api.transactions import OnceKey, Outcome, Transactions, as_collision
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.errors import LimitNotFoundError, Problem, TaskNameTakenError, TaskNotFoundError
from scheduler_core.interfaces import Clock, Store, UnitOfWork
from scheduler_core.models import LimitDefinition, Task, TaskDefinition

TASKS_MAX = 1000
LIMITS_MAX = 1000
SECONDS_MAX = 15.0
"""Processor time that judging one list may take."""


class _DryRunOver(Exception):  # noqa: N818  no failure: it takes the transaction back
    def __init__(self, result: AppliedTasks) -> None:
        self.result = result


class TaskApplyService:
    """Applies lists of tasks."""

    def __init__(self, store: Store, clock: Clock, ringer: WorkRinger, task_types: KnownTaskTypes) -> None:
        self._ringer = ringer
        self._task_types = task_types
        self._transactions = Transactions(store, clock)

    async def apply(self, document: Any, once: OnceKey | None = None) -> Outcome[AppliedTasks]:
        """Create or update every task of the list by its name, or with `dry_run` only say what would happen.

        Tasks of the list may depend on each other, in any order, and use the limits beside them. Raises
        InvalidInputError with the problems of all tasks and limits; their fields begin with ``tasks.N.`` and
        ``limits.N.``, N from 0.
        """
        definitions, limits, dry_run = await self._read(document)

        async def act(work: UnitOfWork) -> AppliedTasks:
            result = await _apply(work, definitions, limits, dry_run=dry_run)
            if dry_run:
                raise _DryRunOver(result)
            return result

        try:
            outcome = await self._transactions.run_once(act, None if dry_run else once, AppliedTasks)
        except _DryRunOver as over:
            return Outcome(over.result, repeated=False)
        if not outcome.repeated:
            await self._ringer.ring_dispatchers()
        return outcome

    async def _read(self, document: Any) -> tuple[list[TaskDefinition], list[LimitDefinition], bool]:
        values, problems = read_object(document, TaskListFrame)
        raise_problems(problems)
        documents: list[Any] = values["tasks"]
        limit_documents: list[Any] = values.get("limits", [])
        if not (1 if not limit_documents else 0) <= len(documents) <= TASKS_MAX:
            raise_problems([Problem("tasks", f"A list has 1 to {TASKS_MAX} tasks, not {len(documents)}.")])
        if len(limit_documents) > LIMITS_MAX:
            raise_problems([Problem("limits", f"A list has at most {LIMITS_MAX} limits, not {len(limit_documents)}.")])
        types = {d["task_type"] for d in documents if isinstance(d, dict) and isinstance(d.get("task_type"), str)}
        task_types = await self._task_types.covering(types)
        # A thousand tasks take long enough to judge that others would notice: the loop goes on meanwhile.
        limits = await asyncio.to_thread(_read_limits, limit_documents)
        read = await asyncio.to_thread(_read_all, documents, task_types)
        limit_definitions = [limit.definition for limit in limits]
        definitions = [task.definition for task in read]
        raise_problems(
            [
                *(problem for limit in limits for problem in limit.problems),
                *_doubled("limit", limit_documents, [(each.namespace, each.name) for each in limit_definitions]),
                *(problem for task in read for problem in task.problems),
                *_doubled("task", documents, [(each.namespace, each.name) for each in definitions]),
            ]
        )
        return definitions, limit_definitions, bool(values.get("dry_run", False))


def _read_limits(documents: Sequence[Any]) -> list[ReadLimit]:
    deadline = time.thread_time() + SECONDS_MAX
    read: list[ReadLimit] = []
    for index, each in enumerate(documents):
        if time.thread_time() > deadline:
            told = f"It takes more than {SECONDS_MAX:g} s to judge {index} of {len(documents)} limits."
            raise_problems([Problem("limits", f"{told} Apply fewer at once.")])
        read.append(read_limit(each, f"limits.{index}."))
    return read


def _read_all(documents: Sequence[Any], task_types: Collection[str]) -> list[ReadTask]:
    deadline = time.thread_time() + SECONDS_MAX
    read: list[ReadTask] = []
    for index, each in enumerate(documents):
        if time.thread_time() > deadline:
            told = (
                f"It takes more than {SECONDS_MAX:g} s to judge {index} of {len(documents)} tasks. Apply fewer at once."
            )
            raise_problems([*(problem for task in read for problem in task.problems), Problem("tasks", told)])
        read.append(read_task(each, task_types, f"tasks.{index}."))
    return read


def _doubled(kind: str, documents: Sequence[Any], places: Sequence[tuple[str, str]]) -> list[Problem]:
    """What has the namespace and name of an earlier one of its list."""
    first: dict[tuple[str, str], int] = {}
    problems = []
    for index, place in enumerate(places):
        if not isinstance(documents[index], dict) or not isinstance(documents[index].get("name"), str):
            continue
        earlier = first.setdefault(place, index)
        if earlier != index:
            problems.append(
                Problem(
                    f"{kind}s.{index}.name",
                    f"'{place[1][:100]}' is the name of {kind} {earlier}, too. Rename one.",
                )
            )
    return problems


async def _apply(
    work: UnitOfWork, definitions: Sequence[TaskDefinition], limits: Sequence[LimitDefinition], *, dry_run: bool
) -> AppliedTasks:
    prefixes = [f"tasks.{index}." for index in range(len(definitions))]
    await check_named_tasks(work, definitions, prefixes)
    await check_named_limits(work, definitions, prefixes, {(limit.namespace, limit.name) for limit in limits})
    applied_limits = await apply_limits(work, limits, dry_run=dry_run) if limits else []
    stored = await _stored(work, definitions)
    now, former = await work.system.now(), await ends_of_former(work, [old for old in stored if old is not None])
    raise_problems(
        [
            Problem(prefix + problem.field, problem.message)
            for definition, old, prefix in zip(definitions, stored, prefixes, strict=True)
            for problem in (
                past_problems(definition, old.schedule, now, former.get(old.id))
                if old
                else past_problems(definition, None, now)
            )
        ]
    )
    new = [definition for definition, old in zip(definitions, stored, strict=True) if old is None]
    changed = [
        (old, d) for d, old in zip(definitions, stored, strict=True) if old is not None and old.definition() != d
    ]
    with as_collision(TaskNotFoundError, TaskNameTakenError, LimitNotFoundError):  # there and not there a moment ago
        created = await work.tasks.create(new, [first_due_of_new(d, now) for d in new], now) if new else []
    updated = await update_tasks(work, [old for old, _ in changed], [d for _, d in changed]) if changed else []
    await _check_graph(work, [*created, *updated], definitions)
    by_name = {(task.namespace, task.name): (task, "created") for task in created}
    by_name.update({(task.namespace, task.name): (task, "updated") for task in updated})
    items = []
    for definition, old in zip(definitions, stored, strict=True):
        task, change = by_name.get((definition.namespace, definition.name), (old, "unchanged"))
        known = task is not None and not (dry_run and change == "created")
        items.append(
            AppliedTask(
                name=definition.name,
                namespace=definition.namespace,
                change=change,
                id=task.id if task and known else None,
                version=task.version if task and known else None,
            )
        )
    return AppliedTasks(items=items, dry_run=dry_run, limits=applied_limits)


async def _stored(work: UnitOfWork, definitions: Sequence[TaskDefinition]) -> list[Task | None]:
    """The present task of each name, None where there is none."""
    found: dict[tuple[str, str], Task] = {}
    for namespace in sorted({definition.namespace for definition in definitions}):
        names = [definition.name for definition in definitions if definition.namespace == namespace]
        found.update({(namespace, task.name): task for task in await work.tasks.get_many(names, namespace)})
    return [found.get((definition.namespace, definition.name)) for definition in definitions]


async def _check_graph(work: UnitOfWork, changed: Sequence[Task], definitions: Sequence[TaskDefinition]) -> None:
    if not changed:
        return
    place = {(definition.namespace, definition.name): index for index, definition in enumerate(definitions)}
    paths = {task.id: f"tasks.{place[(task.namespace, task.name)]}" for task in changed}
    problems = await check_graph_of(work, changed)
    raise_problems(
        [
            Problem(f"{path}.{problem.field}" if (path := paths.get(problem.task_id)) else "tasks", problem.message)
            for problem in problems
        ]
    )
