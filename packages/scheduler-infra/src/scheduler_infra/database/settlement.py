"""What the end of runs leads to: counted by one statement, decided by core, written by another."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from scheduler_core.decisions.settlement_rules import settled
from scheduler_core.interfaces import Settlement
from scheduler_core.models import FAILURE_SKIPS, CreatedRun, TaskRunStatus
from scheduler_core.models.settlement import RunVerdict, WaitingRun
from scheduler_infra.database.interval_repository import PostgresIntervalRepository
from scheduler_infra.database.repository import PostgresRepository, Row, converted

_FAILURE_SKIPS = sorted(reason.value for reason in FAILURE_SKIPS)


class RunSettlement(PostgresRepository):
    """Tells those who wait, generation after generation, within one transaction."""

    def __init__(self, connection: AsyncConnection[Any], now: datetime | None) -> None:
        super().__init__(connection)
        self._now = now
        self._intervals = PostgresIntervalRepository(connection)
        self._claimable: list[CreatedRun] = []
        self._is_later = False

    async def of_ended(self, run_ids: Sequence[int]) -> Settlement:
        """Settle finished runs, and what ends by that: skipped runs, and groups whose last run has ended."""
        async with self._atomically():
            await self._settle(list(run_ids))
        return self.settlement

    async def of_verdicts(self, verdicts: Sequence[RunVerdict]) -> Settlement:
        """Write what was decided for locked runs, and settle those that have ended by it."""
        async with self._atomically():
            await self._settle(await self._write(verdicts))
        return self.settlement

    async def of_waiting(self, run_ids: Sequence[int]) -> Settlement:
        """Release those of the runs that wait for nothing any more."""
        async with self._atomically():
            await self._settle(await self._judge(await self._locked(run_ids=run_ids)))
        return self.settlement

    @property
    def settlement(self) -> Settlement:
        """What all of it has led to so far."""
        return Settlement(list(self._claimable), self._is_later)

    async def _settle(self, ended: list[int]) -> None:
        while ended:
            ended = await self._generation(ended)

    async def _generation(self, ended: list[int]) -> list[int]:
        """Tell those who wait for these; the runs that have ended by it and are waited for."""
        rows = await self._rows("count_ended", {"run_ids": ended, "failure_skips": _FAILURE_SKIPS, "now": self._now})
        rest = rows.pop()
        self._is_later |= rest["is_planned"]
        next_generation = await self._judge(_waiting(rows))
        if rest["slot_ids"]:
            changed = await self._intervals.count_ended(rest["slot_ids"], self._now)
            next_generation += await self._judge(await self._locked(run_ids=changed))
        return next_generation

    async def _judge(self, waiting: Sequence[WaitingRun]) -> list[int]:
        verdicts = [(run, verdict) for run in waiting if (verdict := settled(run)) is not None]
        ended = await self._write([verdict for _, verdict in verdicts])
        given_up = [run.id for run, verdict in verdicts if verdict.gives_up]
        if given_up:
            rows = await self._rows("give_up_groups", {"group_ids": given_up, "now": self._now})
            ended += [row["id"] for row in rows]
        places = {
            run.id: run.released_ends
            for run, verdict in verdicts
            if run.max_parallel is not None
            and run.released_ends
            and not verdict.status.is_final
            and not verdict.gives_up
        }
        while places:
            # Who was cancelled in the moment in which it was chosen does not take the place.
            chosen = await self._locked(places=places)
            ended += await self._judge(chosen)
            lost = Counter(run.group_id for run in chosen if run.status is not TaskRunStatus.PENDING)
            places = {group_id: count for group_id, count in lost.items() if group_id is not None}
        return ended

    async def _locked(self, *, run_ids: Sequence[int] = (), places: dict[int, int] | None = None) -> list[WaitingRun]:
        if not run_ids and not places:
            return []
        rows = await self._rows(
            "lock_waiting",
            {
                "run_ids": list(run_ids),
                "group_ids": list(places or {}),
                "counts": list((places or {}).values()),
                "now": self._now,
            },
        )
        return converted(rows, WaitingRun)

    async def _write(self, verdicts: Sequence[RunVerdict]) -> list[int]:
        """The runs that have ended by it and are waited for."""
        if not verdicts:
            return []
        rows = await self._rows("write_verdicts", {**_columns(verdicts), "now": self._now})
        self._take(rows)
        return [row["id"] for row in rows if row["needs_settlement"] and TaskRunStatus(row["status"]).is_final]

    def _take(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._is_later |= row["is_later"]
            if row["status"] == "DISPATCHED":
                self._claimable.append(created_run(row))


def created_run(row: Row) -> CreatedRun:
    """A run as a statement returns it that makes or releases runs."""
    return CreatedRun(
        run_id=row["id"],
        flow_id=row["flow_id"],
        task_id=row["task_id"],
        status=TaskRunStatus(row["status"]),
        queue=row["queue"],
        task_type=row["task_type"],
        scheduled_at=row["scheduled_at"],
    )


def _waiting(rows: Sequence[Row]) -> list[WaitingRun]:
    return converted(
        [{key: row[key] for key in WaitingRun.__struct_fields__ if key in row} for row in rows], WaitingRun
    )


def _columns(verdicts: Sequence[RunVerdict]) -> dict[str, list[Any]]:
    endings = [verdict.endings for verdict in verdicts]
    return {
        "run_ids": [verdict.run_id for verdict in verdicts],
        "statuses": [verdict.status.value for verdict in verdicts],
        "waiting_on": [verdict.waiting_on for verdict in verdicts],
        "upstreams": [each and each.total for each in endings],
        "successes": [each and each.successes for each in endings],
        "failures": [each and each.failures for each in endings],
        "skips": [each and each.skips for each in endings],
        "expands": [verdict.expands for verdict in verdicts],
        "held": [verdict.held for verdict in verdicts],
        "skip_reasons": [verdict.skip_reason for verdict in verdicts],
        "errors": [verdict.error for verdict in verdicts],
    }
