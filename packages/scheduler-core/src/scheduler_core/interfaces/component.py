"""A part of the system that runs in a process of its own, or beside others in one."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    import asyncio

    from scheduler_core.config import Settings
    from scheduler_core.interfaces.clock import Clock


class ComponentContext(Protocol):
    """What a component is given: settings, a clock, and where this installation keeps its state."""

    @property
    def settings(self) -> "Settings":
        """Typed sections of the configuration."""

    @property
    def clock(self) -> "Clock":
        """Time."""

    @property
    def state_dir(self) -> Path:
        """Where embedded data, sockets and credentials live; exists and is private."""

    @property
    def is_embedded(self) -> bool:
        """Whether several components share this process, as under `scheduler up`."""


class Component(Protocol):
    """Something `scheduler up` and the console scripts can run. Found by the group scheduler.components.

    Components start in ascending `order`, each after the one before is ready, and stop in descending order.
    """

    name: ClassVar[str]
    order: ClassVar[int]

    def __init__(self, context: ComponentContext) -> None:
        """Keep the context; open nothing."""

    @classmethod
    def is_enabled(cls, settings: "Settings") -> bool:
        """Whether the configuration wants it under `scheduler up`."""

    async def run(self, ready: Callable[[str], None], stopping: "asyncio.Event") -> None:
        """Open what is needed, call `ready` once with a line for people, and work until `stopping` is set.

        Then drain and return. Returning earlier, or raising, stops the whole process with an error. Cancelling
        it means: leave now.
        """


@runtime_checkable
class ReloadableComponent(Protocol):
    """A Component that takes over live settings while it runs. What lacks this needs a restart for every key."""

    async def reload(self, settings: "Settings") -> None:
        """Take over the keys that are declared live; no others differ from those that the component has.

        Called while `run` is under way or when it has ended. Raises ConfigError before anything is changed when a
        value cannot be used; then it is called again with the old settings.
        """


@runtime_checkable
class WatchedComponent(Protocol):
    """A Component that can tell while it runs whether it still works, beyond that the loop of its process turns."""

    name: ClassVar[str]

    def is_working(self) -> bool:
        """Whether it does what it is there for; what is away outside of this process does not count.

        Called from the process's loop several times within the patience of its service manager; False each time makes
        that end the process.
        """
