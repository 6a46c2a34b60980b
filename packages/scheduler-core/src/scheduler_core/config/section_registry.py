"""Which distributions own which sections."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

from scheduler_core.config.config_section import ConfigSection

GROUP = "scheduler.config_sections"

# Known whether or not their owner is installed, so that one set of files serves every host.
KNOWN_SECTIONS = ("database", "message_queue", "observability", "dispatcher", "worker", "api")


class BrokenSection(NamedTuple):
    """A section whose owner cannot be imported; its keys are not checked."""

    name: str
    distribution: str
    reason: str


class InstalledSections(NamedTuple):
    """The sections of the installed distributions, known names first, and those that could not be loaded."""

    sections: dict[str, type[ConfigSection]]
    broken: tuple[BrokenSection, ...]

    @property
    def names(self) -> list[str]:
        """Every section name that may be used in a configuration."""
        return list(dict.fromkeys([*KNOWN_SECTIONS, *self.sections, *(section.name for section in self.broken)]))


@cache
def installed_sections() -> InstalledSections:
    """Load every section that the installed distributions announce; one that is broken does not stop the rest."""
    sections: dict[str, type[ConfigSection]] = {}
    broken = []
    for entry in sorted(entry_points(group=GROUP), key=_position):
        try:
            sections[entry.name] = _load(entry)
        except Exception as error:  # a plug-in may fail in any way
            owner = entry.dist.name if entry.dist is not None else "unknown"
            broken.append(BrokenSection(entry.name, owner, f"{type(error).__name__}: {error}"))
    return InstalledSections(sections, tuple(broken))


def _position(entry: EntryPoint) -> tuple[int, str]:
    known = KNOWN_SECTIONS.index(entry.name) if entry.name in KNOWN_SECTIONS else len(KNOWN_SECTIONS)
    return known, entry.name


def _load(entry: EntryPoint) -> type[ConfigSection]:
    loaded = entry.load()
    if not (isinstance(loaded, type) and issubclass(loaded, ConfigSection)):
        raise TypeError(f"{entry.value} is not a ConfigSection")
    if loaded.section != entry.name:
        raise TypeError(f"{entry.value} names its section {loaded.section!r}, its entry point says {entry.name!r}")
    return loaded
