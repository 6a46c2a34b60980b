"""Why a task makes no run, and what has become of a slot of its schedule."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from scheduler_core.decisions.explain_words import deleted, dispatcher_down, paused, show, span, typed
from scheduler_core.models import OverlapPolicy, SlotReason, Task, TaskStatus
from scheduler_core.models.explanation import BlockerCode, BlockerView
from scheduler_core.models.ledger import LedgerEntry
from scheduler_core.models.situation import SystemFacts, TaskSituation


class TaskCase(msgspec.Struct, frozen=True, kw_only=True):
    """A task and its situation."""

    task: Task
    situation: TaskSituation
    system: SystemFacts


class SlotCase(msgspec.Struct, frozen=True, kw_only=True):
    """An instant of a task's schedule. `entry` is the ledger's that it lies in.

    `is_slot` None: its schedule cannot tell by itself. `before` and `after` are the nearest slots.
    """

    task: TaskCase
    instant: datetime
    entry: LedgerEntry | None
    is_slot: bool | None
    before: datetime | None = None
    after: datetime | None = None


def task_blockers(case: TaskCase) -> tuple[BlockerView, ...]:
    """All that keeps a task from making its next run by itself."""
    return tuple(_task_blockers(case))


def slot_blockers(case: SlotCase) -> tuple[BlockerView, ...]:
    """All that keeps a slot without a run from having one."""
    return tuple(_slot_blockers(case))


def _task_blockers(case: TaskCase) -> Iterator[BlockerView]:
    task, situation, now = case.task, case.situation, case.system.dispatchers.now
    name = task.name
    yield from _standing(case)
    if task.status is TaskStatus.INACTIVE:
        return
    if situation.schedule is None:
        if not situation.has_upstream and not situation.sub_flow_of:
            yield BlockerView(
                code=BlockerCode.NO_START,
                message=f"Task '{name}' has no schedule and depends on no task: only a trigger starts it.",
                clears=f"`scheduler task trigger {typed(name, task.namespace)}`, or a schedule.",
            )
    elif situation.next_due_at is not None:
        if situation.next_due_at > now:
            wait = (situation.next_due_at - now).total_seconds()
            yield BlockerView(
                code=BlockerCode.NOT_DUE,
                message=f"Its next slot is {show(situation.next_due_at)}, in {span(wait)}.",
                clears="Time.",
                since=situation.recorded_until,
                estimate=situation.next_due_at,
            )
            yield from _to_be_skipped(case, situation.next_due_at)
        elif case.system.dispatchers.alive == 0:
            yield _not_recorded(situation.next_due_at)
    elif situation.awaits_run_id is not None:
        yield BlockerView(
            code=BlockerCode.AFTER_END,
            message=f"Its schedule counts from the end of run {situation.awaits_run_id}, which has not ended.",
            clears=f"The end of that run; see `scheduler explain run {situation.awaits_run_id}`.",
            run_id=situation.awaits_run_id,
        )
    elif task.status is TaskStatus.ACTIVE:
        yield BlockerView(
            code=BlockerCode.EXHAUSTED,
            message=f"The schedule of '{name}' names no further slot.",
            clears=f"Another schedule: `scheduler task update {typed(name, task.namespace)} --schedule …`.",
            since=situation.recorded_until,
        )


def _to_be_skipped(case: TaskCase, slot: datetime) -> Iterator[BlockerView]:
    """A run that is there when the next slot is due lets a policy skip that slot."""
    for run_id in case.situation.active_run_ids:
        if case.task.overlap is OverlapPolicy.SKIP:
            yield BlockerView(
                code=BlockerCode.OVERLAP,
                message=f"Run {run_id} has not ended: if it has not by {show(slot)}, that slot is skipped "
                f'(overlap = "{case.task.overlap}").',
                clears="The end of that run.",
                blocks=False,
                run_id=run_id,
            )


def _standing(case: TaskCase) -> Iterator[BlockerView]:
    if case.system.dispatchers.alive == 0:
        yield dispatcher_down(case.system)
    if case.task.status is TaskStatus.INACTIVE:
        yield deleted(case.task.name, case.situation.status_since)
    if case.task.status is TaskStatus.PAUSED:
        yield paused(case.task.name, case.task.namespace, case.situation.status_since)


def _slot_blockers(case: SlotCase) -> Iterator[BlockerView]:
    name, now = case.task.task.name, case.task.system.dispatchers.now
    if case.entry is not None and case.is_slot is not False:
        if case.entry.reason is not None:
            yield _without_run(case, case.entry, case.entry.reason)
        return
    if not case.is_slot:
        yield _no_slot(case)
        return
    recorded = case.task.situation.recorded_until
    if recorded is not None and case.instant <= recorded:
        yield BlockerView(
            code=BlockerCode.NO_SLOT,
            message=f"The ledger of '{name}' has nothing at {show(case.instant)}: the schedule did not count yet, or "
            "an entry is missing.",
            clears="`scheduler ledger verify` tells which.",
        )
        return
    yield from _standing(case.task)
    if case.instant <= now:
        yield _not_recorded(case.instant)
    else:
        wait = (case.instant - now).total_seconds()
        yield BlockerView(
            code=BlockerCode.NOT_DUE,
            message=f"The slot {show(case.instant)} is due in {span(wait)}.",
            clears="Time.",
            estimate=case.instant,
        )


def _not_recorded(slot: datetime) -> BlockerView:
    return BlockerView(
        code=BlockerCode.NOT_RECORDED,
        message=f"The slot {show(slot)} is due, and no dispatcher has recorded it yet.",
        clears="A dispatcher's next look.",
        since=slot,
    )


def _no_slot(case: SlotCase) -> BlockerView:
    name = case.task.task.name
    if case.task.situation.schedule is None:
        message = f"Task '{name}' has no schedule."
    elif case.is_slot is None:
        message = f"The slots of '{name}' follow the ends of its runs; none is recorded at {show(case.instant)}."
    else:
        near = [f"the one before is {show(case.before)}"] if case.before else []
        near += [f"the one after is {show(case.after)}"] if case.after else []
        message = f"The schedule of '{name}' has no slot at {show(case.instant)}; {' and '.join(near) or 'none'}."
    return BlockerView(
        code=BlockerCode.NO_SLOT,
        message=message,
        clears=f"Ask for a slot that `scheduler ledger show {typed(name, case.task.task.namespace)}` lists.",
    )


def _without_run(case: SlotCase, entry: LedgerEntry, reason: SlotReason) -> BlockerView:
    task = case.task.task
    first, last = show(entry.scheduled_at), show(entry.last_scheduled_at)
    among = f" It is one of {entry.count} such slots from {first} to {last}." if entry.count > 1 else ""
    return BlockerView(
        code=BlockerCode(reason.value),
        message=f"The slot {show(case.instant)} got no run: {_reason(task, reason)}.{among}",
        clears=f"Nothing: it is over. `scheduler task trigger {typed(task.name, task.namespace)}` makes a run by hand.",
        since=entry.scheduled_at,
    )


def _reason(task: Task, reason: SlotReason) -> str:
    grace = "" if task.misfire_grace_seconds is None else f", misfire_grace_seconds = {task.misfire_grace_seconds:g}"
    return _REASONS[reason].format(
        misfire=task.misfire, overlap=task.overlap, grace=grace, runs_max=task.misfire_runs_max
    )


_REASONS: Final = {
    SlotReason.PAUSED: "the task was paused, or the slot lies in a pause window of its schedule",
    SlotReason.OVERLAP: 'an earlier run of the task had not ended (overlap = "{overlap}")',
    SlotReason.MISFIRED: 'too late, or one of too many (misfire = "{misfire}"{grace}, misfire_runs_max = {runs_max})',
    SlotReason.MISSED: 'a later one ran in its place (misfire = "{misfire}"), or the schedule was changed before',
    SlotReason.OUTSIDE_VALIDITY: "it comes before the schedule's valid_from",
}
