"""What keeps a run from running: the predicates that dispatch, asked about one run, and told in sentences."""

from typing import Final

from scheduler_core.decisions.admission import ADMISSION, CLAIM, PERMITS, TURN, Blocker, blockers
from scheduler_core.decisions.explain_blockers import told
from scheduler_core.decisions.explain_case import RunCase
from scheduler_core.decisions.explain_story import run_story
from scheduler_core.decisions.explain_words import queue_down
from scheduler_core.models import Lane, TaskRunStatus
from scheduler_core.models.explanation import BlockerView, ExplainedRun
from scheduler_core.models.situation import RunFacts, RunSituation
from scheduler_core.models.turn import TurnFacts

_WAITING: Final = (TaskRunStatus.PENDING, TaskRunStatus.DISPATCHED)


def run_blockers(case: RunCase) -> tuple[BlockerView, ...]:
    """All that stands in a run's way at present, in the order in which it meets it; nothing for one that has begun.

    None of them blocks: the next look of a dispatcher and of the workers makes it RUNNING.
    """
    found = [view for blocker in _found(case.run, facts_of(case)) for view in told(blocker, case)]
    if case.run.status in _WAITING and case.queue_error is not None:
        found.append(queue_down(case.queue_error))
    return tuple(found)


def explained_run(case: RunCase) -> ExplainedRun:
    """A run, what stands in its way, and how it has come so far."""
    found = run_blockers(case)
    return ExplainedRun(
        run_id=case.run.id,
        status=case.run.status,
        scheduled_at=case.run.scheduled_at,
        is_blocked=any(view.blocks for view in found),
        blockers=found,
        story=run_story(case),
    )


def facts_of(case: RunCase) -> RunFacts:
    """The facts of a situation that admission and claim are decided from."""
    run = case.run
    is_member = run.group_id is not None and run.shard_index is not None and run.waiting_on > 0
    limit = run.flow_options.max_parallel
    accounted = run.untold + run.intervals + is_member
    return RunFacts(
        task_status=run.task_status,
        is_held=run.is_held,
        is_due=run.is_due,
        attempt=run.attempt,
        has_dispatcher=case.system.dispatchers.alive > 0,
        trigger_rule=run.trigger_rule,
        upstreams=run.upstreams,
        successes=run.successes,
        failures=run.failures_upstream,
        skips=run.skips,
        overlaps=run.overlaps,
        intervals=run.intervals,
        unaccounted=0 if run.group_size is not None else max(0, run.waiting_on - accounted),
        is_behind_group=is_member and limit is not None and run.group_released + run.group_ahead >= limit,
        is_group=run.group_size is not None,
        expands=run.expands,
        lane=Lane(run.queue, run.task_type),
        sessions=case.system.sessions,
        ahead=case.claims.ahead,
        assigned_to=run.assigned_to,
        turn=case.turn.facts if case.turn is not None else TurnFacts(),
    )


def _found(run: RunSituation, facts: RunFacts) -> list[Blocker]:
    """Who has begun or ended is kept by nothing. A group is never claimed, nor is a run that will become one."""
    if run.is_claimable:
        # Its admission has been decided, under locks; what has come since does not take it back.
        return blockers((*TURN, *PERMITS, *CLAIM), facts)
    if run.status is not TaskRunStatus.PENDING:
        return []
    is_claimed = not facts.is_group and not (facts.expands and run.flow_options.is_group)
    return blockers(ADMISSION, facts) + (blockers((*TURN, *PERMITS, *CLAIM), facts) if is_claimed else [])
