"""Changes in transactions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from fixtures.clock import FrozenClock
from scheduler_api.transactions import Transactions
from scheduler_core.errors import ConflictError, StoreUnavailableError, TaskHasDependentsError
from scheduler_core.interfaces import Store, UnitOfWork


class CountingStore:
    """Counts its transactions."""

    def __init__(self) -> None:
        self.begun = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """One more."""
        self.begun += 1
        yield self


def failing(*errors: Exception) -> Any:
    """An action that fails with these errors, one after another, and then succeeds."""
    left = list(errors)

    async def act(work: UnitOfWork) -> str:
        if left:
            raise left.pop(0)
        return "done"

    return act


async def test_run_starts_collisions_anew(frozen_clock: FrozenClock) -> None:
    """A change that collided is carried out in a new transaction."""
    store = CountingStore()
    transactions = Transactions(cast(Store, store), frozen_clock)
    assert await transactions.run(failing(ConflictError("deadlock"), ConflictError("deadlock"))) == "done"
    assert store.begun == 3


async def test_run_gives_up_after_five_tries(frozen_clock: FrozenClock) -> None:
    """Collisions without an end are told instead of being tried for ever."""
    store = CountingStore()
    with pytest.raises(ConflictError):
        await Transactions(cast(Store, store), frozen_clock).run(failing(*[ConflictError("x")] * 99))
    assert store.begun == 5


@pytest.mark.parametrize("error", [TaskHasDependentsError("a", ["b"]), StoreUnavailableError("away")])
async def test_run_tells_what_trying_again_cannot_change(frozen_clock: FrozenClock, error: Exception) -> None:
    """A decided conflict, or a store that is away, is told at once."""
    store = CountingStore()
    with pytest.raises(type(error)):
        await Transactions(cast(Store, store), frozen_clock).run(failing(error))
    assert store.begun == 1
