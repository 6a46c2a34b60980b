"""Runs that callers ask for at the same time, made together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from scheduler_api import single_runs
from scheduler_api.single_runs import BATCH_MAX, SingleRuns
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.errors import RepositoryError, StoreUnavailableError
from scheduler_core.interfaces import Store
from scheduler_core.interfaces.repository_answer import SingleAnswer
from scheduler_core.models import CommitRing, CreatedRun, SingleRun, TaskRunStatus


class FakeStore:
    """Stands in for the store, its unit of work and the runs in it; statements end when the test lets them."""

    def __init__(self) -> None:
        self.task_runs = self
        self.statements: list[list[int]] = []
        self.may_end = asyncio.Event()
        self.failure: Exception | None = None
        self.rings: list[int | None] = []
        self.can_ring = True
        self.refused: set[int] = set()

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator["FakeStore"]:
        """See Store."""
        yield self

    async def create_single(self, wanted: Sequence[SingleRun], ring: CommitRing | None, ring_runs: int) -> SingleAnswer:
        """See TaskRunRepository; tasks below zero do not stand alone."""
        self.statements.append([run.task_id for run in wanted])
        self.rings.append(None if ring is None else ring_runs)
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure
        if self.refused.intersection(run.task_id for run in wanted):
            raise RepositoryError("The database refused a statement.")
        runs = [None if run.task_id < 0 else made(run.task_id) for run in wanted]
        return SingleAnswer(runs, is_rung=ring is not None and self.can_ring and any(runs))


class FakeRinger:
    """Remembers for which runs was rung, and takes as long as the test wants."""

    def __init__(self) -> None:
        self.rung: list[list[int]] = []
        self.may_end = asyncio.Event()
        self.commit_ring: CommitRing | None = None

    async def ring_for_runs(self, runs: Sequence[CreatedRun]) -> None:
        """See WorkRinger."""
        self.rung.append([run.run_id for run in runs])
        await self.may_end.wait()


def made(number: int) -> CreatedRun:
    """A run whose id is that of its task; from a hundred on it is of another queue."""
    queue = "default" if number < 100 else "other"
    return CreatedRun(number, number, number, TaskRunStatus.DISPATCHED, queue, "python", datetime.now(UTC))


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


async def test_api_unit_single_runs_of_who_asks_again_at_once_go_with_those_that_waited(
    runs: SingleRuns, store: FakeStore
) -> None:
    """Callers that ask one run after another come together in one statement instead of taking turns."""

    async def ask_twice(number: int) -> None:
        for _ in range(2):
            await runs.create(wanted(number))

    callers = []
    for number in (1, 2):
        callers.append(asyncio.create_task(ask_twice(number)))
        for _ in range(3):
            await asyncio.sleep(0)
    store.may_end.set()
    await asyncio.gather(*callers)

    assert store.statements == [[1], [2, 1], [2]]


async def test_api_unit_single_runs_are_answered_before_somebody_is_rung(
    runs: SingleRuns, store: FakeStore, ringer: FakeRinger
) -> None:
    """Nobody waits for rings; those for runs that were made while one is on its way go together, none for no run."""
    store.may_end.set()
    for number in (1, 2, -3, 4):
        assert ids(await asyncio.gather(*await asked(runs, number))) == [number if number > 0 else None]
    assert ringer.rung == [[1]]

    ringer.may_end.set()
    await runs.rung()

    assert ringer.rung == [[1], [2, 4]]


NEVER = 3600.0


def pace(monkeypatch: pytest.MonkeyPatch, *, spacing: float, wait: float) -> None:
    """Let rings be so far apart, and wait so long for a statement that brings them along."""
    monkeypatch.setattr(single_runs, "RING_SPACING_SECONDS", spacing)
    monkeypatch.setattr(single_runs, "_RING_WAIT_SECONDS", wait)


async def test_api_unit_single_runs_are_rung_for_by_the_statement_that_makes_them(
    runs: SingleRuns, store: FakeStore, ringer: FakeRinger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a quiet moment the commit rings; who comes soon after is rung for by a later statement, all together."""
    ringer.commit_ring = CommitRing("tasks.session-", "look")
    store.may_end.set()
    pace(monkeypatch, spacing=NEVER, wait=NEVER)
    for number in (1, 2, 3):
        await asyncio.gather(*await asked(runs, number))
    assert store.rings == [1, None, None]

    pace(monkeypatch, spacing=0.0, wait=NEVER)
    await asyncio.gather(*await asked(runs, 4))
    await asyncio.gather(*await asked(runs, 5, 6))

    assert store.rings == [1, None, None, 3, 2]
    assert ringer.rung == []


async def test_api_unit_single_runs_that_no_statement_rings_for_are_rung_for_soon(
    runs: SingleRuns, store: FakeStore, ringer: FakeRinger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those made just after a ring, those of another lane than the next ring is for, and those it did not reach."""
    ringer.commit_ring = CommitRing("tasks.session-", "look")
    ringer.may_end.set()
    store.may_end.set()
    pace(monkeypatch, spacing=NEVER, wait=0.01)
    for number in (1, 2):
        await asyncio.gather(*await asked(runs, number))
    await runs.rung()
    assert (store.rings, ringer.rung) == ([1, None], [[2]])

    await asyncio.gather(*await asked(runs, 103))
    pace(monkeypatch, spacing=0.0, wait=0.01)
    await asyncio.gather(*await asked(runs, 4))
    await runs.rung()
    assert (store.rings[2:], ringer.rung[1:]) == ([None, 2], [[103]])

    store.can_ring = False
    await asyncio.gather(*await asked(runs, 5))
    await runs.rung()
    assert (store.rings[4:], ringer.rung[2:]) == ([1], [[5]])


async def test_api_unit_single_runs_are_not_rung_for_while_a_statement_brings_the_ring(
    runs: SingleRuns, store: FakeStore, ringer: FakeRinger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose time to be rung for comes meanwhile waits for that ring; a statement that fails has rung for nobody."""
    ringer.commit_ring = CommitRing("tasks.session-", "look")
    ringer.may_end.set()
    store.may_end.set()
    pace(monkeypatch, spacing=NEVER, wait=0.01)
    for number in (1, 2):
        await asyncio.gather(*await asked(runs, number))
    store.may_end.clear()
    pace(monkeypatch, spacing=0.0, wait=0.01)
    callers = await asked(runs, 3)
    await runs.rung()
    assert (store.rings, ringer.rung) == ([1, None, 2], [])

    store.failure = StoreUnavailableError("gone")
    store.may_end.set()
    await asyncio.gather(*callers, return_exceptions=True)
    await runs.rung()

    assert ringer.rung == [[2]]


async def test_api_unit_single_runs_are_rung_for_in_time_beside_a_busier_lane(
    runs: SingleRuns, store: FakeStore, ringer: FakeRinger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements that ring for another lane again and again do not put off whom they do not ring for."""
    ringer.commit_ring = CommitRing("tasks.session-", "look")
    ringer.may_end.set()
    store.may_end.set()
    pace(monkeypatch, spacing=NEVER, wait=0.1)
    await asyncio.gather(*await asked(runs, 1))
    await asyncio.gather(*await asked(runs, 103))
    pace(monkeypatch, spacing=0.0, wait=0.1)
    rings_of_the_busy = 0
    while not ringer.rung and rings_of_the_busy < 1000:
        await asyncio.gather(*await asked(runs, 4))
        await asyncio.sleep(0.001)
        rings_of_the_busy += 1

    assert ringer.rung == [[103]]
    assert rings_of_the_busy > 1


async def test_api_unit_single_runs_that_are_refused_take_no_others_along(runs: SingleRuns, store: FakeStore) -> None:
    """Of several that went together each is tried by itself, and only the one that is not taken is left out."""
    store.refused = {2, 4}
    callers = await asked(runs, 4)
    callers += await asked(runs, 1, 2, 3)
    store.may_end.set()

    assert ids(await asyncio.gather(*callers)) == [None, 1, None, 3]
    assert store.statements == [[4], [1, 2, 3], [1], [2], [3]]


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


async def test_api_unit_single_runs_are_made_for_who_has_left(runs: SingleRuns, store: FakeStore) -> None:
    """A caller that is cancelled takes nobody's answer with it, nor the statement."""
    first, second = await asked(runs, 1, 2)
    first.cancel()
    await asyncio.sleep(0)
    store.may_end.set()

    assert ids([await second]) == [2]
    assert store.statements == [[1, 2]]
    assert first.cancelled()
