"""Components that are not there or that stopped by themselves."""

from scheduler_core.errors.scheduler_error import SchedulerError


class ComponentMissingError(SchedulerError, LookupError):
    """A component was named that no installed distribution brings."""

    def __init__(self, name: str, installed: list[str]) -> None:
        have = ", ".join(installed) or "none"
        super().__init__(f"No component named '{name}' is installed (installed: {have}). Install scheduler-{name}.")
        self.name = name


class ComponentFailedError(SchedulerError):
    """A component could not start, or ended although nobody asked it to."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"The component '{name}' failed: {reason}")
        self.name = name
