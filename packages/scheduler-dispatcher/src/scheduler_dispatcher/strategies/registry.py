"""The strategies of a dispatcher by name: installed ones and composites."""

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint

import structlog

from scheduler_core.errors import ConfigError
from scheduler_core.interfaces import DispatchStrategy
from scheduler_core.models import SHARED_STRATEGY
from scheduler_core.runtime.broken_plugin import BrokenPlugin
from scheduler_dispatcher.dispatcher_config import DispatcherConfig
from scheduler_dispatcher.strategies.composite_strategy import CompositeStrategy
from scheduler_dispatcher.strategies.guarded_strategy import GuardedStrategy
from scheduler_dispatcher.strategies.installed_strategies import installed_strategies

logger = structlog.get_logger("scheduler.dispatcher")


class Strategies:
    """Makes each strategy when it is first asked for, once. One that cannot be made is logged and counts as unknown.

    `composites` are sound: see `composite_problems`. Until `use` says otherwise the default is `shared`.
    """

    def __init__(self, installed: Mapping[str, EntryPoint], composites: Mapping[str, Sequence[str]]) -> None:
        self._installed = installed
        self._composites = composites
        self._made: dict[str, DispatchStrategy | None] = {}
        self._broken: dict[str, BrokenPlugin] = {}
        self._default = SHARED_STRATEGY

    @classmethod
    def from_config(cls, config: DispatcherConfig) -> "Strategies":
        """Those of a checked configuration; raises ConfigError when the default one cannot be made."""
        strategies = cls(installed_strategies(), config.composites)
        strategies.use(config.strategy)
        return strategies

    @property
    def default_name(self) -> str:
        """What decides for tasks that name no strategy."""
        return self._default

    @property
    def names(self) -> list[str]:
        """Every name that a task may give, in ascending order, but for those that were found broken."""
        return sorted(name for name in {*self._installed, *self._composites} if self._made.get(name, self) is not None)

    def get(self, name: str | None) -> DispatchStrategy | None:
        """The strategy of this name, the default one for None; None when there is none."""
        wanted = self._default if name is None else name
        if wanted not in self._made:
            self._made[wanted] = self._make(wanted)
        return self._made[wanted]

    def use(self, name: str) -> None:
        """Make this strategy the default one; raises ConfigError, and changes nothing, when part of it is broken."""
        is_made = self.get(name) is not None
        broken = [str(self._broken[part]) for part in self._parts(name) if part in self._broken]
        if broken:
            raise ConfigError(f"dispatcher.strategy '{name}' cannot be used. {' '.join(broken)}")
        if not is_made:
            raise ConfigError(f"dispatcher.strategy '{name}' is not installed.")
        self._default = name

    def _make(self, name: str) -> DispatchStrategy | None:
        if name in self._composites:
            members = [strategy for part in self._parts(name) if (strategy := self.get(part)) is not None]
            return CompositeStrategy(name, members) if members else None
        entry = self._installed.get(name)
        if entry is None:
            return None
        try:
            return GuardedStrategy(name, _loaded(entry), entry.dist.name if entry.dist else "an unknown distribution")
        except Exception as error:  # a plug-in may fail in any way
            self._broken[name] = BrokenPlugin.of(entry, error)
            logger.error("strategy cannot be used", strategy=name, reason=str(self._broken[name]))
            return None

    def _parts(self, name: str) -> list[str]:
        """The installed strategies behind a name in the order in which they are first come to; the last one decides."""
        parts: dict[str, None] = {}
        seen: set[str] = set()
        left = [name]
        while left:
            each = left.pop()
            if each in seen:
                continue
            seen.add(each)
            if each in self._composites:
                left += reversed(self._composites[each])
            else:
                parts[each] = None
        last = name
        while last in self._composites:
            last = self._composites[last][-1]
        return [*parts, last] if next(reversed(parts)) != last else list(parts)


def _loaded(entry: EntryPoint) -> DispatchStrategy:
    strategy: DispatchStrategy = entry.load()()
    if not callable(getattr(strategy, "choose", None)):
        raise TypeError(f"{entry.value} has no method 'choose'")
    return strategy
