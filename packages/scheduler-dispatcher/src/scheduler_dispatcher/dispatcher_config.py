"""The settings of a dispatcher."""

from typing import Annotated, ClassVar

from msgspec import Meta

from scheduler_core.config import ConfigSection, setting
from scheduler_core.decisions.duration_text import parse_kept_time
from scheduler_core.decisions.nearest import hint
from scheduler_dispatcher.strategies.composite_rules import composite_problems
from scheduler_dispatcher.strategies.installed_strategies import installed_strategies

_COMPOSITE = "composite"


class DispatcherConfig(ConfigSection):
    """When runs are made and admitted, who gets them, and who is rung for them."""

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
        "The strategy that chooses the worker of a run whose task names none: installed, or one of `composites`. With "
        "'shared' nobody is chosen, and whoever claims first gets the run. The same on all dispatchers.",
        live=True,
    )
    composites: Annotated[dict[str, tuple[str, ...]], Meta(max_length=100)] = setting(
        {},
        "Strategies made of others, which are tried one after another until one names a worker, such as "
        '{ mine = ["task_type_affinity", "power_of_two"] }. The same on all dispatchers.',
    )
    dispatch_timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = setting(
        10.0, "How long a chosen worker has to take its run before a worker is chosen anew, of the others if it can be."
    )
    background_share: Annotated[float, Meta(ge=0, le=0.9)] = setting(
        0.1, "The share of places that runs in the background get at least while others wait, too."
    )
    window: Annotated[int, Meta(ge=0, le=100_000)] = setting(
        0,
        "How many runs of a queue and type are claimable at once of those that are limited, take turns, run in the "
        "background or get a chosen worker; 0: as many as its workers have places, and at least 8.",
    )

    keep_finished: str = setting(
        "",
        "How long finished runs are kept of tasks that do not say it themselves, with a unit such as 30d; empty: "
        "for ever.",
    )
    keep_finished_runs: Annotated[int, Meta(ge=0)] = setting(
        0, "How many finished runs of each such task are kept at most, the newest ones; 0: all."
    )
    retention_interval_seconds: Annotated[float, Meta(gt=0, le=86_400)] = setting(
        3600.0, "How long after a removal of old runs the next one begins."
    )

    @property
    def keep_finished_seconds(self) -> float | None:
        """`keep_finished` in seconds; None: for ever."""
        return float(parse_kept_time(self.keep_finished)) if self.keep_finished.strip() else None

    def problems(self) -> list[str]:
        """Strategies must exist, composites lead to strategies that choose somebody, and times be lengths of time."""
        installed = installed_strategies()
        found = [f"composites: {problem}" for problem in composite_problems(self.composites, installed)]
        known = {*installed, *self.composites}
        if self.strategy not in known:
            found.insert(0, f"strategy '{self.strategy}' is not installed.{_remedy(self.strategy, known)}")
        try:
            is_kept = self.keep_finished_seconds != 0
        except ValueError as error:
            found.append(f"keep_finished: {error}")
        else:
            if not is_kept:
                found.append("keep_finished is longer than 0; leave it empty to keep runs for ever.")
        return found


def _remedy(strategy: str, known: set[str]) -> str:
    if strategy == _COMPOSITE:
        return f' Give one a name, such as {_COMPOSITE}s = {{ mine = ["least_loaded"] }}, and use that name.'
    return hint(strategy, known)
