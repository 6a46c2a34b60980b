"""Limits in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, LiteralString

import msgspec

from scheduler_core.decisions.limit_rules import seconds_to_start
from scheduler_core.errors import LimitInUseError, LimitNotFoundError
from scheduler_core.interfaces import LimitRepository
from scheduler_core.models import Limit, LimitDefinition, LimitKeyState, LimitUse
from scheduler_infra.database.repository import PostgresRepository, Row, converted, json_text

_LIMITS: LiteralString = """
SELECT limits.id, limits.namespace, limits.name, limits.description, limits.key, limits.concurrent, limits.rate,
       limits.rate_seconds, limits.burst, limits.created_at, limits.updated_at,
       ARRAY(SELECT tasks.name
             FROM scheduler.task_limits AS link
             JOIN scheduler.tasks ON tasks.id = link.task_id AND tasks.status <> 'INACTIVE'
             WHERE link.limit_id = limits.id
             ORDER BY tasks.name) AS tasks
FROM scheduler.limits
"""


class PostgresLimitRepository(PostgresRepository, LimitRepository):
    """LimitRepository over one connection."""

    async def create(self, definitions: Sequence[LimitDefinition], now: datetime | None = None) -> list[Limit]:
        """See LimitRepository."""
        wide = [{**msgspec.to_builtins(each), "ordinal": ordinal} for ordinal, each in enumerate(definitions)]
        async with self._together():
            rows = await self._rows("create_limits", {"definitions": json_text(wide), "now": now})
            return await self._by_ids([row["id"] for row in rows])

    async def update(
        self, limit_ids: Sequence[int], definitions: Sequence[LimitDefinition], now: datetime | None = None
    ) -> list[Limit]:
        """See LimitRepository."""
        wide = [
            {**msgspec.to_builtins(each), "limit_id": limit_id}
            for limit_id, each in zip(limit_ids, definitions, strict=True)
        ]
        async with self._together():
            await self._rows("hold_window_for_change", {})
            before = await self._by_ids(limit_ids)
            await self._recall(
                [old.id for old, new in zip(before, definitions, strict=True) if old.key != new.key],
            )
            await self._rows("lock_keys_of_limits", {"limit_ids": list(limit_ids)})
            await self._rows(
                "update_limits", {"limit_ids": list(limit_ids), "definitions": json_text(wide), "now": now}
            )
            return await self._by_ids(limit_ids)

    async def delete(self, limit_ids: Sequence[int]) -> None:
        """See LimitRepository."""
        async with self._together():
            await self._rows("hold_window_for_change", {})
            # Runs of a group keep the definition they were made with, and so may need a limit that no task names.
            await self._recall(limit_ids)
            keys = await self._rows("lock_keys_of_limits", {"limit_ids": list(limit_ids)})
            locked = await self._rows("lock_limits", {"limit_ids": list(limit_ids)})
            for limit in await self._by_ids([row["id"] for row in locked]):
                if limit.tasks:
                    raise LimitInUseError(limit.name, limit.tasks)
            await self._rows("remove_permits", {"key_ids": [row["id"] for row in keys]})
            await self._execute(
                "DELETE FROM scheduler.limits WHERE id = ANY(%(limit_ids)s)", {"limit_ids": list(limit_ids)}
            )

    async def get(self, reference: int | str, namespace: str) -> Limit:
        """See LimitRepository."""
        if isinstance(reference, int):
            rows = await self._execute(_LIMITS + "WHERE limits.id = %(id)s", {"id": reference})
        else:
            rows = await self._execute(
                _LIMITS + "WHERE limits.namespace = %(namespace)s AND limits.name = %(name)s",
                {"namespace": namespace, "name": reference},
            )
        for limit in _limits(rows):
            return limit
        raise LimitNotFoundError(reference, namespace)

    async def get_many(self, names: Sequence[str], namespace: str) -> list[Limit]:
        """See LimitRepository."""
        return _limits(
            await self._execute(
                _LIMITS
                + "WHERE limits.namespace = %(namespace)s AND limits.name = ANY(%(names)s) ORDER BY limits.name",
                {"namespace": namespace, "names": list(names)},
            )
        )

    async def page(self, namespace: str | None, *, after_id: int = 0, limit: int = 50) -> list[Limit]:
        """See LimitRepository."""
        return _limits(
            await self._execute(
                _LIMITS + "WHERE limits.id > %(after_id)s "
                "AND (%(namespace)s::text IS NULL OR limits.namespace = %(namespace)s) "
                "ORDER BY limits.id LIMIT %(limit)s",
                {"after_id": after_id, "namespace": namespace, "limit": limit},
            )
        )

    async def uses(
        self, limit_id: int, *, limit: int = 50, holders: int = 10, now: datetime | None = None
    ) -> list[LimitUse]:
        """See LimitRepository."""
        rows = await self._rows("limit_uses", {"limit_id": limit_id, "limit": limit, "holders": holders, "now": now})
        uses = [_use(row) for row in rows]
        return [use for use in uses if use.running or use.claimable or use.waiting or use.free_at]

    async def totals(self) -> dict[tuple[str, str], tuple[int, int]]:
        """See LimitRepository."""
        rows = await self._rows("limit_totals", {})
        return {(row["namespace"], row["name"]): (row["running"], row["waiting"]) for row in rows}

    async def _recall(self, limit_ids: Sequence[int]) -> None:
        """Let the runs of these limits be sorted anew; belongs to a transaction that holds the window."""
        if not limit_ids:
            return
        limits = {"limit_ids": list(limit_ids)}
        tasks = await self._rows("limited_tasks", limits)
        await self._rows("lock_tasks", {"task_ids": [row["task_id"] for row in tasks]})
        await self._rows("recall_limited_runs", limits)

    async def _by_ids(self, ids: Sequence[int]) -> list[Limit]:
        rows = await self._execute(_LIMITS + "WHERE limits.id = ANY(%(ids)s)", {"ids": list(ids)})
        found = {limit.id: limit for limit in _limits(rows)}
        for limit_id in ids:
            if limit_id not in found:
                raise LimitNotFoundError(limit_id)
        return [found[limit_id] for limit_id in ids]


def _limits(rows: Sequence[Row]) -> list[Limit]:
    return converted(rows, Limit)


def _use(row: dict[str, Any]) -> LimitUse:
    (state,) = converted([row], LimitKeyState)
    seconds = seconds_to_start(state)
    (use,) = converted([row], LimitUse)
    return msgspec.structs.replace(use, free_at=None if seconds is None else state.now + timedelta(seconds=seconds))
