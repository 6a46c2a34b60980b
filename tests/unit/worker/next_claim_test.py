"""The next step of a chain is claimed with the report of the one before."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from fixtures.worker import build_claimed
from scheduler_core.errors import StoreUnavailableError
from scheduler_core.models import ClaimedRun, CreatedRun, Lane, TaskRunStatus
from scheduler_worker.live_runs import LiveRuns
from scheduler_worker.next_claim import NextClaim

LANE = Lane("default", "python")


class Work:
    """A unit of work that is its own run repository, and gives one run to whoever claims."""

    def __init__(self, stage: "Stage") -> None:
        self.task_runs = self
        self.waiting = [build_claimed(20)]
        self.stage = stage

    async def claim_along(self, session_id: int, lanes: Sequence[Lane], limit: int) -> list[ClaimedRun]:
        """See TaskRunRepository."""
        assert (session_id, list(lanes), limit) == (9, [LANE], 1)
        assert self.stage.live_runs.is_claiming
        return self.waiting


class Stage:
    """A claim and everything around it."""

    def __init__(self) -> None:
        self.live_runs = LiveRuns()
        self.may = True
        self.took: list[int] = []
        self.doubts = 0
        self.work: Any = Work(self)
        self.claim = NextClaim(9, [LANE], self.live_runs, may=lambda: self.may, took=self._take, doubt=self._doubt)

    def _take(self, claimed: Sequence[ClaimedRun]) -> None:
        assert self.live_runs.is_claiming
        self.took += [run.id for run in claimed]

    def _doubt(self) -> None:
        self.doubts += 1

    async def play(self, *released: CreatedRun, failure: Exception | None = None) -> list[int]:
        """Report in a transaction that fails with `failure` at its end; the ids of the runs that are left over."""
        with self.claim.around():
            left = await self.claim.claim(self.work, released)
            assert not self.took
            if failure is not None:
                raise failure
        return [run.run_id for run in left]


@pytest.fixture
def stage() -> Stage:
    """One whose session may claim."""
    return Stage()


def released(run_id: int, queue: str = LANE.queue) -> CreatedRun:
    """A run that became claimable."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return CreatedRun(run_id, 1, 1, TaskRunStatus.DISPATCHED, queue, LANE.task_type, at)


async def test_next_claim_takes_the_only_run_that_was_released(stage: Stage) -> None:
    """It is taken when the transaction has ended well, and left for nobody."""
    assert await stage.play(released(20)) == []
    assert (stage.took, stage.doubts, stage.live_runs.is_claiming) == ([20], 0, False)


async def test_next_claim_takes_whose_turn_it_is(stage: Stage) -> None:
    """Where another run comes first, that one is taken, and the released one is left; where none is found, too."""
    stage.work.waiting = [build_claimed(5)]
    assert await stage.play(released(20)) == [20]
    assert stage.took == [5]
    stage.work.waiting = []
    stage.took = []
    assert await stage.play(released(21)) == [21]
    assert stage.took == []


@pytest.mark.parametrize("runs", [[], [released(1), released(2)], [released(1, "other")]])
async def test_next_claim_leaves_what_is_not_for_it_alone(stage: Stage, runs: list[CreatedRun]) -> None:
    """Several runs are for several sessions, and those of other lanes for others."""
    assert await stage.play(*runs) == [run.run_id for run in runs]
    assert stage.took == []


async def test_next_claim_takes_nothing_when_it_may_not(stage: Stage) -> None:
    """Such as for a session that stops."""
    stage.may = False
    assert await stage.play(released(20)) == [20]
    assert stage.took == []


async def test_next_claim_is_in_doubt_after_a_lost_answer(stage: Stage) -> None:
    """Whoever claimed and knows not whether it counts says so; who has claimed nothing has no doubt."""
    with pytest.raises(StoreUnavailableError):
        await stage.play(released(20), failure=StoreUnavailableError("gone"))
    assert (stage.took, stage.doubts, stage.live_runs.is_claiming) == ([], 1, False)
    with pytest.raises(StoreUnavailableError):
        await stage.play(released(20, "other"), failure=StoreUnavailableError("gone"))
    assert (stage.took, stage.doubts) == ([], 1)
