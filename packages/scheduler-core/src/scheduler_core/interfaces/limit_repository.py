"""Limits as users declare them and look at them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from scheduler_core.models import Limit, LimitDefinition, LimitUse


class LimitRepository(Protocol):
    """Limits. What is answered holds: no run starts under the former numbers after the commit."""

    async def create(self, definitions: Sequence[LimitDefinition], now: datetime | None = None) -> list[Limit]:
        """Store new limits, in order; raises AlreadyExistsError for a name that is taken in its namespace."""

    async def update(
        self, limit_ids: Sequence[int], definitions: Sequence[LimitDefinition], now: datetime | None = None
    ) -> list[Limit]:
        """Change limits, in order; raises NotFoundError. With another key runs that have not started count by it.

        Runs that have started hold their permits of the former key until they end.
        """

    async def delete(self, limit_ids: Sequence[int]) -> None:
        """Remove limits; raises ConflictError naming the first that a task still uses."""

    async def get(self, reference: int | str, namespace: str) -> Limit:
        """The limit with this id or name; raises NotFoundError."""

    async def get_many(self, names: Sequence[str], namespace: str) -> list[Limit]:
        """The limits with these names that exist, in ascending order of name."""

    async def page(self, namespace: str | None, *, after_id: int = 0, limit: int = 50) -> list[Limit]:
        """A page in ascending id order, starting after `after_id`."""

    async def uses(
        self, limit_id: int, *, limit: int = 50, holders: int = 10, now: datetime | None = None
    ) -> list[LimitUse]:
        """The keys of a limit that have runs or are out of starts, those with most waiting runs first."""

    async def totals(self) -> dict[tuple[str, str], tuple[int, int]]:
        """By (namespace, name): how many permits are held, and how many runs wait; for metrics."""
