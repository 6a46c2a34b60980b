"""Retention: batch after batch through all tasks, then nothing for the interval."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from fixtures.clock import FrozenClock
from scheduler_core.errors import StoreUnavailableError
from scheduler_core.interfaces import Store
from scheduler_dispatcher.retention_service import RetentionService


class OldRuns:
    """A store with old runs: how many each batch removes, and the task that it is done with."""

    def __init__(self, *answers: tuple[int | None, int]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.is_away = False

    @property
    def retention(self) -> "OldRuns":
        """Itself."""
        return self

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator["OldRuns"]:
        """Each call for itself."""
        yield self

    async def remove_finished(self, **asked: Any) -> tuple[int | None, int]:
        """The next answer."""
        if self.is_away:
            raise StoreUnavailableError("away")
        self.asked.append(asked)
        return self.answers.pop(0) if self.answers else (None, 0)


def retention(runs: OldRuns, clock: FrozenClock) -> RetentionService:
    """A service that keeps runs for an hour, and looks once a minute."""
    return RetentionService(cast(Store, runs), clock, keep_seconds=3600.0, keep_runs=5, interval_seconds=60.0)


async def test_retention_goes_on_while_there_is_more(frozen_clock: FrozenClock) -> None:
    """Batches follow each other with a pause after those that removed something, and the interval after the last."""
    runs = OldRuns((3, 1000), (7, 0), (None, 2))
    service = retention(runs, frozen_clock)
    waits = []
    for _ in range(3):
        waits.append(await service.look())
        frozen_clock.advance(waits[-1])
    assert waits[0] > 0
    assert waits[1:] == [0.0, 60.0]
    assert [asked["after_task_id"] for asked in runs.asked] == [0, 3, 7]
    assert {(asked["keep_seconds"], asked["keep_runs"]) for asked in runs.asked} == {(3600.0, 5)}
    await service.look()
    assert runs.asked[-1]["after_task_id"] == 0


async def test_retention_is_not_hurried_by_rings(frozen_clock: FrozenClock) -> None:
    """A look before its time, as every ring leads to, asks nothing."""
    runs = OldRuns()
    service = retention(runs, frozen_clock)
    await service.look()
    frozen_clock.advance(20)
    assert await service.look() == 40.0
    assert len(runs.asked) == 1


async def test_retention_goes_on_where_it_was_after_an_outage(frozen_clock: FrozenClock) -> None:
    """A store that is away costs nothing but time."""
    runs = OldRuns((3, 0), (None, 0))
    service = retention(runs, frozen_clock)
    await service.look()
    runs.is_away = True
    with pytest.raises(StoreUnavailableError):
        await service.look()
    runs.is_away = False
    assert await service.look() == 60.0
    assert runs.asked[-1]["after_task_id"] == 3
