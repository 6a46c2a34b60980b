"""How settings are read: one loader for all files, variables and flags, and typed sections that components own."""

from scheduler_core.config.config_loader import load_settings
from scheduler_core.config.config_section import ConfigSection, Setting, setting
from scheduler_core.config.settings import Settings
from scheduler_core.config.state_dir import find_state_dir

__all__ = ["ConfigSection", "Setting", "Settings", "find_state_dir", "load_settings", "setting"]
