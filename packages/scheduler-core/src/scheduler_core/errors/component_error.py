"""Components that are not there or that stopped by themselves."""

from scheduler_core.errors.scheduler_error import SchedulerError


class ComponentMissingError(SchedulerError, LookupError):
    """A component was named that no installed distribution brings."""

    def __init__(self, name: str, installed: list[str], nearest: str | None = None) -> None:
        have = ", ".join(installed) or "none"
        remedy = f"Did you mean {nearest}?" if nearest else f"Install scheduler-{name}."
        super().__init__(f"No component named '{name}' is installed (installed: {have}). {remedy}")
        self.name = name


class ComponentFailedError(SchedulerError):
    """A component could not start, or ended although nobody asked it to."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"The component '{name}' failed: {reason}")
        self.name = name
