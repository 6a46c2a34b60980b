"""Following a run without a database."""

import asyncio
from typing import Any

from fixtures.clock import FrozenClock
from fixtures.worker import FakeStore
from scheduler_api.run_log_service import RunLogService
from scheduler_core.models import LogFilter, RunLogEntry, RunNews, RunProgress, TaskRunStatus


def entry(sequence: int) -> RunLogEntry:
    """A piece of run 7."""
    return RunLogEntry(
        run_id=7,
        attempt=1,
        sequence=sequence,
        stream="stdout",
        logged_at=FrozenClock().now(),
        content=f"{sequence}\n",
    )


class ScriptedLogs:
    """Each look at the run is the next of the script; the last one for ever."""

    def __init__(self, *looks: tuple[TaskRunStatus | None, list[RunLogEntry]]) -> None:
        self._looks = list(looks)
        self._entries: list[RunLogEntry] = []
        self.share = 0.0

    async def news(self, run_id: int) -> RunNews | None:
        """See RunLogRepository."""
        status, entries = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        self._entries = entries
        return None if status is None else RunNews(status=status, progress=RunProgress(share=self.share))

    async def read(self, run_id: int, *, after: tuple[int, int], **_: Any) -> list[RunLogEntry]:
        """See RunLogRepository."""
        return [each for each in self._entries if (each.attempt, each.sequence) > after]


async def followed(logs: ScriptedLogs, stopping: asyncio.Event | None = None) -> list[Any]:
    """What a follower is told, without the rounds that have no news."""
    service = RunLogService(FakeStore(run_logs=logs), FrozenClock(), stopping)
    news = service.follow("7", LogFilter(), after=(0, 0), first=[])
    return [new.sequence if isinstance(new, RunLogEntry) else new.status async for new in news if new is not None]


async def test_api_unit_follow_tells_all_before_the_end() -> None:
    """Each entry and each status is told once; the final one comes last, after everything that was stored before."""
    running, completed = TaskRunStatus.RUNNING, TaskRunStatus.COMPLETED
    one, two, three = entry(1), entry(2), entry(3)
    logs = ScriptedLogs((running, [one]), (running, [one, two]), (completed, [one, two, three]))

    assert await followed(logs) == [1, running, 2, 3, completed]


async def test_api_unit_follow_ends_with_a_run_that_is_removed() -> None:
    """When retention has taken the run away nobody waits for it."""
    assert await followed(ScriptedLogs((TaskRunStatus.RUNNING, []), (None, []))) == [TaskRunStatus.RUNNING]


async def test_api_unit_follow_ends_when_the_server_stops() -> None:
    """A follower of a run that goes on does not hold up the server's end."""
    stopping = asyncio.Event()

    class StoppingLogs(ScriptedLogs):
        async def read(self, run_id: int, *, after: tuple[int, int], **filters: Any) -> list[RunLogEntry]:
            stopping.set()
            return await super().read(run_id, after=after, **filters)

    async with asyncio.timeout(30):
        assert await followed(StoppingLogs((TaskRunStatus.RUNNING, [entry(1)])), stopping) == [
            1,
            TaskRunStatus.RUNNING,
        ]
