"""Whether a run can stand still."""

from scheduler_core.models import TaskRun, TaskRunStatus


def pause_problem(run: TaskRun, *, pause: bool) -> str | None:
    """Why a run cannot be paused, or resumed, as the end of "The run is … and cannot be"; None when it can."""
    wish = "paused" if pause else "resumed"
    if run.status.is_final:
        return f"{wish}: it has ended"
    if run.group_size is not None:
        return f"{wish}: it stands for others. See them with `scheduler run group {run.id}`"
    if run.status is not TaskRunStatus.RUNNING:
        if not pause:
            return f"{wish}: it is not running. `scheduler explain run {run.id}` tells what it waits for"
        return (
            f"{wish}: it has not started. Keep the runs of its task from starting with `scheduler task pause "
            f"{run.task_id}`, or take it out with `scheduler run cancel {run.id}`"
        )
    if pause and run.cancel_requested:
        return f"{wish}: it is being cancelled"
    return None
