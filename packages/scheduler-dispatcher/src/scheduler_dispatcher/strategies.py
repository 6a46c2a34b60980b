"""How a run finds its worker. Others bring theirs by the entry-point group scheduler.strategies."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

from scheduler_core.errors import ConfigError
from scheduler_core.interfaces import DispatchStrategy
from scheduler_core.models import Lane, WorkerSession

_GROUP = "scheduler.strategies"


class SharedStrategy(DispatchStrategy):
    """Every worker claims from one shared pool: nobody is chosen, the quickest free place takes the run."""

    name = "shared"

    def choose(self, lane: Lane, sessions: Sequence[WorkerSession]) -> int | None:  # noqa: ARG002  the Protocol's
        """Always None: whoever claims first gets the run."""
        return None


def installed_strategies() -> dict[str, EntryPoint]:
    """The strategies that installed distributions bring, by name; none of them is imported."""
    return {entry.name: entry for entry in entry_points(group=_GROUP)}


def load_strategy(name: str) -> DispatchStrategy:
    """Make the strategy of this name; raises ConfigError when it cannot be loaded."""
    entry = installed_strategies().get(name)
    if entry is None:
        raise ConfigError(f"dispatcher.strategy '{name}' is not installed.")
    try:
        strategy: DispatchStrategy = entry.load()()
    except Exception as error:
        brought_by = entry.dist.name if entry.dist else "an unknown distribution"
        raise ConfigError(
            f"dispatcher.strategy '{name}' of {brought_by} cannot be loaded ({type(error).__name__}: {error}). "
            "Repair or remove that distribution, or choose another strategy."
        ) from error
    return strategy
