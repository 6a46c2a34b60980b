"""Commands that installed distributions bring to `scheduler`."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import NamedTuple

from scheduler_core.runtime.broken_plugin import BrokenPlugin

GROUP = "scheduler.commands"


class CommandGroup(NamedTuple):
    """One word below `scheduler`: a cyclopts App or a function at `target` ("module:name"), imported only when used.

    `name` must be the App's own name.
    """

    name: str
    target: str
    help: str


def installed_command_groups() -> Iterator[CommandGroup | BrokenPlugin]:
    """The groups in order of their names, by way of the light modules that announce them.

    A distribution whose announcement cannot be loaded is told as a BrokenPlugin instead.
    """
    found: list[CommandGroup] = []
    for entry in entry_points(group=GROUP):
        try:
            found.extend(CommandGroup(*group) for group in entry.load())
        except Exception as error:  # a plug-in may fail in any way
            yield BrokenPlugin.of(entry, error)
    yield from sorted(found)
