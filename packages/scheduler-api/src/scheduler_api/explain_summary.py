"""Explanations as they are answered: a sentence that sums them up, what blocks, and the story."""

from collections.abc import Sequence
from typing import Final

from scheduler_core.decisions.explain import explained_run
from scheduler_core.decisions.explain_case import RunCase
from scheduler_core.decisions.explain_task import SlotCase, TaskCase, slot_blockers, task_blockers
from scheduler_core.decisions.explain_words import show
from scheduler_core.models import TaskRunStatus
from scheduler_core.models.explanation import BlockerCode, BlockerView, ExplainedRun, Explanation

_DONE: Final = "RUN_NO_LONGER_KEPT"


def run_explanation(case: RunCase) -> Explanation:
    """Of a run."""
    told = explained_run(case)
    run = case.run
    return Explanation(
        subject="run",
        task=run.task_name,
        task_id=run.task_id,
        namespace=run.namespace,
        run_id=run.id,
        slot=run.scheduled_at,
        status=run.status,
        summary=_run_summary(case, told),
        now=case.system.dispatchers.now,
        is_blocked=told.is_blocked,
        blockers=told.blockers,
        story=told.story,
    )


def task_explanation(case: TaskCase, runs: Sequence[RunCase]) -> Explanation:
    """Of a task, with its runs that wait."""
    blockers = task_blockers(case)
    name, waiting = case.task.name, case.situation.waiting_runs
    word = "run has" if waiting == 1 else "runs have"
    if case.situation.has_upstream:
        starts = "It runs when the tasks that it depends on have run."
    elif case.situation.schedule is None and case.situation.sub_flow_of:
        users = " and ".join(f"'{user}'" for user in case.situation.sub_flow_of[:3])
        starts = f"It runs as the sub-flow of {users}."
    elif any(view.blocks for view in blockers):
        starts = f"{_count(blockers)} from making a run now."
    else:
        starts = "Nothing keeps it from making its next run."
    return Explanation(
        subject="task",
        task=name,
        task_id=case.task.id,
        namespace=case.task.namespace,
        status=case.task.status,
        summary=f"Task '{name}' is {case.task.status}. {starts} {waiting} {word} not begun.",
        now=case.system.dispatchers.now,
        is_blocked=any(view.blocks for view in blockers),
        blockers=blockers,
        runs=tuple(explained_run(run) for run in runs),
    )


def slot_explanation(case: SlotCase, runs: Sequence[RunCase]) -> Explanation:
    """Of a slot; where it has its run, that run's."""
    told = [explained_run(run) for run in runs]
    entry = case.entry if case.is_slot is not False else None
    blockers = told[0].blockers if told else slot_blockers(case)
    if told:
        status, summary = told[0].status, _run_summary(runs[0], told[0])
    elif entry is not None and entry.run_id is not None:
        status = _DONE
        summary = f"The slot {show(case.instant)} was run: its run {entry.run_id} was removed by retention."
    else:
        status = entry.reason.value if entry is not None and entry.reason is not None else blockers[0].code.value
        summary = f"The slot {show(case.instant)} of '{case.task.task.name}' has no run."
    return Explanation(
        subject="slot",
        task=case.task.task.name,
        task_id=case.task.task.id,
        namespace=case.task.task.namespace,
        run_id=entry.run_id if entry is not None else None,
        slot=case.instant,
        status=status,
        summary=summary,
        now=case.task.system.dispatchers.now,
        is_blocked=any(view.blocks for view in blockers),
        blockers=blockers,
        story=told[0].story if told else (),
    )


def _run_summary(case: RunCase, told: ExplainedRun) -> str:
    run = case.run
    subject = f"Run {run.id} of '{run.task_name}' is {run.status}"
    if run.status not in (TaskRunStatus.PENDING, TaskRunStatus.DISPATCHED):
        return f"{subject}."
    if told.is_blocked:
        return f"{subject}: {_count(told.blockers).lower()} from running."
    if any(view.code is BlockerCode.NOT_SORTED for view in told.blockers):
        return f"{subject}: nothing that is known keeps it from running."
    return f"{subject}: nothing keeps it from running, so a worker takes it at its next look."


def _count(blockers: Sequence[BlockerView]) -> str:
    count = sum(view.blocks for view in blockers)
    return "1 thing keeps it" if count == 1 else f"{count} things keep it"
