"""Reading tasks: statements built with SQLModel."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import bindparam, union
from sqlmodel import col, select

from scheduler_core.models import TaskReference, TaskStatus
from scheduler_infra.database.repository import Statement
from scheduler_infra.database.statement import compiled
from scheduler_infra.database.tables import ScheduleRow, TaskDependencyRow, TaskLinkRow, TaskRow, TaskVersionRow

_TASKS = (
    select(  # type: ignore[call-overload]
        TaskRow.id,
        TaskRow.namespace,
        TaskRow.name,
        TaskRow.status,
        TaskRow.version,
        TaskRow.task_version_id,
        TaskVersionRow.description,
        TaskVersionRow.task_type,
        TaskVersionRow.parameters,
        TaskVersionRow.schedule,
        TaskVersionRow.dependencies,
        TaskVersionRow.queue,
        TaskVersionRow.priority,
        TaskVersionRow.timeout_seconds,
        TaskVersionRow.max_retries,
        TaskVersionRow.retry,
        TaskVersionRow.misfire,
        TaskVersionRow.misfire_grace_seconds,
        TaskVersionRow.misfire_runs_max,
        TaskVersionRow.overlap,
        TaskVersionRow.flow_options,
        TaskVersionRow.dispatch_options,
        TaskVersionRow.run_options,
        TaskVersionRow.parameters_schema,
        TaskRow.schedule_seed,
        col(ScheduleRow.next_due_at).label("next_run_at"),
        TaskRow.created_at,
        TaskRow.updated_at,
    )
    .join(TaskVersionRow, col(TaskVersionRow.id) == col(TaskRow.task_version_id))
    .join(ScheduleRow, col(ScheduleRow.task_id) == col(TaskRow.id), isouter=True)
)

_NOT_DELETED = col(TaskRow.status) != TaskStatus.INACTIVE.value


def by_ids(ids: Sequence[int]) -> Statement:
    """The tasks with these ids, deleted ones too, in any order."""
    return compiled(_TASKS.where(col(TaskRow.id).in_(list(ids))))


def by_reference(reference: TaskReference, namespace: str) -> Statement:
    """The task with this id, or the one with this name that is not deleted."""
    if isinstance(reference, int) or reference.isdigit():
        text, parameters = _by_id()
        return text, {**parameters, "wanted_id": int(reference)}
    text, parameters = _by_name()
    return text, {**parameters, "wanted_namespace": namespace, "wanted_name": reference}


# Compiling takes milliseconds, and every trigger looks a task up: these two are compiled once.
@cache
def _by_id() -> Statement:
    return compiled(_TASKS.where(col(TaskRow.id) == bindparam("wanted_id")))


@cache
def _by_name() -> Statement:
    return compiled(
        _TASKS.where(
            col(TaskRow.namespace) == bindparam("wanted_namespace"),
            col(TaskRow.name) == bindparam("wanted_name"),
            _NOT_DELETED,
        )
    )


def by_names(names: Sequence[str], namespace: str) -> Statement:
    """The tasks with these names that are not deleted, in ascending id order."""
    return compiled(
        _TASKS.where(col(TaskRow.namespace) == namespace, col(TaskRow.name).in_(list(names)), _NOT_DELETED).order_by(
            col(TaskRow.id)
        )
    )


def page(
    namespace: str | None, *, after_id: int, limit: int, status: TaskStatus | None, name_contains: str | None
) -> Statement:
    """A page in ascending id order; only the conditions that are asked for stand in it."""
    statement: Any = _TASKS.where(col(TaskRow.id) > after_id).order_by(col(TaskRow.id)).limit(limit)
    if namespace is not None:
        statement = statement.where(col(TaskRow.namespace) == namespace)
    statement = statement.where(_NOT_DELETED if status is None else col(TaskRow.status) == status.value)
    if name_contains:
        statement = statement.where(col(TaskRow.name).icontains(name_contains, autoescape=True))
    return compiled(statement)


def dependents_of(task_id: int) -> Statement:
    """Names of the other tasks whose definitions name this one and that are not deleted, in ascending order."""
    naming = union(
        select(TaskDependencyRow.task_id).where(col(TaskDependencyRow.depends_on_task_id) == task_id),
        select(TaskLinkRow.task_id).where(col(TaskLinkRow.other_task_id) == task_id),
    )
    return compiled(
        select(TaskRow.name)
        .where(col(TaskRow.id).in_(naming), col(TaskRow.id) != task_id, _NOT_DELETED)
        .order_by(col(TaskRow.name))
    )
