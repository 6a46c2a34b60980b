"""Runs that callers ask for at the same time, made together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from scheduler_api.single_runs import BATCH_MAX, SingleRuns
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.errors import RepositoryError, StoreUnavailableError
from scheduler_core.interfaces import Store
from scheduler_core.models import CreatedRun, SingleRun, TaskRunStatus


class FakeStore:
    """Stands in for the store, its unit of work and the runs in it; statements end when the test lets them."""

    def __init__(self) -> None:
        self.task_runs = self
        self.statements: list[list[int]] = []
        self.may_end = asyncio.Event()
        self.failure: Exception | None = None

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator["FakeStore"]:
        """See Store."""
        yield self

    async def create_single(self, wanted: Sequence[SingleRun]) -> list[CreatedRun | None]:
        """See TaskRunRepository; tasks below zero do not stand alone."""
        self.statements.append([run.task_id for run in wanted])
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure
        return [None if run.task_id < 0 else made(run.task_id) for run in wanted]


class FakeRinger:
    """Remembers for which runs was rung, and takes as long as the test wants."""

    def __init__(self) -> None:
        self.rung: list[list[int]] = []
        self.may_end = asyncio.Event()

    async def ring_for_runs(self, runs: Sequence[CreatedRun]) -> None:
        """See WorkRinger."""
        self.rung.append([run.run_id for run in runs])
        await self.may_end.wait()


def made(number: int) -> CreatedRun:
    """A run whose id is that of its task."""
    return CreatedRun(number, number, number, TaskRunStatus.DISPATCHED, "default", "python", datetime.now(UTC))


def wanted(number: int, **changes: Any) -> SingleRun:
    """A run of that task."""
    return SingleRun(task_id=number, task_version_id=1, **changes)


@pytest.fixture
def store() -> FakeStore:
    """A store whose statements wait."""
    return FakeStore()


@pytest.fixture
def ringer() -> FakeRinger:
    """A ringer that waits."""
    return FakeRinger()


@pytest.fixture
def runs(store: FakeStore, ringer: FakeRinger) -> SingleRuns:
    """What is tested."""
    return SingleRuns(cast(Store, store), cast(WorkRinger, ringer))


async def asked(runs: SingleRuns, *numbers: int, **changes: Any) -> "list[asyncio.Task[CreatedRun | None]]":
    """Callers that have asked and wait."""
    callers = [asyncio.create_task(runs.create(wanted(number, **changes))) for number in numbers]
    for _ in range(3):
        await asyncio.sleep(0)
    return callers


def ids(created: Sequence[CreatedRun | None]) -> list[int | None]:
    """Whose run each is."""
    return [None if run is None else run.run_id for run in created]


async def test_api_unit_single_runs_share_the_statement_after_the_one_on_its_way(
    runs: SingleRuns, store: FakeStore
) -> None:
    """The first goes at once; who comes while it is on its way goes together, and each is answered with its own."""
    callers = await asked(runs, 1)
    callers += await asked(runs, 2, 3, -4, 5)
    assert store.statements == [[1]]

    store.may_end.set()

    assert ids(await asyncio.gather(*callers)) == [1, 2, 3, None, 5]
    assert store.statements == [[1], [2, 3, -4, 5]]
    assert ids(await asyncio.gather(*await asked(runs, 6))) == [6]


async def test_api_unit_single_runs_are_answered_before_somebody_is_rung(
    runs: SingleRuns, store: FakeStore, ringer: FakeRinger
) -> None:
    """Nobody waits for rings; those for runs that were made while one is on its way go together, none for no run."""
    store.may_end.set()
    for number in (1, 2, -3, 4):
        assert ids(await asyncio.gather(*await asked(runs, number))) == [number if number > 0 else None]
    assert ringer.rung == [[1]]

    ringer.may_end.set()
    await asyncio.sleep(0.01)

    assert ringer.rung == [[1], [2, 4]]


async def test_api_unit_single_runs_go_in_batches_of_bounded_size(runs: SingleRuns, store: FakeStore) -> None:
    """Neither too many at once nor too much text, but what is large by itself goes alone."""
    callers = await asked(runs, 0)
    callers += await asked(runs, *range(1, BATCH_MAX + 2))
    callers += await asked(runs, 1001, 1002, 1003, parameters="x" * 2_000_000)
    callers += await asked(runs, 1004, parameters="x" * 5_000_000)
    store.may_end.set()

    await asyncio.gather(*callers)

    assert [len(statement) for statement in store.statements] == [1, BATCH_MAX, 3, 1, 1]
    assert [number for statement in store.statements for number in statement] == [
        *range(BATCH_MAX + 2), 1001, 1002, 1003, 1004,
    ]  # fmt: skip


async def test_api_unit_single_runs_tell_everybody_that_the_store_is_away(runs: SingleRuns, store: FakeStore) -> None:
    """Whether the runs are there nobody knows, so it is no answer to make them in another way."""
    store.failure = StoreUnavailableError("gone")
    callers = await asked(runs, 1)
    callers += await asked(runs, 2, 3)
    store.may_end.set()

    told = await asyncio.gather(*callers, return_exceptions=True)

    assert [str(error) for error in told] == ["gone"] * 3
    assert all(isinstance(error, StoreUnavailableError) for error in told)
    assert len({id(error) for error in told}) == 3
    store.failure = None
    assert ids(await asyncio.gather(*await asked(runs, 4))) == [4]


async def test_api_unit_single_runs_that_are_refused_find_out_by_themselves(runs: SingleRuns, store: FakeStore) -> None:
    """What the database does not take of one of them made none of the others."""
    store.failure = RepositoryError("a NUL, somewhere")
    store.may_end.set()

    assert ids(await asyncio.gather(*await asked(runs, 1, 2))) == [None, None]


async def test_api_unit_single_runs_are_made_for_who_has_left(runs: SingleRuns, store: FakeStore) -> None:
    """A caller that is cancelled takes nobody's answer with it, nor the statement."""
    first, second = await asked(runs, 1, 2)
    first.cancel()
    await asyncio.sleep(0)
    store.may_end.set()

    assert ids([await second]) == [2]
    assert store.statements == [[1, 2]]
    assert first.cancelled()
