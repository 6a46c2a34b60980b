"""How a process starts: which components and commands are installed, and how they run to the end.

Names are imported when they are first used, so that ``scheduler --help`` loads nothing that it does not show.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduler_core.runtime.check import CheckResult
    from scheduler_core.runtime.command_group import CommandGroup
    from scheduler_core.runtime.command_line import run_app
    from scheduler_core.runtime.component_process import run_components
    from scheduler_core.runtime.component_script import run_component_script
    from scheduler_core.runtime.exit_code import ExitCode, exit_code_of
    from scheduler_core.runtime.system_clock import SystemClock

__all__ = [
    "CheckResult",
    "CommandGroup",
    "ExitCode",
    "SystemClock",
    "exit_code_of",
    "run_app",
    "run_component_script",
    "run_components",
]

_HOMES = {
    "CheckResult": "check",
    "CommandGroup": "command_group",
    "ExitCode": "exit_code",
    "SystemClock": "system_clock",
    "exit_code_of": "exit_code",
    "run_app": "command_line",
    "run_component_script": "component_script",
    "run_components": "component_process",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
