"""Worker sessions that cannot begin or have been lost."""

from scheduler_core.errors.repository_error import NotFoundError
from scheduler_core.errors.scheduler_error import SchedulerError


class WorkerIdTakenError(SchedulerError):
    """Another live session uses the same worker id."""

    def __init__(self, worker_id: str, hostname: str, pid: int, seconds_left: float) -> None:
        super().__init__(
            f"The worker id '{worker_id}' is in use by process {pid} on host {hostname}, whose lease runs "
            f"{seconds_left:.0f} s more. Stop that worker, or set worker.worker_id to another name."
        )
        self.worker_id = worker_id
        self.hostname = hostname
        self.pid = pid
        self.seconds_left = seconds_left


class SessionFencedError(SchedulerError):
    """The worker's session is over: its lease ran out or it was declared lost, so nothing it reports counts."""

    def __init__(self, session_id: int) -> None:
        super().__init__(f"Worker session {session_id} is no longer alive; its runs have been given to others.")
        self.session_id = session_id


class WorkerNotFoundError(NotFoundError):
    """No worker has ever had this id."""

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"There is no worker '{reference[:200]}', and no session with that id. `scheduler worker list` shows all."
        )
