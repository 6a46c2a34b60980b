"""What explanations are made from, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from scheduler_core.errors import TaskNotFoundError
from scheduler_core.interfaces import ExplanationRepository
from scheduler_core.models import FAILURE_SKIPS
from scheduler_core.models.dispatch import Release
from scheduler_core.models.situation import (
    Claims,
    DispatcherFacts,
    RunSituation,
    SessionFacts,
    SystemFacts,
    TaskSituation,
)
from scheduler_core.models.turn import TurnSituation
from scheduler_infra.database.repository import PostgresRepository, converted

_SHOWN_MAX: Final = 10
_WAITING_RUNS_SHOWN: Final = 5
_AHEAD_MAX: Final = 10_000
_HOLDERS_SHOWN: Final = 5
_DISPATCHER_SECONDS: Final = 15.0
"""How long a dispatcher may be silent before it counts as gone."""

_FAILURE_SKIPS = sorted(reason.value for reason in FAILURE_SKIPS)


class PostgresExplanationRepository(PostgresRepository, ExplanationRepository):
    """ExplanationRepository over one connection."""

    async def runs(self, run_ids: Sequence[int], now: datetime | None = None) -> list[RunSituation]:
        """See ExplanationRepository."""
        parameters = {"run_ids": list(run_ids), "failure_skips": _FAILURE_SKIPS, "shown": _SHOWN_MAX, "now": now}
        return converted(await self._rows("explain_runs", parameters), RunSituation)

    async def turns(self, run_ids: Sequence[int], now: datetime | None = None) -> list[TurnSituation]:
        """See ExplanationRepository."""
        parameters = {"run_ids": list(run_ids), "limit": _AHEAD_MAX, "shown": _HOLDERS_SHOWN, "now": now}
        return converted(await self._rows("explain_turns", parameters), TurnSituation)

    async def claims(
        self,
        run_ids: Sequence[int],
        *,
        with_pending: bool,
        releases: Sequence[Release] = (),
        places: Mapping[int, datetime] | None = None,
        now: datetime | None = None,
    ) -> list[Claims]:
        """See ExplanationRepository."""
        parameters = {
            "run_ids": list(run_ids),
            "claim_ats": [(places or {}).get(run_id) for run_id in run_ids],
            "released_ids": [release.run_id for release in releases],
            "released_ats": [release.claim_at for release in releases],
            "released_sessions": [release.session_id for release in releases],
            "with_pending": with_pending,
            "limit": _AHEAD_MAX,
            "now": now,
        }
        return converted(await self._rows("explain_claims", parameters), Claims)

    async def system(self, now: datetime | None = None) -> SystemFacts:
        """See ExplanationRepository."""
        dispatchers = await self._rows("explain_dispatchers", {"seconds": _DISPATCHER_SECONDS, "now": now})
        sessions = await self._rows("explain_sessions", {"now": now})
        return SystemFacts(
            dispatchers=converted(dispatchers, DispatcherFacts)[0], sessions=tuple(converted(sessions, SessionFacts))
        )

    async def task(self, task_id: int) -> TaskSituation:
        """See ExplanationRepository."""
        rows = await self._rows("explain_task", {"task_id": task_id, "shown": _WAITING_RUNS_SHOWN})
        for task in converted(rows, TaskSituation):
            return task
        raise TaskNotFoundError(str(task_id), "")
