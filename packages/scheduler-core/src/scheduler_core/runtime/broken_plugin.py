"""Plug-ins that cannot be loaded."""

from importlib.metadata import EntryPoint
from typing import NamedTuple


class BrokenPlugin(NamedTuple):
    """An entry point that failed, with the distribution to repair or remove."""

    group: str
    name: str
    distribution: str
    reason: str

    @classmethod
    def of(cls, entry: EntryPoint, error: BaseException) -> "BrokenPlugin":
        """Describe the failure of an entry point."""
        owner = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "an unknown distribution"
        return cls(entry.group, entry.name, owner, f"{type(error).__name__}: {error}")

    def __str__(self) -> str:
        return (
            f"The plug-in '{self.name}' ({self.group}) of {self.distribution} cannot be loaded and is left out: "
            f"{self.reason}. Reinstall or remove that distribution."
        )
