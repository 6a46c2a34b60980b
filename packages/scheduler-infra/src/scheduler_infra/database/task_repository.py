"""Tasks, their versions and their edges in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from types import ModuleType
from typing import Any

import msgspec

from scheduler_core.decisions.schedule_rules import schedule_seed
from scheduler_core.errors import LimitNotFoundError, TaskNotFoundError
from scheduler_core.interfaces import TaskRepository
from scheduler_core.models import (
    Task,
    TaskDefinition,
    TaskGraph,
    TaskNode,
    TaskReference,
    TaskStatus,
    flow_dependencies,
    interval_dependencies,
)
from scheduler_core.models.task_link import TaskLink
from scheduler_infra.database.repository import PostgresRepository, Row, Statement, converted, json_text


class PostgresTaskRepository(PostgresRepository, TaskRepository):
    """TaskRepository over one connection."""

    async def create(
        self, definitions: Sequence[TaskDefinition], next_due: Sequence[datetime | None], now: datetime | None = None
    ) -> list[Task]:
        """See TaskRepository."""
        async with self._together():
            wide = [
                _wide(
                    definition,
                    due,
                    ordinal=ordinal,
                    schedule_seed=schedule_seed(definition.namespace, definition.name),
                )
                for ordinal, (definition, due) in enumerate(zip(definitions, next_due, strict=True))
            ]
            rows = await self._rows("create_tasks", {"definitions": json_text(wide), "now": now})
            ids = [row["id"] for row in rows]
            await self._replace_dependencies(ids, definitions)
            if any(definition.limits for definition in definitions):
                await self._replace_limits(ids, definitions)
            return await self._by_ids(ids)

    async def update(
        self,
        task_ids: Sequence[int],
        definitions: Sequence[TaskDefinition],
        next_due: Sequence[datetime | None],
        now: datetime | None = None,
    ) -> list[Task]:
        """See TaskRepository."""
        async with self._together():
            await self._rows("lock_tasks", {"task_ids": list(task_ids)})
            wide = [
                _wide(definition, due, task_id=task_id)
                for task_id, definition, due in zip(task_ids, definitions, next_due, strict=True)
            ]
            rows = await self._rows("update_tasks", {"definitions": json_text(wide), "now": now})
            changed = {row["id"] for row in rows}
            for task_id in task_ids:
                if task_id not in changed:
                    raise TaskNotFoundError(task_id)
            await self._replace_dependencies(task_ids, definitions)
            await self._replace_limits(task_ids, definitions)
            return await self._by_ids(task_ids)

    async def get(self, reference: TaskReference, namespace: str) -> Task:
        """See TaskRepository."""
        for task in await self._select(_statements().by_reference(reference, namespace)):
            return task
        raise TaskNotFoundError(reference, namespace)

    async def get_many(self, names: Sequence[str], namespace: str) -> list[Task]:
        """See TaskRepository."""
        return await self._select(_statements().by_names(names, namespace))

    async def page(
        self,
        namespace: str | None,
        *,
        after_id: int = 0,
        limit: int = 50,
        status: TaskStatus | None = None,
        name_contains: str | None = None,
    ) -> list[Task]:
        """See TaskRepository."""
        return await self._select(
            _statements().page(namespace, after_id=after_id, limit=limit, status=status, name_contains=name_contains)
        )

    async def set_status(self, task_ids: Sequence[int], status: TaskStatus, now: datetime | None = None) -> list[Task]:
        """See TaskRepository."""
        async with self._together():
            await self._rows("lock_tasks", {"task_ids": list(task_ids)})
            await self._rows("set_task_status", {"task_ids": list(task_ids), "status": status.value, "now": now})
            return await self._by_ids(task_ids)

    async def dependents_of(self, task_id: int) -> list[str]:
        """See TaskRepository."""
        return [row["name"] for row in await self._execute(*_statements().dependents_of(task_id))]

    async def links_around(self, task_ids: Sequence[int]) -> list[TaskLink]:
        """See TaskRepository."""
        return converted(await self._rows("links_around", {"task_ids": list(task_ids)}), TaskLink)

    async def graph(self, namespace: str) -> TaskGraph:
        """See TaskRepository."""
        return _graph(await self._rows("task_graph", {"namespace": namespace}))

    async def lock_graph_of(self, root_ids: Sequence[int]) -> TaskGraph:
        """See TaskRepository."""
        while True:
            rows = await self._rows("lock_graph", {"root_ids": list(root_ids)})
            if not any(row["changed"] for row in rows):
                return _graph(rows)

    async def _replace_dependencies(self, ids: Sequence[int], definitions: Sequence[TaskDefinition]) -> None:
        edges = [(task_id, *named) for task_id, d in zip(ids, definitions, strict=True) for named in _named_tasks(d)]
        for namespace in sorted({definition.namespace for definition in definitions}):
            owners = [i for i, d in zip(ids, definitions, strict=True) if d.namespace == namespace]
            wanted = [edge for edge in edges if edge[0] in set(owners)]
            missing = await self._rows(
                "replace_dependencies",
                {
                    "task_ids": [task_id for task_id, _, _ in wanted],
                    "kinds": [kind for _, kind, _ in wanted],
                    "names": [name for _, _, name in wanted],
                    "owners": owners,
                    "namespace": namespace,
                },
            )
            if missing:
                raise TaskNotFoundError(missing[0]["name"], namespace)

    async def _replace_limits(self, ids: Sequence[int], definitions: Sequence[TaskDefinition]) -> None:
        named = [(task_id, d.namespace, name) for task_id, d in zip(ids, definitions, strict=True) for name in d.limits]
        missing = await self._rows(
            "replace_task_limits",
            {
                "task_ids": [task_id for task_id, _, _ in named],
                "namespaces": [namespace for _, namespace, _ in named],
                "names": [name for _, _, name in named],
                "owners": list(ids),
            },
        )
        if missing:
            raise LimitNotFoundError(missing[0]["name"], missing[0]["namespace"])

    async def _by_ids(self, ids: Sequence[int]) -> list[Task]:
        found = {task.id: task for task in await self._select(_statements().by_ids(ids))}
        for task_id in ids:
            if task_id not in found:
                raise TaskNotFoundError(task_id)
        return [found[task_id] for task_id in ids]

    async def _select(self, statement: Statement) -> list[Task]:
        rows = await self._execute(*statement)
        return converted([_narrow(row) for row in rows], Task)


def _statements() -> ModuleType:
    # SQLModel takes a second to load: a dispatcher, which only locks graphs, must not wait for it in a transaction.
    from scheduler_infra.database import task_statements

    return task_statements


def _wide(definition: TaskDefinition, next_due: datetime | None, **extra: int) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(definition, builtin_types=(datetime,))
    options = definition.dispatch_options()
    return {
        **fields,
        "flow_options": definition.flow_options(),
        "dispatch_options": options,
        "run_options": definition.run_options(),
        "gated": options.is_gated,
        "next_due_at": next_due,
        **extra,
    }


def _narrow(row: Row) -> Row:
    options = [row.pop(name) for name in ("flow_options", "dispatch_options", "run_options")]
    return {**row, **options[0], **options[1], **options[2]}


def _named_tasks(definition: TaskDefinition) -> list[tuple[str, str]]:
    """The other tasks that a definition names, each with how."""
    return [
        *(("FLOW", name) for name in flow_dependencies(definition.dependencies)),
        *(("INTERVAL", each.task) for each in interval_dependencies(definition.dependencies)),
        *([("SUB_FLOW", definition.sub_flow)] if definition.sub_flow is not None else []),
    ]


def _graph(rows: list[Row]) -> TaskGraph:
    return TaskGraph(converted(rows, TaskNode))
