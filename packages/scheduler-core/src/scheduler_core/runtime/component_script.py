"""The console script of one component, such as scheduler-worker."""

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version

from cyclopts import App

from scheduler_core.runtime.command_group import CommandGroup
from scheduler_core.runtime.command_line import run_app
from scheduler_core.runtime.component_process import run_components
from scheduler_core.runtime.config_options import ConfigOptions


def run_component_script(
    name: str,
    argv: Sequence[str] | None = None,
    *,
    commands: Sequence[CommandGroup] = (),
    run: Callable[..., int] | None = None,
) -> int:
    """Run ``scheduler-NAME [run] [--config-dir DIR] [--set section.key=value …]`` and return the exit code.

    `commands` are further words of the script, imported only when used; `run` is what is done instead of running the
    component here and now, with a docstring for its help.
    """
    return run_app(component_app(name, commands, run), argv)


def component_app(name: str, commands: Sequence[CommandGroup] = (), run: Callable[..., int] | None = None) -> App:
    """The command line of a component's console script."""
    app = App(
        name=f"scheduler-{name}",
        help=f"Run the Scheduler's {name} until a signal: SIGTERM or Ctrl-C drains it, a second one ends it at once.",
        version=lambda: f"scheduler-{name} {_version_of(name)}",
        help_format="plaintext",
    )

    def run_here(*, config: ConfigOptions | None = None) -> int:
        config = config or ConfigOptions()
        return run_components([name], flags=config.flags, config_dir=config.config_dir)

    run_here.__doc__ = f"Run the {name} until a signal. This is also what no command at all does."
    app.default(run or run_here)
    app.command(run or run_here, name="run")
    for group in commands:
        app.command(group.target, name=group.name, help=group.help)
    return app


def _version_of(name: str) -> str:
    try:
        return version(f"scheduler-{name}")
    except PackageNotFoundError:
        return "(not installed)"
