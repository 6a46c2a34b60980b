"""Which strategies there are, without importing any of them."""

from importlib.metadata import EntryPoint, entry_points

_GROUP = "scheduler.strategies"


def installed_strategies() -> dict[str, EntryPoint]:
    """The strategies that installed distributions bring, by name."""
    return {entry.name: entry for entry in entry_points(group=_GROUP)}
