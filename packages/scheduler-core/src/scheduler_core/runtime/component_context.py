"""What a component is made with."""

from dataclasses import dataclass
from pathlib import Path

from scheduler_core.config import Settings
from scheduler_core.interfaces import Clock


@dataclass(frozen=True)
class ProcessContext:
    """The `ComponentContext` of this process."""

    settings: Settings
    clock: Clock
    is_embedded: bool

    @property
    def state_dir(self) -> Path:
        """Where embedded data, sockets and credentials live; exists and is private."""
        return self.settings.state_dir
