"""Where a run stands once its expansion is decided. Apart from the decision, which needs a template engine."""

from scheduler_core.models import TaskRunStatus
from scheduler_core.models.expansion import Expansion
from scheduler_core.models.settlement import RunVerdict


def verdict_of(expansion: Expansion) -> RunVerdict | None:
    """Where the run itself stands after that; None when it waits for the runs of its group from now on."""
    if expansion.skip_reason is not None:
        status = TaskRunStatus.SKIPPED
    elif expansion.error is not None:
        status = TaskRunStatus.FAILED
    elif expansion.members or expansion.plan is not None:
        return None
    else:
        status = TaskRunStatus.DISPATCHED if expansion.members is None else TaskRunStatus.COMPLETED
    return RunVerdict(run_id=expansion.run_id, status=status, skip_reason=expansion.skip_reason, error=expansion.error)
