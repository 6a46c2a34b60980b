"""What can keep a worker from working."""

from scheduler_core.errors import ConfigError, SchedulerError


class RunsAsRootError(ConfigError):
    """The worker was started as root without the consent that this needs."""

    def __init__(self) -> None:
        super().__init__(
            "The worker was started as root while worker.allow_root is false: every task could change anything on this "
            "machine. Start it as another user, or set worker.allow_root = true where that is meant, as on a "
            "development machine."
        )


class NoExecutorError(SchedulerError):
    """No task executor could be loaded, so no run could ever be taken."""

    def __init__(self) -> None:
        super().__init__(
            "No task executor can be loaded, so this worker could run nothing. The warnings above name the broken "
            "distributions; reinstall scheduler-worker."
        )


class HeartbeatFailedError(SchedulerError):
    """The thread that renews the lease ended by a fault of its own."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The worker's heartbeat failed: {reason}. Its jobs have been killed and will be run by others; start the "
            "worker again, and report this with the log lines above."
        )


class LeaseEndedError(SchedulerError):
    """A job was killed, or not begun, because the lease had ended: that is no failure of the job."""

    def __init__(self) -> None:
        super().__init__("The lease had ended when a job was to go on; all jobs of this worker are dead.")


class ProcessesInOneError(ConfigError):
    """Several worker processes were asked for where the worker shares one with other components."""

    def __init__(self, processes: int) -> None:
        super().__init__(
            f"worker.processes is {processes}, but here the worker shares one process with other components. Start "
            "`scheduler-worker` beside `scheduler up --without worker`, or set worker.processes = 1."
        )
