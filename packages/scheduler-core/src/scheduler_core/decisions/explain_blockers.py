"""What is said of each blocker of a run: what it is, what ends it, and when that is expected."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from scheduler_core.decisions.admission import Blocker, takes
from scheduler_core.decisions.explain_case import RunCase, ToldWait
from scheduler_core.decisions.explain_turn import TURN_WORDS
from scheduler_core.decisions.explain_words import (
    deleted,
    dispatcher_down,
    paused,
    runs_upstream,
    show,
    span,
    stands_for,
    typed,
)
from scheduler_core.models import ALL_SUCCESS, Lane
from scheduler_core.models.explanation import BlockerCode, BlockerView
from scheduler_core.models.interval_wait import IntervalWait, SlotOutcome, WaitState
from scheduler_core.models.situation import OtherRun, RunSituation, SessionFacts


def told(blocker: Blocker, case: RunCase) -> list[BlockerView]:
    """What is to be said of one blocker of a run: mostly one thing, several where it waits for several."""
    if blocker.code is BlockerCode.TRIGGER_RULE:
        return _trigger_rule(case, is_final=blocker.is_final)
    return _WORDS[blocker.code](case)


def _dispatcher_down(case: RunCase) -> list[BlockerView]:
    return [dispatcher_down(case.system)]


def _deleted(case: RunCase) -> list[BlockerView]:
    return [deleted(case.run.task_name, case.run.task_status_since)]


def _paused(case: RunCase) -> list[BlockerView]:
    return [paused(case.run.task_name, case.run.namespace, case.run.task_status_since)]


def _not_due(case: RunCase) -> list[BlockerView]:
    run = case.run
    delay = (run.not_before - run.scheduled_at).total_seconds()
    late = f", {span(delay)} after its slot" if delay > 0 else ""
    return [
        BlockerView(
            code=BlockerCode.NOT_DUE,
            message=f"It may not start before {show(run.not_before)}{late}.",
            clears="Time.",
            since=run.created_at,
            estimate=run.not_before,
        )
    ]


def _backoff(case: RunCase) -> list[BlockerView]:
    run = case.run
    last = run.attempts[-1] if run.attempts else None
    how = f"Attempt {run.attempt} ended as {last.outcome}" if last else f"Attempt {run.attempt} did not end it"
    failed = f" ({run.failures} of at most {run.max_retries + 1} attempts failed)" if run.failures else ""
    return [
        BlockerView(
            code=BlockerCode.BACKOFF,
            message=f"{how}{failed}; the next one may start at {show(run.not_before)}.",
            clears="Time.",
            since=last.ended_at if last else None,
            estimate=run.not_before,
        )
    ]


def _overlap(case: RunCase) -> list[BlockerView]:
    run = case.run
    word = "1 earlier run" if run.overlaps == 1 else f"{run.overlaps} earlier runs"
    first = run.open_overlaps[0] if run.open_overlaps else None
    return [
        BlockerView(
            code=BlockerCode.OVERLAP,
            message=f'It waits for {word} of its task (overlap = "{run.overlap}"): {_named(run.open_overlaps)}.',
            clears="Their end, however they end.",
            since=run.created_at,
            run_id=first.run_id if first else None,
            task=run.task_name,
        )
    ]


def _upstream(case: RunCase) -> list[BlockerView]:
    run = case.run
    found = [
        BlockerView(
            code=BlockerCode.UPSTREAM,
            message=f"Upstream run {other.run_id} of '{other.task_name}' is {other.status}.",
            clears=f"The end of run {other.run_id}; see `scheduler explain run {other.run_id}`.",
            since=run.created_at,
            run_id=other.run_id,
            task=other.task_name,
        )
        for other in run.open_upstream
    ]
    more = run.upstreams - run.successes - run.failures_upstream - run.skips - len(found)
    if more > 0:
        found.append(
            BlockerView(
                code=BlockerCode.UPSTREAM,
                message=f"{more} more {'run upstream has' if more == 1 else 'runs upstream have'} not ended.",
                clears="Their end.",
                since=run.created_at,
            )
        )
    return found


def _trigger_rule(case: RunCase, *, is_final: bool) -> list[BlockerView]:
    run = case.run
    left = run.upstreams - run.successes - run.failures_upstream - run.skips
    counts = (
        f"{run.successes} succeeded, {run.failures_upstream} failed, {run.skips} skipped, {left} not ended, of "
        f"{runs_upstream(run.upstreams)}"
    )
    rule = run.trigger_rule or ALL_SUCCESS
    return [
        BlockerView(
            code=BlockerCode.TRIGGER_RULE,
            message=f"Its trigger rule {rule} {'cannot hold any more' if is_final else 'does not hold yet'}: {counts}.",
            clears="Nothing: it is about to be skipped." if is_final else "The end of others upstream.",
            since=run.created_at,
        )
    ]


def _interval(case: RunCase) -> list[BlockerView]:
    waits = [each for each in case.waits if each.wait.state in (WaitState.OPEN, WaitState.OVERDUE)]
    return [_wait(case.run, each) for each in waits] or [
        BlockerView(
            code=BlockerCode.INTERVAL,
            message="A dependency on an interval is not met."
            if case.run.intervals == 1
            else f"{case.run.intervals} of its dependencies on intervals are not met.",
            clears="Runs of those intervals.",
            since=case.run.created_at,
        )
    ]


def _wait(run: RunSituation, each: ToldWait) -> BlockerView:
    wait = each.wait
    done = wait.outcomes.get(SlotOutcome.SUCCESS, 0)
    missing = ", ".join(
        show(slot.scheduled_at)
        + (f" (run {slot.upstream_run_id} is {slot.upstream_status})" if slot.upstream_run_id else "")
        for slot in wait.missing
    )
    more = wait.expected - done - len(wait.missing)
    listed = f"; missing: {missing}" + (f" and {more} more" if more > 0 else "") if missing else ""
    late = ""
    if wait.deadline_at is not None:
        verb = "passed" if wait.state is WaitState.OVERDUE else "is"
        late = f' Its deadline {verb} {show(wait.deadline_at)} (on_unmet = "{wait.dependency.on_unmet}").'
    return BlockerView(
        code=BlockerCode.INTERVAL,
        message=f"It waits for {each.words}, condition {wait.dependency.condition}: {done} of {wait.expected} "
        f"succeeded{listed}.{late}",
        clears=_wanted_runs(run, wait),
        since=run.created_at,
        estimate=wait.deadline_at if wait.state is WaitState.OPEN else None,
        run_id=next((slot.upstream_run_id for slot in wait.missing if slot.upstream_run_id), None),
        task=wait.upstream_task,
    )


def _wanted_runs(run: RunSituation, wait: IntervalWait) -> str:
    """What makes the missing slots succeed: their failed runs, run again, or a look at why there is no run."""
    failed = [
        str(slot.upstream_run_id)
        for slot in wait.missing
        if slot.upstream_run_id is not None and slot.upstream_status is not None and slot.upstream_status.is_final
    ]
    upstream = typed(wait.upstream_task, run.namespace)
    again = f" Run again what has not succeeded: `scheduler run retry {' '.join(failed)}`." if failed else ""
    if len(failed) == len(wait.missing) and failed:
        return f"Successful runs of '{wait.upstream_task}' for those slots.{again}"
    return (
        f"Runs of '{wait.upstream_task}' for those slots; `scheduler explain slot {upstream} SLOT` tells why one is "
        f"missing.{again}"
    )


def _group_full(case: RunCase) -> list[BlockerView]:
    run = case.run
    return [
        BlockerView(
            code=BlockerCode.GROUP_FULL,
            message=f"Of its group (run {run.group_id}) at most {run.flow_options.max_parallel} runs go at once: "
            f"{run.group_released} do, and {run.group_ahead} come before it.",
            clears="The end of others of the group, or a greater max_parallel.",
            since=run.created_at,
            run_id=run.group_id,
        )
    ]


def _group_running(case: RunCase) -> list[BlockerView]:
    run = case.run
    has_worker = any(takes(session, Lane(run.queue, run.task_type)) for session in case.system.sessions)
    one_lane = not run.flow_options.broadcast and run.flow_options.sub_flow is None
    offered = "waiting for a worker to take them" if has_worker or not one_lane else "without a worker"
    counts = (
        (run.members_running, "running"),
        (run.members_offered, offered),
        (run.members_queued, "waiting for others" if run.flow_options.sub_flow else "waiting for a place in the group"),
        (run.members_delayed, "backing off"),
    )
    now = ", ".join(f"{count} {what}" for count, what in counts if count)
    return [
        BlockerView(
            code=BlockerCode.GROUP_RUNNING,
            message=f"It {stands_for(run)}, and runs nothing itself{f': {now}' if now else ''}.",
            clears=f"The end of all of them; see `scheduler run group {run.id}`.",
        )
    ]


def _unaccounted(case: RunCase) -> list[BlockerView]:
    return [
        BlockerView(
            code=BlockerCode.UNACCOUNTED,
            message=f"It counts {case.run.waiting_on} to wait for, and they cannot be found. This is a fault.",
            clears=f"Make it anew: `scheduler run cancel {case.run.id}`, then `scheduler run retry {case.run.id}`.",
            since=case.run.created_at,
        )
    ]


def _not_expanded(case: RunCase) -> list[BlockerView]:
    run = case.run
    todo = [f"evaluate its condition {run.flow_options.when}"] if run.flow_options.when is not None else []
    todo += ["make the runs of its group"] if run.flow_options.is_group else []
    skipped = " It is skipped when the condition is false." if run.flow_options.when is not None else ""
    return [
        BlockerView(
            code=BlockerCode.NOT_EXPANDED,
            message=f"A dispatcher has yet to {' and to '.join(todo) or 'look at it'}.",
            clears=f"A dispatcher's next look, once it waits for nothing else.{skipped}",
            # A condition is evaluated and its run started in one look; what becomes a group never runs itself.
            blocks=run.flow_options.is_group,
        )
    ]


def _no_worker(case: RunCase) -> list[BlockerView]:
    run, sessions = case.run, case.system.sessions
    return [
        BlockerView(
            code=BlockerCode.NO_WORKER,
            message=_missing_worker(run.queue, run.task_type, sessions),
            clears=f"A worker that takes queue '{run.queue}' and type '{run.task_type}'.",
        )
    ]


def _missing_worker(queue: str, task_type: str, sessions: Sequence[SessionFacts]) -> str:
    live = [session for session in sessions if session.has_lease]
    if not live:
        gone = f" ({len(sessions)} with an expired lease)" if sessions else ""
        return f"No worker is alive{gone}."
    awake = [session for session in live if not session.is_draining]
    of_queue = [session for session in live if queue in session.queues or queue == f"@{session.worker_id}"]
    if queue.startswith("@") and not of_queue:
        return f"It is meant for worker '{queue[1:]}', which is not alive."
    if not of_queue:
        return f"No live worker takes queue '{queue}' (alive: {_workers(live)})."
    fitting = [session for session in of_queue if task_type in session.task_types]
    if not fitting:
        return f"No live worker of queue '{queue}' takes type '{task_type}' (alive: {_workers(of_queue)})."
    if not any(session in awake for session in fitting):
        return f"All workers of queue '{queue}' and type '{task_type}' are draining: {_workers(fitting)}."
    return f"No live worker takes queue '{queue}' and type '{task_type}'."


def _places_busy(case: RunCase) -> list[BlockerView]:
    run = case.run
    sessions = [
        session
        for session in case.system.sessions
        if takes(session, Lane(run.queue, run.task_type)) and run.assigned_to in (None, session.id)
    ]
    places, free = sum(session.places for session in sessions), sum(session.free for session in sessions)
    ahead = case.claims.ahead_in_lane
    word = "1 run is" if ahead == 1 else f"{ahead or 'no'} runs are"
    if not ahead and free:
        word = "runs of other queues or types, or such as are about to start, are"
    workers = "1 worker" if len(sessions) == 1 else f"{len(sessions)} workers"
    order = "background" if run.is_background else f"priority {run.priority}"
    return [
        BlockerView(
            code=BlockerCode.PLACES_BUSY,
            message=f"{places - free} of {places} places at {workers} for queue '{run.queue}' and type "
            f"'{run.task_type}' are taken, and {word} ahead of it in the order of claims ({order}, due "
            f"{show(run.not_before)}).",
            clears="The end of runs there, more places (worker.max_concurrent_tasks), or more workers.",
            since=max(run.created_at, run.not_before) if run.is_due else None,
        )
    ]


def _named(runs: Sequence[OtherRun]) -> str:
    return ", ".join(f"run {other.run_id} ({other.status})" for other in runs) or "runs that have just ended"


def _workers(sessions: Sequence[SessionFacts]) -> str:
    named = ", ".join(session.worker_id for session in sessions[:5])
    return f"{named} and {len(sessions) - 5} more" if len(sessions) > 5 else named


_WORDS: Final[Mapping[BlockerCode, Callable[[RunCase], list[BlockerView]]]] = {
    BlockerCode.DISPATCHER_DOWN: _dispatcher_down,
    BlockerCode.DELETED: _deleted,
    BlockerCode.PAUSED: _paused,
    BlockerCode.NOT_DUE: _not_due,
    BlockerCode.BACKOFF: _backoff,
    BlockerCode.OVERLAP: _overlap,
    BlockerCode.UPSTREAM: _upstream,
    BlockerCode.INTERVAL: _interval,
    BlockerCode.GROUP_FULL: _group_full,
    BlockerCode.GROUP_RUNNING: _group_running,
    BlockerCode.UNACCOUNTED: _unaccounted,
    BlockerCode.NOT_EXPANDED: _not_expanded,
    BlockerCode.NO_WORKER: _no_worker,
    BlockerCode.PLACES_BUSY: _places_busy,
    **TURN_WORDS,
}
