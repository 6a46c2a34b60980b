"""How settings are read: one loader for all files, variables and flags, and typed sections that components own."""

from scheduler_core.config.config_section import ConfigSection, setting
from scheduler_core.config.settings import Settings

__all__ = ["ConfigSection", "Settings", "setting"]
