"""Runs that are missing or in the wrong state."""

from scheduler_core.errors.repository_error import ConflictError, NotFoundError


class TaskRunNotFoundError(NotFoundError):
    """The run was never created or has been removed by retention."""

    def __init__(self, run_id: int | str) -> None:
        # A number was given out once, or never will be; only of those can retention have removed one.
        gone = " It may have been removed by retention." if isinstance(run_id, int) else ""
        super().__init__(f"There is no task run {run_id}.{gone}")
        self.run_id = run_id


class TaskRunStateError(ConflictError):
    """The run's status does not allow what was asked."""

    def __init__(self, run_id: int, status: str, wish: str) -> None:
        super().__init__(f"Run {run_id} is {status} and cannot be {wish}.")
        self.run_id = run_id
        self.status = status


class QuarantineDecidedError(TaskRunStateError):
    """It was decided before what becomes of a quarantined run."""

    def __init__(self, run_id: int, released_run_id: int | None) -> None:
        decided = (
            "discarded already. To run it all the same, use `scheduler run retry` or `scheduler flow rerun`"
            if released_run_id is None
            else f"released already, as run {released_run_id}"
        )
        super().__init__(run_id, "QUARANTINED", f"decided again: it was {decided}")
        self.released_run_id = released_run_id


class IllegalTransitionError(ConflictError):
    """A run was asked to move between two statuses that the transition table does not join."""

    def __init__(self, source: str, target: str) -> None:
        super().__init__(f"A run cannot go from {source} to {target}.")
        self.source = source
        self.target = target
