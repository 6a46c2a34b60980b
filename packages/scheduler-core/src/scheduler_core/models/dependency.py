"""What a task waits for: tasks of its own flow by name, and runs of other schedules by data interval."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class OnUnmet(StrEnum):
    """What becomes of a run whose dependency on an interval is not met by its deadline, or cannot be met at all."""

    SKIP = "skip"
    FAIL = "fail"
    RUN = "run"
    """It runs all the same."""
    ALERT = "alert"
    """It waits on, and a warning says so."""


class Dependency(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which slots of another task's schedule a run waits for, and what is to have become of them.

    `interval` is same, contained, covering, previous:K, latest or within:DURATION; `condition` is success, failure,
    finished or at_least:N. Both are read by `scheduler_core.decisions.interval_rules`. `deadline` is in seconds after
    the waiting run's own slot; None: there is none.
    """

    task: str
    interval: str
    condition: str = "success"
    deadline: int | None = None
    on_unmet: OnUnmet = OnUnmet.SKIP


def flow_dependencies(dependencies: Iterable[str | Dependency]) -> tuple[str, ...]:
    """The names of those tasks that are waited for within the flow.

    >>> flow_dependencies(["extract", Dependency("hourly", "contained")])
    ('extract',)
    """
    return tuple(each for each in dependencies if isinstance(each, str))


def interval_dependencies(dependencies: Iterable[str | Dependency]) -> tuple[Dependency, ...]:
    """Those on intervals of other schedules, in their order."""
    return tuple(each for each in dependencies if isinstance(each, Dependency))
