"""Answers "why": why a run does not run or did, why a task makes no run, what became of a slot."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from scheduler_api.explain_summary import run_explanation, slot_explanation, task_explanation
from scheduler_api.task_reference import parse_run_id, parse_task_reference
from scheduler_core.decisions.explain_case import RunCase, ToldWait
from scheduler_core.decisions.explain_task import SlotCase, TaskCase
from scheduler_core.decisions.interval_text import interval_words
from scheduler_core.decisions.schedule_rules import next_after, previous_before
from scheduler_core.decisions.turn_rules import Foresight, foreseen_heads, told_turn
from scheduler_core.errors import InvalidInputError, MessageQueueError, TaskRunNotFoundError
from scheduler_core.interfaces import MessageQueue, Store, UnitOfWork
from scheduler_core.models import Schedule, TaskRunStatus
from scheduler_core.models.explanation import Explanation
from scheduler_core.models.situation import Claims, RunSituation, SystemFacts
from scheduler_core.models.turn import ToldTurn

_CHECK_SECONDS_MAX: Final = 2.0
_TICK: Final = timedelta(microseconds=1)
_WAITING: Final = (TaskRunStatus.PENDING, TaskRunStatus.DISPATCHED)


class ExplainService:
    """What can be asked about why. Everything is read, nothing changed; it works while the message queue is away."""

    def __init__(self, store: Store, queue: MessageQueue) -> None:
        self._store = store
        self._queue = queue

    async def run(self, run_id: str) -> Explanation:
        """Why a run stands where it does; raises TaskRunNotFoundError."""
        number = parse_run_id(run_id)
        async with self._store.autocommit() as work:
            system = await work.explanations.system()
            for case in await self._cases(work, [number], system):
                return run_explanation(case)
        raise TaskRunNotFoundError(number)

    async def task(self, reference: str, namespace: str) -> Explanation:
        """Why a task makes no run now, and why its newest runs wait; raises TaskNotFoundError."""
        async with self._store.autocommit() as work:
            case = await self._task_case(work, reference, namespace)
            cases = await self._cases(work, case.situation.waiting_run_ids, case.system)
        return task_explanation(case, cases[::-1])

    async def slot(self, reference: str, namespace: str, instant: datetime) -> Explanation:
        """What has become of an instant of a task's schedule, or will; raises TaskNotFoundError."""
        async with self._store.autocommit() as work:
            case = await self._slot_case(work, await self._task_case(work, reference, namespace), instant)
            run_id = case.entry.run_id if case.entry is not None and case.is_slot is not False else None
            cases = await self._cases(work, [run_id], case.task.system) if run_id is not None else []
        return slot_explanation(case, cases)

    async def _task_case(self, work: UnitOfWork, reference: str, namespace: str) -> TaskCase:
        task = await work.tasks.get(parse_task_reference(reference, namespace), namespace)
        system = await work.explanations.system()
        return TaskCase(task=task, situation=await work.explanations.task(task.id), system=system)

    async def _slot_case(self, work: UnitOfWork, case: TaskCase, instant: datetime) -> SlotCase:
        entry = await work.ledger.entry_before(case.task.id, instant + _TICK)
        if entry is not None and entry.last_scheduled_at < instant:
            entry = None
        periods = await work.schedules.periods([case.task.id])
        counted = next(
            (
                (period.schedule, period.seed)
                for period in reversed(periods)
                if period.counts_from < instant and (period.counts_until is None or instant <= period.counts_until)
            ),
            (case.situation.schedule, case.situation.seed),
        )
        is_exact = entry is not None and entry.count == 1
        near = await asyncio.to_thread(_nearest, *counted, instant)
        return SlotCase(
            task=case,
            instant=instant,
            entry=entry,
            # What is recorded was a slot when it was, whatever the zone's rules say today.
            is_slot=True if is_exact else near[0],
            before=near[1],
            after=near[2],
        )

    async def _cases(self, work: UnitOfWork, run_ids: Sequence[int], system: SystemFacts) -> list[RunCase]:
        """The cases of these runs in ascending order."""
        runs = await work.explanations.runs(run_ids) if run_ids else []
        waiting = [run.id for run in runs if run.status in _WAITING]
        has_dispatcher = system.dispatchers.alive > 0
        foresight = await self._foresight(work, system) if waiting else None
        turns = await self._turns(work, [run for run in runs if run.id in waiting and run.is_gated], foresight)
        claims = (
            await work.explanations.claims(
                waiting,
                with_pending=has_dispatcher,
                releases=foresight.releases if foresight is not None and has_dispatcher else (),
                places={run_id: turn.claim_at for run_id, turn in turns.items() if turn.claim_at is not None},
            )
            if waiting
            else []
        )
        claims_of = {claim.run_id: claim for claim in claims}
        waits = await work.intervals.waits([run.id for run in runs]) if runs else []
        queue_error = await self._queue_error(system) if waiting else None
        return [
            RunCase(
                run=run,
                system=system,
                claims=claims_of.get(run.id, Claims(run_id=run.id)),
                waits=tuple(ToldWait(wait, interval_words(wait.dependency)) for wait in waits if wait.run_id == run.id),
                turn=turns.get(run.id),
                queue_error=queue_error,
            )
            for run in runs
        ]

    async def _foresight(self, work: UnitOfWork, system: SystemFacts) -> Foresight:
        window = await work.dispatch.facts()
        wanted = foreseen_heads(window, system)
        return Foresight(window, await work.dispatch.heads(wanted) if wanted else {}, system)

    async def _turns(
        self, work: UnitOfWork, runs: Sequence[RunSituation], foresight: Foresight | None
    ) -> dict[int, ToldTurn]:
        if foresight is None or not runs:
            return {}
        situations = await work.explanations.turns([run.id for run in runs])
        by_id = {run.id: run for run in runs}
        return {each.run_id: told_turn(by_id[each.run_id], each, foresight) for each in situations}

    async def _queue_error(self, system: SystemFacts) -> str | None:
        """What is wrong with the message queue, as this process sees it, or as a dispatcher has last said."""
        if not self._queue.is_connected:
            try:
                async with asyncio.timeout(_CHECK_SECONDS_MAX):
                    await self._queue.check()
            except MessageQueueError as error:
                return str(error)
            except TimeoutError:
                return f"No answer within {_CHECK_SECONDS_MAX:g} s."
        return system.dispatchers.queue_error


def _nearest(
    schedule: Schedule | None, seed: int, instant: datetime
) -> tuple[bool | None, datetime | None, datetime | None]:
    """Whether an instant is a slot (None: the schedule cannot tell), and the slots before and after it."""
    if schedule is None:
        return False, None, None
    if schedule.after_end is not None:
        return None, None, None
    with suppress(InvalidInputError):
        before = previous_before(schedule, instant, seed)
        return next_after(schedule, instant - _TICK, seed) == instant, before, next_after(schedule, instant, seed)
    return None, None, None
