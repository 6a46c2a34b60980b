"""Dependencies on intervals in PostgreSQL."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from scheduler_core.decisions.interval_outcome import is_met, never_met_error, unmet_error
from scheduler_core.interfaces import IntervalRepository, Settlement
from scheduler_core.interfaces.interval_repository import Overdue, Sweep, SweepPlace
from scheduler_core.models import OnUnmet, SkipReason, TaskRunStatus
from scheduler_core.models.interval_wait import (
    MISSING_SHOWN_MAX,
    DependentRun,
    IntervalSource,
    IntervalWait,
    NewWait,
    OverdueWait,
    SlotOutcome,
    WaitState,
)
from scheduler_core.models.settlement import RunVerdict
from scheduler_infra.database.interval_counting import AwaitedSlot, ClosedWait, IntervalCounting, outcome_of
from scheduler_infra.database.repository import Row, converted, json_text

_UNMET = {
    OnUnmet.SKIP: WaitState.UNMET,
    OnUnmet.FAIL: WaitState.UNMET,
    OnUnmet.RUN: WaitState.WAIVED,
    OnUnmet.ALERT: WaitState.OVERDUE,
}
_BEGINNING = SweepPlace()
SLOTS_A_STATEMENT = 5000
"""How many slots that are waited for one statement writes: more would hold up the event loop."""


class _Known(NamedTuple):
    """What has become of a slot, and the run that says so."""

    outcome: SlotOutcome
    run_id: int | None


class PostgresIntervalRepository(IntervalCounting, IntervalRepository):
    """IntervalRepository over one connection."""

    async def sources(self, task_ids: Sequence[int]) -> list[IntervalSource]:
        """See IntervalRepository."""
        return converted(await self._rows("wait_sources", {"task_ids": list(task_ids)}), IntervalSource)

    async def create_waits(self, waits: Sequence[NewWait], now: datetime | None = None) -> Settlement:
        """See IntervalRepository."""
        async with self._together():
            known = await self._known({AwaitedSlot(wait.upstream_task_id, at) for wait in waits for at in wait.slots})
            states = [_birth_state(wait, known) for wait in waits]
            for first, end in _batches(waits):
                columns = {
                    **_wait_columns(waits[first:end], states[first:end]),
                    **_slot_columns(waits[first:end], known),
                }
                await self._rows("create_waits", {**columns, "now": now})
            unmet = [
                (wait.run_id, wait.dependency.on_unmet, never_met_error(wait.dependency, wait.reason or ""))
                for wait, state in zip(waits, states, strict=True)
                if state is WaitState.UNMET
            ]
            return await self._settle(sorted({wait.run_id for wait in waits}), unmet, now)

    async def waits(self, run_ids: Sequence[int]) -> list[IntervalWait]:
        """See IntervalRepository."""
        rows = await self._rows("run_waits", {"run_ids": list(run_ids), "shown": MISSING_SHOWN_MAX})
        return converted(rows, IntervalWait)

    async def end_overdue(self, limit: int, now: datetime | None = None) -> Overdue:
        """See IntervalRepository."""
        async with self._together():
            late = await self._overdue(limit, now)
            if not late:
                return Overdue([], Settlement([]))
            # What has ended in time, but was not told, still counts.
            changed = await self._count_untold([(wait.run_id, wait.position) for wait in late], now)
            overdue = await self._overdue(limit, now)
            changed += await self._close((ClosedWait(wait.run_id, wait.position, wait.state) for wait in overdue), now)
            ended = {(wait.run_id, wait.position) for wait in overdue if wait.state is WaitState.UNMET}
            unmet = [
                (wait.run_id, wait.dependency.on_unmet, unmet_error(wait))
                for wait in await self.waits(sorted({run_id for run_id, _ in ended}))
                if (wait.run_id, wait.position) in ended
            ]
            return Overdue(overdue, await self._settle(changed, unmet, now))

    async def seconds_to_deadline(self, now: datetime | None = None) -> float | None:
        """See IntervalRepository."""
        rows = await self._execute(
            "SELECT extract(epoch FROM min(deadline_at) - coalesce(%(now)s::timestamptz, clock_timestamp()))"
            "::double precision AS seconds FROM scheduler.task_run_waits WHERE state = 'OPEN'",
            {"now": now},
        )
        seconds: float | None = rows[0]["seconds"]
        return None if seconds is None else max(0.0, seconds)

    async def sweep(self, limit: int, after: SweepPlace = _BEGINNING, now: datetime | None = None) -> Sweep:
        """See IntervalRepository."""
        page = await self._rows("open_waits", {**after._asdict(), "limit": limit})
        # Two transactions, as each locks dependencies before runs.
        async with self._together():
            forgotten = await self._forget([row for row in page if row["is_over"] or row["is_removed"]], now)
        async with self._together():
            changed = await self._count_untold([(row["run_id"], row["position"]) for row in page], now)
            told = await self._settle(changed, (), now)
        settlement = Settlement([*forgotten.released, *told.released], forgotten.is_later or told.is_later)
        full = len(page) == limit
        return Sweep(settlement, SweepPlace(page[-1]["run_id"], page[-1]["position"]) if full else None)

    async def dependents_of(self, run_id: int, limit: int) -> list[DependentRun]:
        """See IntervalRepository."""
        return converted(await self._rows("dependent_runs", {"run_id": run_id, "limit": limit}), DependentRun)

    async def _overdue(self, limit: int, now: datetime | None) -> list[OverdueWait]:
        rows = await self._rows("overdue_waits", {"limit": limit, "now": now})
        return converted([{**row, "state": _UNMET[OnUnmet(_on_unmet(row))]} for row in rows], OverdueWait)

    async def _forget(self, rows: Sequence[Row], now: datetime | None) -> Settlement:
        """Settle dependencies of runs that wait no more, and those that the task of a waiting run has no more."""
        if not rows:
            return Settlement([])
        keys = {"run_ids": [row["run_id"] for row in rows], "positions": [row["position"] for row in rows]}
        waits = [
            ClosedWait(row["run_id"], row["position"], WaitState.UNMET if row["is_over"] else WaitState.WAIVED)
            for row in await self._rows("lock_forgotten_waits", keys)
        ]
        return await self._settle(await self._close(waits, now), (), now)

    async def _count_untold(self, waits: Sequence[tuple[int, int]], now: datetime | None) -> list[int]:
        """Count what these dependencies wait for and nobody has told them of; the runs that wait for less by it."""
        if not waits:
            return []
        keys = {"run_ids": [run_id for run_id, _ in waits], "positions": [position for _, position in waits]}
        rows = await self._rows("open_wait_slots", keys)
        until = await self._recorded_until(row["task_id"] for row in rows) if rows else {}
        slots = [
            AwaitedSlot(row["task_id"], row["scheduled_at"])
            for row in rows
            if row["has_run"] or row["scheduled_at"] <= until[row["task_id"]]
        ]
        return await self._count(slots, now, until)

    async def _known(self, slots: Iterable[AwaitedSlot]) -> dict[AwaitedSlot, _Known]:
        """What is known of these slots, their runs locked."""
        wanted = sorted(slots)
        if not wanted:
            return {}
        until = await self._recorded_until(slot.task_id for slot in wanted)
        keys = {"task_ids": [slot.task_id for slot in wanted], "instants": [slot.scheduled_at for slot in wanted]}
        known = {}
        for row in await self._rows("lock_awaited_runs", keys):
            slot = AwaitedSlot(row["task_id"], row["scheduled_at"])
            if row["run_id"] is not None:
                known[slot] = _Known(outcome_of(row["status"], row["skip_reason"]), row["run_id"])
            elif not row["has_run"] and slot.scheduled_at <= until[slot.task_id]:
                known[slot] = _Known(SlotOutcome.NO_RUN, None)
        return known

    async def _settle(
        self, run_ids: Sequence[int], unmet: Sequence[tuple[int, OnUnmet, str]], now: datetime | None
    ) -> Settlement:
        """Release those of the runs that wait for nothing any more, and end those with an unmet dependency."""
        if not run_ids and not unmet:
            return Settlement([])
        # The settlement of runs counts intervals, so it knows this module.
        from scheduler_infra.database.settlement import RunSettlement

        settlement = RunSettlement(self._connection, now)
        if unmet:
            locked = {"run_ids": [run_id for run_id, _, _ in unmet], "group_ids": [], "counts": [], "now": now}
            pending = {row["id"] for row in await self._rows("lock_waiting", locked)}
            verdicts = {run_id: _verdict(run_id, how, error) for run_id, how, error in unmet if run_id in pending}
            await settlement.of_verdicts(list(verdicts.values()))
        if run_ids:
            await settlement.of_waiting(run_ids)
        return settlement.settlement


def _verdict(run_id: int, how: OnUnmet, error: str) -> RunVerdict:
    if how is OnUnmet.FAIL:
        return RunVerdict(run_id=run_id, status=TaskRunStatus.FAILED, error=error)
    return RunVerdict(run_id=run_id, status=TaskRunStatus.SKIPPED, skip_reason=SkipReason.DEPENDENCY_UNMET, error=error)


def _batches(waits: Sequence[NewWait]) -> Iterator[tuple[int, int]]:
    """Where the parts begin and end that one statement each writes."""
    first, slots = 0, 0
    for index, wait in enumerate(waits):
        slots += len(wait.slots)
        if slots >= SLOTS_A_STATEMENT:
            yield first, index + 1
            first, slots = index + 1, 0
    if first < len(waits):
        yield first, len(waits)


def _on_unmet(row: Row) -> str:
    return str(row["dependency"].get("on_unmet", OnUnmet.SKIP))


def _birth_state(wait: NewWait, known: Mapping[AwaitedSlot, _Known]) -> WaitState:
    if wait.reason is not None:
        return _UNMET[wait.dependency.on_unmet]
    outcomes = Counter(
        known[slot].outcome for at in wait.slots if (slot := AwaitedSlot(wait.upstream_task_id, at)) in known
    )
    return WaitState.MET if is_met(wait.dependency.condition, len(wait.slots), outcomes) else WaitState.OPEN


def _wait_columns(waits: Sequence[NewWait], states: Sequence[WaitState]) -> dict[str, list[Any]]:
    return {
        "run_ids": [wait.run_id for wait in waits],
        "positions": [wait.position for wait in waits],
        "upstream_task_ids": [wait.upstream_task_id for wait in waits],
        "dependencies": [json_text(wait.dependency) for wait in waits],
        "expected": [len(wait.slots) for wait in waits],
        "deadlines": [wait.deadline_at for wait in waits],
        "states": [state.value for state in states],
    }


def _slot_columns(waits: Sequence[NewWait], known: Mapping[AwaitedSlot, _Known]) -> dict[str, list[Any]]:
    slots = [(wait, AwaitedSlot(wait.upstream_task_id, at)) for wait in waits for at in wait.slots]
    found = [known.get(slot) for _, slot in slots]
    return {
        "slot_tasks": [slot.task_id for _, slot in slots],
        "slot_instants": [slot.scheduled_at for _, slot in slots],
        "slot_runs": [wait.run_id for wait, _ in slots],
        "slot_positions": [wait.position for wait, _ in slots],
        "slot_outcomes": [None if each is None else each.outcome.value for each in found],
        "slot_upstream_runs": [None if each is None else each.run_id for each in found],
    }
