"""Settings that cannot be used."""

from scheduler_core.errors.scheduler_error import SchedulerError


class ConfigError(SchedulerError, ValueError):
    """A setting has a value that cannot work; the text names the key, the value, its origin and the remedy."""


class UnknownConfigKeyError(ConfigError):
    """A setting has a name that nobody reads."""

    def __init__(self, key: str, origin: str, nearest: str | None) -> None:
        hint = f" Did you mean {nearest}?" if nearest else " Remove it."
        super().__init__(f"Unknown setting {key} ({origin}).{hint}")
        self.key = key
        self.nearest = nearest
