"""`scheduler up`: a complete system in one process."""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scheduler_core.config import Settings
from scheduler_core.runtime.command_group import CommandGroup, installed_command_groups
from scheduler_core.runtime.component_process import Announcement, run_components
from scheduler_core.runtime.config_options import ConfigOptions
from scheduler_core.runtime.console import say, wants_colour

_NEXT = {
    "task": ("task list", "what is defined"),
    "run": ("run list", "what has run"),
    "worker": ("worker list", "who works"),
}


def up(
    *,
    only: Annotated[
        str, Parameter(help="Components to run, separated by commas, and no others.", show_default=False)
    ] = "",
    without: Annotated[str, Parameter(help="Components to leave out, separated by commas.", show_default=False)] = "",
    config: ConfigOptions | None = None,
) -> int:
    """Start the installed components in this process, and PostgreSQL with them, and run until a signal.

    Ctrl-C finishes what is running and stops PostgreSQL last; a second Ctrl-C leaves at once.
    """
    config = config or ConfigOptions()
    return run_components(
        _names(only) or None,
        without=_names(without),
        flags=config.flags,
        config_dir=config.config_dir,
        announcement=TerminalAnnouncement,
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


class TerminalAnnouncement(Announcement):
    """Tells a person what was started, where things are, and what to type next."""

    def ready(self, name: str, line: str) -> None:
        """Write the component's line."""
        say(f"  {_bold(f'{name:<12}')} {line}")

    def all_ready(self) -> None:
        """Write where configuration and data are, and what can be done now."""
        settings = self._settings
        say(
            f"  {_bold('data        ')} {settings.state_dir}",
            f"  {_bold('settings    ')} {_describe_settings(settings)}",
            "",
            "Scheduler is ready. Next, in another terminal:",
            *_next_lines(),
            "",
            "Ctrl-C stops it.",
        )


def _describe_settings(settings: Settings) -> str:
    where = str(settings.config_dir.absolute()) if settings.config_dir else "no files, defaults"
    return f"{where} (environment {settings.environment})" if settings.environment else where


def _next_lines() -> list[str]:
    present = {group.name for group in installed_command_groups() if isinstance(group, CommandGroup)}
    wanted = [_NEXT[name] for name in _NEXT if name in present]
    command = _command_to_type()
    setting = os.environ.get("SCHEDULER_STATE_DIR")
    where = [f"  export SCHEDULER_STATE_DIR={shlex.quote(setting)}"] if setting else []
    lines = [*wanted, ("doctor", "is everything well?")]
    width = max(28, *(len(f"{command} {words}") + 2 for words, _ in lines))
    return where + [f"  {f'{command} {words}':<{width}} {effect}" for words, effect in lines]


def _command_to_type() -> str:
    """`scheduler`, or its path where the shell would not find it."""
    script = Path(sys.argv[0])
    found = shutil.which("scheduler")
    if not script.exists() or (found is not None and Path(found).samefile(script)):
        return "scheduler"
    return os.path.relpath(script)


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if wants_colour(sys.stderr) else text
