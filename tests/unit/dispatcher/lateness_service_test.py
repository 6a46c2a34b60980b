"""Giving up runs that nobody has begun in time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from scheduler_core.interfaces import Settlement
from scheduler_core.interfaces.repository_answer import LateRuns
from scheduler_core.models import CreatedRun
from scheduler_dispatcher.lateness_service import LatenessService


class Runs:
    """A store whose runs are late as the test says."""

    def __init__(self, late: list[LateRuns], to_late: list[float | None]) -> None:
        self.task_runs = self
        self.late = late
        self.to_late = to_late

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Any]:
        """The repositories."""
        yield self

    async def seconds_to_late(self) -> float | None:
        """The next answer."""
        return self.to_late.pop(0)

    async def give_up_late(self, limit: int) -> LateRuns:
        """The next answer."""
        return self.late.pop(0)


class Rings:
    """Remembers whom it rang."""

    def __init__(self) -> None:
        self.rung: list[Any] = []

    async def ring_dispatchers(self) -> None:
        """Remember it."""
        self.rung.append("dispatchers")

    async def ring_workers(self, runs: list[CreatedRun]) -> None:
        """Remember it."""
        self.rung.append(runs)


def build_service(runs: Runs, rings: Rings) -> LatenessService:
    """A service over these."""
    return LatenessService(cast(Any, runs), cast(Any, rings), batch=2, poll_interval_seconds=5.0)


async def test_dispatcher_unit_lateness_waits_for_the_next_late_run() -> None:
    """With nothing late it writes nothing, and looks again when the next run is late, or at the next poll."""
    runs = Runs([], [1.0, None])
    service = build_service(runs, Rings())

    waits = [await service.look(), await service.look()]

    assert 1.0 <= waits[0] < 1.1
    assert waits[1] == 5.0


async def test_dispatcher_unit_lateness_rings_for_what_it_has_released() -> None:
    """Those that may start because of a run that was given up are told; a full batch is followed at once."""
    released = [cast(CreatedRun, "run")]
    rings = Rings()

    wait = await build_service(Runs([LateRuns(2, Settlement(released, True))], [0.0, 0.0]), rings).look()

    assert (wait, rings.rung) == (0.0, ["dispatchers", released])
