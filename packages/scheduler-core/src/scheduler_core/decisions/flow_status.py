"""How a flow stands, by how the runs stand that nothing waits for."""

from collections.abc import Iterable

from scheduler_core.decisions.trigger_rules import Ending, ending_of
from scheduler_core.models import SkipReason, TaskRunStatus

FLOW_STATUSES = (TaskRunStatus.RUNNING, TaskRunStatus.COMPLETED, TaskRunStatus.FAILED, TaskRunStatus.CANCELLED)


def flow_status(leaves: Iterable[tuple[TaskRunStatus, SkipReason | None]]) -> TaskRunStatus:
    """RUNNING, FAILED, CANCELLED or COMPLETED, from the runs that nothing waits for and all that are not final.

    RUNNING while one is not final; else FAILED when one has failed or was skipped for a failure, CANCELLED when one was
    cancelled, COMPLETED otherwise. A failure that a run downstream has dealt with does not count.

    >>> flow_status([(TaskRunStatus.COMPLETED, None), (TaskRunStatus.SKIPPED, SkipReason.WHEN_FALSE)])
    <TaskRunStatus.COMPLETED: 'COMPLETED'>
    """
    found = TaskRunStatus.COMPLETED
    for status, skip_reason in leaves:
        if not status.is_final:
            return TaskRunStatus.RUNNING
        if status is TaskRunStatus.CANCELLED:
            found = found if found is TaskRunStatus.FAILED else TaskRunStatus.CANCELLED
        elif ending_of(status, skip_reason) is Ending.FAILURE:
            found = TaskRunStatus.FAILED
    return found
