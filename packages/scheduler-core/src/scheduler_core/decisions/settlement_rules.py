"""What the end of runs means to a run that waits for them."""

from scheduler_core.decisions.admission import birth_status
from scheduler_core.decisions.trigger_rules import Verdict, rule_verdict, skip_reason_of
from scheduler_core.models import SkipReason, TaskRunStatus, TaskStatus
from scheduler_core.models.settlement import Endings, RunVerdict, WaitingRun


def settled(run: WaitingRun) -> RunVerdict | None:
    """Where a waiting run stands now that others have ended; None when that is nothing to it any more.

    It is released as soon as its trigger rule holds and it waits for nothing else, and skipped as soon as the rule
    cannot hold any more. A group ends when all of its runs have ended.
    """
    if run.status is not TaskRunStatus.PENDING:
        return None
    if run.group_size is not None:
        return _settled_group(run, run.group_size)
    if run.trigger_rule is None:
        return _settled_plainly(run)
    return _settled_by_rule(run, run.trigger_rule)


def _settled_plainly(run: WaitingRun) -> RunVerdict:
    """all_success: the first failure decides, else the last end; of skipped runs nothing but their number is kept."""
    left = max(0, run.waiting_on - run.ended)
    skips = run.upstream_skips + run.new_skips
    if run.new_failures or (skips and left <= run.open_waits):
        reason = SkipReason.UPSTREAM_FAILED if run.new_failures else SkipReason.UPSTREAM_SKIPPED
        return _skipped(run, reason, left)
    return _released(run, left, Endings(run.upstreams, skips=skips) if skips else None)


def _settled_by_rule(run: WaitingRun, rule: str) -> RunVerdict:
    before = Endings(run.upstreams, run.upstream_successes, run.upstream_failures, run.upstream_skips)
    passes = run.ended - run.new_successes - run.new_failures - run.new_skips
    if before.open == 0:
        # The rule has held before all had ended: who ends now was not waited for any more.
        return _released(run, max(0, run.waiting_on - passes))
    endings = Endings(
        before.total,
        before.successes + run.new_successes,
        before.failures + run.new_failures,
        before.skips + run.new_skips,
    )
    verdict = rule_verdict(rule, endings)
    left = run.waiting_on - run.ended
    if verdict is Verdict.SKIP:
        return _skipped(run, skip_reason_of(rule, endings), max(0, left), endings)
    if verdict is Verdict.RUN:
        return _released(run, max(0, left - endings.open), endings._replace(total=endings.total - endings.open))
    return _released(run, max(0, left), endings)


def _settled_group(run: WaitingRun, size: int) -> RunVerdict:
    endings = Endings(
        size,
        run.upstream_successes + run.new_successes,
        run.upstream_failures + run.new_failures,
        run.upstream_skips + run.new_skips,
    )
    left = max(0, run.waiting_on - run.ended)
    is_failed = endings.failures > run.tolerated_failures
    if left:
        return RunVerdict(
            run_id=run.id,
            status=TaskRunStatus.PENDING,
            waiting_on=left,
            endings=endings,
            gives_up=is_failed and not run.is_sub_flow and run.new_failures > 0,
        )
    if run.cancel_requested:
        return RunVerdict(
            run_id=run.id, status=TaskRunStatus.CANCELLED, endings=endings, error="Cancelled, and its runs with it."
        )
    if not is_failed:
        return RunVerdict(run_id=run.id, status=TaskRunStatus.COMPLETED, endings=endings)
    return RunVerdict(run_id=run.id, status=TaskRunStatus.FAILED, endings=endings, error=_group_error(run, endings))


def _group_error(run: WaitingRun, endings: Endings) -> str:
    failures = endings.failures
    if run.is_sub_flow:
        return f"The sub-flow failed: {failures} of the runs that nothing waits for did not complete."
    tolerated = f"{run.tolerated_failures} may fail" if run.tolerated_failures else "none may fail"
    return f"{failures} of the group's {endings.total} runs did not complete; {tolerated}."


def _released(run: WaitingRun, waiting_on: int, endings: Endings | None = None) -> RunVerdict:
    """PENDING while it waits for something; where a dispatcher has to look at it first it stays so, too."""
    return RunVerdict(
        run_id=run.id,
        status=birth_status(run.task_status, waiting_on, run.expands or not run.is_due),
        waiting_on=waiting_on,
        endings=endings,
        expands=run.expands,
        held=run.task_status is TaskStatus.PAUSED,
    )


def _skipped(run: WaitingRun, reason: SkipReason, left: int, endings: Endings | None = None) -> RunVerdict:
    return RunVerdict(
        run_id=run.id,
        status=TaskRunStatus.SKIPPED,
        waiting_on=left,
        endings=endings,
        expands=run.expands,
        skip_reason=reason,
        error=_skip_error(run, reason, endings),
    )


def _skip_error(run: WaitingRun, reason: SkipReason, endings: Endings | None) -> str:
    if reason is SkipReason.RULE_UNMET and endings is not None:
        return (
            f"Not run: its trigger rule {run.trigger_rule} cannot hold any more: of {endings.total} runs upstream "
            f"{endings.successes} completed, {endings.failures} failed and {endings.skips} were skipped."
        )
    if run.spoiler_id is None:
        return f"Not run: its trigger rule {run.trigger_rule or 'all_success'} cannot hold any more."
    return f"Not run: upstream run {run.spoiler_id} is {run.spoiler_status}."
