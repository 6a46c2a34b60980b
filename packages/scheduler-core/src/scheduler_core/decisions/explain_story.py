"""How a run came about and how it went: what started it, what it was decided from, and who took it."""

from collections.abc import Iterator
from datetime import datetime

from scheduler_core.decisions.explain_case import RunCase
from scheduler_core.decisions.explain_words import runs_upstream, show, span, stands_for
from scheduler_core.models import ALL_SUCCESS, RunTrigger, SkipReason, TaskRunStatus
from scheduler_core.models.explanation import StoryPart
from scheduler_core.models.interval_wait import SlotOutcome
from scheduler_core.models.situation import OtherRun, RunSituation

_SKIPS = {
    SkipReason.UPSTREAM_FAILED: "its trigger rule could not hold any more after a failure upstream",
    SkipReason.UPSTREAM_SKIPPED: "its trigger rule could not hold any more after a run upstream was skipped",
    SkipReason.RULE_UNMET: "its rule for failures does not hold",
    SkipReason.WHEN_FALSE: "its condition was false",
    SkipReason.DEPENDENCY_UNMET: "a dependency on an interval was not met",
    SkipReason.GROUP_FAILED: "too many runs of its group had failed",
    SkipReason.WORKER_GONE: "the worker that it was meant for was gone",
    SkipReason.JOB_ASKED: "its job found nothing to do",
}


def run_story(case: RunCase) -> tuple[StoryPart, ...]:
    """All that is known of a run so far, in the order in which it happened."""
    run = case.run
    parts = [StoryPart(message=_origin(run), at=run.created_at), *_inputs(case), *_attempts(run), *_course(case)]
    moments: list[datetime] = []
    for part in parts:
        # What has no moment of its own stays behind what it is told after.
        moments.append(part.at or moments[-1])
    return tuple(parts[place] for place in sorted(range(len(parts)), key=moments.__getitem__))


def _origin(run: RunSituation) -> str:
    if run.group_id is not None and run.shard_index is not None:
        return f"Made as run {run.shard_index + 1} of {run.shard_total} of group {run.group_id}."
    if run.trigger is RunTrigger.SCHEDULE:
        return f"Made for the slot {show(run.scheduled_at)} of the schedule of '{run.task_name}'."
    if run.trigger is RunTrigger.DEPENDENCY:
        return f"Made as a part of flow {run.flow_id}."
    if run.trigger is RunTrigger.RETRY:
        return f"Made to run {run.retry_of} again." if run.retry_of else f"Made as a part of the rerun {run.flow_id}."
    return "Triggered by hand."


def _inputs(case: RunCase) -> Iterator[StoryPart]:
    run = case.run
    was_stopped = run.status is TaskRunStatus.CANCELLED and not run.attempt and run.group_size is None
    if run.ended_upstream and not was_stopped:
        yield _upstream(run)
    for each in case.waits:
        done = each.wait.outcomes.get(SlotOutcome.SUCCESS, 0)
        yield StoryPart(
            message=f"Its dependency on {each.words}, condition {each.wait.dependency.condition}: {each.wait.state}, "
            f"{done} of {each.wait.expected} slots succeeded.",
            at=each.wait.settled_at,
        )
    condition = run.flow_options.when
    if condition is not None and not run.expands and run.status is not TaskRunStatus.CANCELLED:
        if run.skip_reason is SkipReason.WHEN_FALSE:
            yield StoryPart(message=f"Its condition was false: {condition}")
        elif run.attempt or run.group_size is not None or run.is_claimable:
            yield StoryPart(message=f"Its condition was true: {condition}")


def _upstream(run: RunSituation) -> StoryPart:
    """What the trigger rule was judged by, which is what had ended by then."""
    judged = [other for other in run.ended_upstream if other.is_judged]
    named = [_input(other) for other in judged]
    if run.judged > len(judged):
        named.append(f"and {run.judged - len(judged)} more")
    listed = ", ".join(named).replace(", and ", " and ")
    rule = run.trigger_rule or ALL_SUCCESS
    last = max((other.completed_at for other in judged if other.completed_at), default=run.created_at)
    left = [other for other in (*run.ended_upstream, *run.open_upstream) if not other.is_judged]
    if run.status is TaskRunStatus.PENDING and run.group_size is None and left:
        message = f"Its trigger rule {rule} looks at {runs_upstream(run.upstreams)}; ended so far: {listed or 'none'}."
        return StoryPart(message=message, at=max(run.created_at, last))
    message = f"Its trigger rule {rule} looked at {runs_upstream(run.judged)}: {listed}."
    if left:
        message += f" Not waited for: {', '.join(_name(other) for other in left)}."
    return StoryPart(message=message, at=max(run.created_at, last))


def _name(other: OtherRun) -> str:
    return f"run {other.run_id} of '{other.task_name}'"


def _input(other: OtherRun) -> str:
    tolerated = " (its failure counts as a success)" if other.is_tolerated else ""
    over = "taken over from " if other.is_given else ""
    return f"{over}{_name(other)} {other.status}{tolerated}"


def _attempts(run: RunSituation) -> Iterator[StoryPart]:
    for past in run.attempts:
        on = f" on worker '{past.worker_id}'" if past.worker_id else ""
        why = f": {past.error}" if past.error else "."
        yield StoryPart(message=f"Attempt {past.attempt}{on} ended as {past.outcome}{why}", at=past.ended_at)


def _course(case: RunCase) -> Iterator[StoryPart]:
    run = case.run
    if run.started_at is not None and run.worker_id is not None and run.attempt:
        ends = [other.completed_at for other in run.ended_upstream if other.is_judged and other.completed_at]
        settled = [each.wait.settled_at for each in case.waits if each.wait.settled_at]
        waited = (run.started_at - max(run.created_at, run.not_before, *ends, *settled)).total_seconds()
        after = f", {span(waited)} after it could start" if waited >= 0 else ""
        yield StoryPart(
            message=f"Attempt {run.attempt} was taken by worker '{run.worker_id}' from queue '{run.queue}', type "
            f"'{run.task_type}', priority {run.priority}{after}.",
            at=run.started_at,
        )
    yield from _time(run)
    if run.group_size is not None:
        yield StoryPart(message=f"It {stands_for(run)}.")
    if run.cancel_requested and not run.status.is_final:
        who = "it ends when its runs have ended" if run.group_size is not None else "its worker is to end it"
        yield StoryPart(message=f"Its cancel was requested; {who}.")
    if run.completed_at is not None:
        yield StoryPart(message=_ending(run), at=run.completed_at)
    if run.status is TaskRunStatus.QUARANTINED:
        lost = "its worker once" if run.losses == 1 else f"its worker {run.losses} times"
        yield StoryPart(
            message=f"It has lost {lost} and is not tried again by itself: see `scheduler quarantine show {run.id}`, "
            f"then `scheduler quarantine release {run.id}` or `scheduler quarantine discard {run.id}`."
        )


def _time(run: RunSituation) -> Iterator[StoryPart]:
    if run.paused_at is not None:
        yield StoryPart(
            message="It was paused and stands still, with its time-outs, in its place at the worker: `scheduler run "
            f"resume {run.id}` lets it go on.",
            at=run.paused_at,
        )
    elif run.pause_requested:
        yield StoryPart(message="It is to be paused; its worker has not said yet that it stands still.")
    if run.start_before is not None and not run.status.is_final:
        setting = "total_timeout_seconds" if run.attempt else "queue_timeout_seconds"
        yield StoryPart(message=f"It is given up unless a worker begins it by {show(run.start_before)} ({setting}).")


def _ending(run: RunSituation) -> str:
    why = f": {run.error}" if run.error else "."
    if run.status is TaskRunStatus.SKIPPED:
        reason = _SKIPS.get(run.skip_reason) if run.skip_reason else None
        return f"SKIPPED, because {reason}{why}" if reason else f"SKIPPED{why}"
    if run.started_at is None or run.completed_at is None or run.worker_id is None:
        return f"{run.status}{'' if run.group_size is not None else ' before it was taken'}{why}"
    return f"{run.status} after {span((run.completed_at - run.started_at).total_seconds())}{why}"
