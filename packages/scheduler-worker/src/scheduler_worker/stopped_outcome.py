"""How a run ended that was stopped from outside of its executor."""

from scheduler_core.interfaces import RunOutcome
from scheduler_core.models import TaskRunStatus, TaskVersion
from scheduler_worker.live_run import LiveRun, StopReason


def stopped_outcome(live: LiveRun, version: TaskVersion, *, is_abandoned: bool = False) -> RunOutcome | None:
    """What is reported of it; None when others are to run it again.

    `is_abandoned`: its executor did not end it.
    """
    how = ", and its executor did not stop it" if is_abandoned else " and was stopped"
    if live.stop_reason is StopReason.CANCEL:
        return RunOutcome(status=TaskRunStatus.CANCELLED, error="Cancelled on request while it was running.")
    if live.stop_reason is StopReason.TIMEOUT:
        return RunOutcome(
            status=TaskRunStatus.TIMEOUT, error=f"It did not end within {version.timeout_seconds:g} s{how}."
        )
    if live.stop_reason is StopReason.TOTAL_TIMEOUT:
        # A version that the run was given since its first start may say nothing of it any more.
        limit = version.run_options.total_timeout_seconds
        told = "" if limit is None else f" ({limit:g} s)"
        return RunOutcome(
            status=TaskRunStatus.TIMEOUT,
            error=f"Its attempts together took total_timeout_seconds{told}; the last one did not end by then{how}.",
            retryable=False,
        )
    return None
