"""Creates, changes and deletes limits, and looks at what holds them. What is answered holds."""

from collections.abc import Callable, Sequence
from typing import Any

from scheduler_api.schemas.limit_input import ReadLimit, read_limit, read_limit_changes, read_limit_replacement
from scheduler_api.schemas.limit_schema import AppliedLimit
from scheduler_api.schemas.task_input import raise_problems
from scheduler_api.task_reference import parse_limit_reference
from scheduler_api.transactions import OnceKey, Outcome, Transactions, as_collision
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.errors import LimitNameTakenError, LimitNotFoundError
from scheduler_core.interfaces import Clock, Store, UnitOfWork
from scheduler_core.models import Limit, LimitDefinition, LimitUse

HOLDERS_MAX = 10
"""How many of the runs that hold a key are named."""


class LimitService:
    """What can be done with limits. References are ids, or names within a namespace."""

    def __init__(self, store: Store, clock: Clock, ringer: WorkRinger) -> None:
        self._store = store
        self._ringer = ringer
        self._transactions = Transactions(store, clock)

    async def create(self, document: Any, once: OnceKey | None = None) -> Outcome[Limit]:
        """Store a new limit.

        Raises InvalidInputError with every problem, LimitNameTakenError when the namespace has the name.
        """
        read = read_limit(document)
        raise_problems(read.problems)

        async def act(work: UnitOfWork) -> Limit:
            (limit,) = await work.limits.create([read.definition])
            return limit

        return await self._transactions.run_once(act, once, Limit)

    async def get(self, reference: str, namespace: str) -> Limit:
        """One limit; raises LimitNotFoundError."""
        async with self._store.autocommit() as work:
            return await work.limits.get(parse_limit_reference(reference, namespace), namespace)

    async def page(self, namespace: str | None, *, after_id: int, limit: int) -> list[Limit]:
        """Limits in ascending id order."""
        async with self._store.autocommit() as work:
            return await work.limits.page(namespace, after_id=after_id, limit=limit)

    async def uses(self, reference: str, namespace: str, limit: int) -> list[LimitUse]:
        """How its keys stand, those with most waiting runs first; raises LimitNotFoundError."""
        async with self._store.autocommit() as work:
            found = await work.limits.get(parse_limit_reference(reference, namespace), namespace)
            return await work.limits.uses(found.id, limit=limit, holders=HOLDERS_MAX)

    async def replace(self, reference: str, namespace: str, document: Any) -> Limit:
        """Give a limit a whole new definition. No run starts under the former one once this returns."""
        return await self._change(reference, namespace, lambda before: read_limit_replacement(document, before))

    async def change(self, reference: str, namespace: str, document: Any) -> Limit:
        """Replace the fields that are given. No run starts under the former numbers once this returns."""
        return await self._change(reference, namespace, lambda before: read_limit_changes(document, before))

    async def delete(self, reference: str, namespace: str) -> Limit:
        """Remove a limit; raises LimitInUseError while tasks name it."""

        async def act(work: UnitOfWork) -> Limit:
            limit = await work.limits.get(parse_limit_reference(reference, namespace), namespace)
            await work.limits.delete([limit.id])
            return limit

        limit = await self._transactions.run(act)
        await self._ringer.ring_dispatchers()
        return limit

    async def _change(self, reference: str, namespace: str, read: Callable[[LimitDefinition], ReadLimit]) -> Limit:
        async def act(work: UnitOfWork) -> Limit:
            before = await work.limits.get(parse_limit_reference(reference, namespace), namespace)
            definition, problems = read(before.definition())
            raise_problems(problems)
            if definition == before.definition():
                return before
            with as_collision(LimitNotFoundError):  # deleted since
                (limit,) = await work.limits.update([before.id], [definition])
            return limit

        limit = await self._transactions.run(act)
        # There may be room for more runs now, or some are to be sorted by another key.
        await self._ringer.ring_dispatchers()
        return limit


async def apply_limits(
    work: UnitOfWork, definitions: Sequence[LimitDefinition], *, dry_run: bool
) -> list[AppliedLimit]:
    """Create or change limits by their names, in the caller's transaction; those that are alike are left alone."""
    stored: dict[tuple[str, str], Limit] = {}
    for namespace in sorted({definition.namespace for definition in definitions}):
        names = [definition.name for definition in definitions if definition.namespace == namespace]
        stored.update({(namespace, limit.name): limit for limit in await work.limits.get_many(names, namespace)})
    new = [each for each in definitions if (each.namespace, each.name) not in stored]
    changed = [
        (old, each)
        for each in definitions
        if (old := stored.get((each.namespace, each.name))) is not None and old.definition() != each
    ]
    with as_collision(LimitNameTakenError, LimitNotFoundError):  # there and not there a moment ago
        created = await work.limits.create(new) if new else []
        if changed:
            await work.limits.update([old.id for old, _ in changed], [each for _, each in changed])
    ids = {(limit.namespace, limit.name): limit.id for limit in stored.values()}
    if not dry_run:
        ids.update({(limit.namespace, limit.name): limit.id for limit in created})
    updated = {(each.namespace, each.name) for _, each in changed}
    return [
        AppliedLimit(
            name=each.name,
            namespace=each.namespace,
            change="created" if place not in stored else "updated" if place in updated else "unchanged",
            id=ids.get(place),
        )
        for each in definitions
        for place in [(each.namespace, each.name)]
    ]
