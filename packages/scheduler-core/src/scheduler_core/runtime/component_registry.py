"""Which components are installed."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

from scheduler_core.config import Settings
from scheduler_core.decisions.nearest import nearest
from scheduler_core.errors import ComponentFailedError, ComponentMissingError
from scheduler_core.interfaces import Component
from scheduler_core.runtime.broken_plugin import BrokenPlugin

GROUP = "scheduler.components"


class InstalledComponent(NamedTuple):
    """A component as its distribution announces it; nothing has been imported yet."""

    name: str
    distribution: str
    version: str
    entry: EntryPoint

    def load(self) -> type[Component]:
        """Import the class; raises whatever the plug-in raises, and TypeError when it is no component."""
        loaded: Any = self.entry.load()
        missing = [word for word in ("name", "order", "is_enabled", "run") if not hasattr(loaded, word)]
        if not isinstance(loaded, type) or missing:
            raise TypeError(f"{self.entry.value} is not a component (it lacks {', '.join(missing) or 'a class'})")
        if getattr(loaded, "name", None) != self.name:
            raise TypeError(f"{self.entry.value} calls itself {getattr(loaded, 'name', None)!r}, not {self.name!r}")
        return loaded


class Selection(NamedTuple):
    """Component classes in their starting order, and the plug-ins that were left out because they are broken."""

    components: list[type[Component]]
    broken: list[BrokenPlugin]


def installed_components() -> list[InstalledComponent]:
    """All announced components in order of their names."""
    return [
        InstalledComponent(
            entry.name, entry.dist.name if entry.dist else "", entry.dist.version if entry.dist else "", entry
        )
        for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    ]


def select_components(
    settings: Settings,
    only: Sequence[str] | None = None,
    without: Sequence[str] = (),
    installed: Sequence[InstalledComponent] | None = None,
) -> Selection:
    """Load the components to run, ascending by order.

    Named ones run whatever the configuration says; else those that it enables. Raises ComponentMissingError for a
    name that is not installed, and ComponentFailedError when a named one cannot be loaded.
    """
    present = {component.name: component for component in (installed_components() if installed is None else installed)}
    for name in [*(only or ()), *without]:
        if name not in present:
            raise ComponentMissingError(name, list(present), nearest(name, present))
    chosen: list[type[Component]] = []
    broken = []
    for name, component in present.items():
        if name in without or (only is not None and name not in only):
            continue
        try:
            loaded = component.load()
        except Exception as error:  # a plug-in may fail in any way
            plugin = BrokenPlugin.of(component.entry, error)
            if only is not None:
                raise ComponentFailedError(name, str(plugin)) from error
            broken.append(plugin)
            continue
        if only is not None or loaded.is_enabled(settings):
            chosen.append(loaded)
    return Selection(sorted(chosen, key=lambda component: (component.order, component.name)), broken)
