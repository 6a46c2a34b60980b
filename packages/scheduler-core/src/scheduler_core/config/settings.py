"""All settings of a process, read once."""

from pathlib import Path
from typing import TypeVar

from scheduler_core.config.config_section import ConfigSection

SectionT = TypeVar("SectionT", bound=ConfigSection)


class Settings:
    """Typed sections of the merged configuration."""

    @property
    def environment(self) -> str:
        """The value of SCHEDULER_ENV, such as "development" or "production"."""
        raise NotImplementedError

    @property
    def state_dir(self) -> Path:
        """SCHEDULER_STATE_DIR, else the platform's place for state."""
        raise NotImplementedError

    def section(self, section: type[SectionT]) -> SectionT:
        """The section with its defaults filled in; raises ConfigError naming key, value, origin and remedy."""
        raise NotImplementedError
