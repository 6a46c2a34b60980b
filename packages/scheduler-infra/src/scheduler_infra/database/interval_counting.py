"""What the ends of slots mean to the dependencies on them: counted under lock, judged by core."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from scheduler_core.decisions.interval_outcome import is_met
from scheduler_core.decisions.trigger_rules import Ending, ending_of
from scheduler_core.models import FAILURE_SKIPS, SkipReason, TaskRunStatus
from scheduler_core.models.interval_wait import SlotOutcome, WaitState
from scheduler_infra.database.repository import PostgresRepository

_FAILURE_SKIPS = sorted(reason.value for reason in FAILURE_SKIPS)
_FOR_EVER = datetime.max.replace(tzinfo=UTC)
_OUTCOMES = {
    Ending.SUCCESS: SlotOutcome.SUCCESS,
    Ending.FAILURE: SlotOutcome.FAILURE,
    Ending.SKIP: SlotOutcome.SKIPPED,
}


class AwaitedSlot(NamedTuple):
    """A slot of a task that others wait for."""

    task_id: int
    scheduled_at: datetime


class ClosedWait(NamedTuple):
    """A dependency of a run, and the state in which it is settled."""

    run_id: int
    position: int
    state: WaitState


class IntervalCounting(PostgresRepository):
    """Counts slots for those who wait for them, within one transaction."""

    async def count_ended(self, run_ids: Sequence[int], now: datetime | None = None) -> list[int]:
        """Tell those who wait for the slots that these ended runs stand for; the runs that wait for less by it.

        A run that had taken in what another run of the slot had done is stale then.
        """
        rows = await self._rows("slots_of_runs", {"run_ids": list(run_ids)})
        return await self._count([AwaitedSlot(**row) for row in rows], now)

    async def _count(
        self,
        slots: Sequence[AwaitedSlot],
        now: datetime | None,
        recorded_until: Mapping[int, datetime] | None = None,
    ) -> list[int]:
        """The same for slots; `recorded_until` says for tasks up to when slots that have no run get none any more."""
        if not slots:
            return []
        slots = sorted(slots)
        keys = {"task_ids": [slot.task_id for slot in slots], "instants": [slot.scheduled_at for slot in slots]}
        await self._rows("lock_waits", keys)
        until = recorded_until or {}
        recorded = [slot.task_id in until and slot.scheduled_at <= until[slot.task_id] for slot in slots]
        changed = await self._rows(
            "count_slots", {**keys, "recorded": recorded, "failure_skips": _FAILURE_SKIPS, "now": now}
        )
        if not changed:
            return []
        counted = await self._rows(
            "count_waits",
            {"run_ids": [row["run_id"] for row in changed], "positions": [row["position"] for row in changed]},
        )
        met = [row for row in counted if is_met(row["condition"] or "success", row["expected"], row["outcomes"])]
        return await self._close((ClosedWait(row["run_id"], row["position"], WaitState.MET) for row in met), now)

    async def _close(self, waits: Iterable[ClosedWait], now: datetime | None) -> list[int]:
        closed = list(waits)
        if not closed:
            return []
        rows = await self._rows(
            "close_waits",
            {
                "run_ids": [wait.run_id for wait in closed],
                "positions": [wait.position for wait in closed],
                "states": [wait.state.value for wait in closed],
                "now": now,
            },
        )
        return [row["id"] for row in rows]

    async def _recorded_until(self, task_ids: Iterable[int]) -> dict[int, datetime]:
        """Up to when the slots of these tasks are in the ledger; for one without a schedule: for ever."""
        wanted = sorted(set(task_ids))
        rows = await self._rows("awaited_until", {"task_ids": wanted})
        found = {row["task_id"]: row["recorded_until"] for row in rows}
        return {task_id: found.get(task_id, _FOR_EVER) for task_id in wanted}


def outcome_of(status: str, skip_reason: str | None) -> SlotOutcome:
    """What a run that has ended makes of its slot."""
    reason = None if skip_reason is None else SkipReason(skip_reason)
    return _OUTCOMES[ending_of(TaskRunStatus(status), reason)]
