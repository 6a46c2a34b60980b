"""The options that name settings, the same on every command that reads them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def _check_assignments(_: object, assignments: list[str] | None) -> None:
    for assignment in assignments or ():
        name, equals, _value = assignment.partition("=")
        section, dot, key = name.partition(".")
        if not (equals and dot and section and key):
            raise ValueError(f"{assignment!r} is not of the form section.key=value, like worker.max_concurrent_tasks=4")


@Parameter(name="*")
@dataclass(frozen=True)
class ConfigOptions:
    """Where settings are read from, and those that win over all files and variables."""

    config_dir: Annotated[
        Path | None,
        Parameter(name="--config-dir", help="Directory of the configuration files.", show_default=False),
    ] = None
    assignments: Annotated[
        list[str],
        Parameter(
            name="--set",
            help="A setting as section.key=value; may be given again.",
            negative=(),
            validator=_check_assignments,
            show_default=False,
        ),
    ] = field(default_factory=list)

    @property
    def flags(self) -> dict[str, str]:
        """The settings given, by name; the last of several for one name wins."""
        pairs = (assignment.partition("=") for assignment in self.assignments)
        return {name.strip(): value for name, _, value in pairs}
