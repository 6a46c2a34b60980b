"""The console script scheduler-infra: administration of database and keys."""

import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App

from scheduler_core.runtime import run_app
from scheduler_infra.commands import COMMANDS


def main(argv: Sequence[str] | None = None) -> None:
    """Run scheduler-infra and exit with its code."""
    app = App(
        name="scheduler-infra",
        help="Administer the database and the API keys of a Scheduler installation.",
        version=lambda: f"scheduler-infra {version('scheduler-infra')}",
        help_format="plaintext",
    )
    for group in COMMANDS:
        app.command(group.target, name=group.name, help=group.help)
    sys.exit(run_app(app, argv))
