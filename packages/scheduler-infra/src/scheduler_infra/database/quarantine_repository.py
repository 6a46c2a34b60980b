"""Quarantined runs in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from scheduler_core.decisions.quarantine_rules import BYTES_MAX, LINES_MAX, last_lines
from scheduler_core.errors import NotFoundError
from scheduler_core.interfaces import QuarantineRepository
from scheduler_core.models.quarantine import LossEvidence, QuarantineDecision, QuarantinedRun
from scheduler_infra.database.repository import PostgresRepository, Row, converted, json_text

_PIECES: Final = 4 * LINES_MAX
"""Of so many pieces of an output the last lines are taken: a line may come in several."""

_QUARANTINED = """
SELECT kept.run_id, run.task_id, tasks.name AS task_name, run.namespace, kept.quarantined_at, run.losses,
       kept.evidence, kept.decision, kept.decided_at, kept.released_run_id
FROM scheduler.quarantined_runs AS kept
JOIN scheduler.task_runs AS run ON run.id = kept.run_id
JOIN scheduler.tasks ON tasks.id = run.task_id
"""


class PostgresQuarantineRepository(PostgresRepository, QuarantineRepository):
    """QuarantineRepository over one connection."""

    async def record(self, limit: int) -> list[int]:
        """See QuarantineRepository."""
        found = await self._rows("unrecorded_quarantine", {"limit": limit, "pieces": _PIECES, "characters": BYTES_MAX})
        if not found:
            return []
        rows = await self._rows(
            "record_quarantine",
            {
                "run_ids": [row["run_id"] for row in found],
                "instants": [row["quarantined_at"] for row in found],
                "evidence": [json_text([_evidence(loss) for loss in row["losses"]]) for row in found],
            },
        )
        return [row["run_id"] for row in rows]

    async def get(self, run_id: int) -> QuarantinedRun:
        """See QuarantineRepository."""
        rows = await self._execute(_QUARANTINED + "WHERE kept.run_id = %(run_id)s", {"run_id": run_id})
        for run in converted(rows, QuarantinedRun):
            return run
        raise NotFoundError(
            f"Run {run_id} is not in quarantine. `scheduler quarantine list` shows which are, and with --decided those "
            "that were."
        )

    async def page(
        self, *, namespace: str | None = None, open_only: bool = True, before_id: int | None = None, limit: int = 50
    ) -> list[QuarantinedRun]:
        """See QuarantineRepository."""
        where = "WHERE true"
        if open_only:
            where += " AND kept.decision IS NULL"
        if namespace is not None:
            where += " AND run.namespace = %(namespace)s"
        if before_id is not None:
            where += " AND kept.run_id < %(before_id)s"
        rows = await self._execute(
            _QUARANTINED + where + " ORDER BY kept.run_id DESC LIMIT %(limit)s",
            {"namespace": namespace, "before_id": before_id, "limit": limit},
        )
        return converted(rows, QuarantinedRun)

    async def decide(
        self,
        run_ids: Sequence[int],
        decision: QuarantineDecision,
        released_run_id: int | None = None,
        now: datetime | None = None,
    ) -> list[int]:
        """See QuarantineRepository."""
        rows = await self._execute(
            "UPDATE scheduler.quarantined_runs SET decision = %(decision)s, released_run_id = %(released_run_id)s, "
            "decided_at = coalesce(%(now)s::timestamptz, clock_timestamp()) "
            "WHERE run_id = ANY(%(run_ids)s) AND decision IS NULL RETURNING run_id",
            {"run_ids": list(run_ids), "decision": decision.value, "released_run_id": released_run_id, "now": now},
        )
        return sorted(row["run_id"] for row in rows)


def _evidence(loss: Row) -> LossEvidence:
    return msgspec.convert({**loss, "last_lines": last_lines(loss.pop("pieces"))}, LossEvidence, strict=False)
