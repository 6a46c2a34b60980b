"""The console script `scheduler`: what it knows itself, and every command group that installed packages bring."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cyclopts import App
from cyclopts.completion.install import create_install_completion_command

from scheduler_core.errors import SchedulerError
from scheduler_core.runtime.broken_plugin import BrokenPlugin
from scheduler_core.runtime.command_group import CommandGroup, installed_command_groups
from scheduler_core.runtime.command_line import run_app, versions
from scheduler_core.runtime.console import warn


class CompletionNotInstalledError(SchedulerError):
    """The completion script cannot be written to its place."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"The completion cannot be installed as '{error.filename}': {error.strerror}. Make that place writable, or "
            "name another one with --output."
        )


# Every target is imported when its word is used: `scheduler --help` loads none of them.
_OWN = (
    CommandGroup("up", "scheduler_core.runtime.up_command:up", "Start everything that is installed, here and now."),
    CommandGroup(
        "components", "scheduler_core.runtime.components_command:components", "List the installed components."
    ),
    CommandGroup(
        "config", "scheduler_core.runtime.config_command:app", "Show or check the configuration, or have it read again."
    ),
    CommandGroup("doctor", "scheduler_core.runtime.doctor_command:doctor", "Look for what could keep it from working."),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `scheduler` with the arguments of the process, or these, and return the exit code."""
    return run_app(scheduler_app(), sys.argv[1:] if argv is None else argv)


def scheduler_app() -> App:
    """The whole command line; plug-ins that are broken or take a word already taken are told and left out."""
    app = App(
        name="scheduler",
        help="Distributed task scheduling on PostgreSQL. 'scheduler up' starts a complete system on this machine.",
        version=versions,
        # Markdown would cost a third of the time that `scheduler --help` takes.
        help_format="plaintext",
    )
    taken = set()
    for group in [*_OWN, *installed_command_groups()]:
        if isinstance(group, BrokenPlugin):
            warn(str(group))
        elif group.name in taken:
            warn(f"The command '{group.name}' ({group.target}) is left out: another distribution has that name.")
        else:
            taken.add(group.name)
            app.command(group.target, name=group.name, help=group.help)
    app.command(create_install_completion_command(_installing(app), False), name="install-completion")
    return app


def _installing(app: App) -> Callable[..., Path]:
    def install(**options: Any) -> Path:
        try:
            return app.install_completion(**options)
        except OSError as error:
            raise CompletionNotInstalledError(error) from error

    return install
