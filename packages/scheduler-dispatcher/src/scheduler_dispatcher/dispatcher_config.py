"""The settings of a dispatcher."""

from typing import Annotated, ClassVar

from msgspec import Meta

from scheduler_core.config import ConfigSection, setting
from scheduler_core.decisions.nearest import hint
from scheduler_dispatcher.strategies import installed_strategies


class DispatcherConfig(ConfigSection):
    """When runs are made and admitted, and who is rung for them."""

    section: ClassVar[str] = "dispatcher"

    enabled: bool = setting(True, "Whether `scheduler up` runs a dispatcher.")
    schedule_interval_seconds: Annotated[float, Meta(gt=0, le=3600)] = setting(
        10.0,
        "The longest wait between two looks at the schedules; they are looked at sooner when a slot is due or a "
        "schedule was changed, so this counts only when the ring about a change is lost.",
    )
    max_concurrent_dispatches: Annotated[int, Meta(ge=1, le=10_000)] = setting(
        1000,
        "How many due slots, waiting runs or finished runs one transaction takes at most; more of them are taken in "
        "the next one, at once.",
    )
    poll_interval_seconds: Annotated[float, Meta(gt=0, le=3600)] = setting(
        5.0, "The longest wait between two looks for runs to admit or to settle when no ring comes."
    )
    strategy: str = setting(
        "shared",
        "The installed strategy that picks the workers rung for new work: 'shared' rings those with most free places, "
        "and whoever claims first gets the run.",
    )

    def problems(self) -> list[str]:
        """A strategy must be installed."""
        installed = installed_strategies()
        if self.strategy in installed:
            return []
        return [f"strategy '{self.strategy}' is not installed.{hint(self.strategy, installed)}"]
