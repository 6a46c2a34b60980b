"""Whether a run may start."""

from scheduler_core.models import TaskRunStatus, TaskStatus


def birth_status(status: TaskStatus, waiting_on: int, delayed: bool) -> TaskRunStatus:
    """DISPATCHED for a run of an ACTIVE task that waits for nothing and has no delay, else PENDING.

    >>> birth_status(TaskStatus.ACTIVE, 0, delayed=False)
    <TaskRunStatus.DISPATCHED: 'DISPATCHED'>
    >>> birth_status(TaskStatus.PAUSED, 0, delayed=False)
    <TaskRunStatus.PENDING: 'PENDING'>
    """
    if status is TaskStatus.ACTIVE and waiting_on == 0 and not delayed:
        return TaskRunStatus.DISPATCHED
    return TaskRunStatus.PENDING
