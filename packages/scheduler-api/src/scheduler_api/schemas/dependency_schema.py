"""Dependencies in their structured form: the same in requests, task files and answers."""

from collections.abc import Iterable

import msgspec

from scheduler_core.decisions.duration_text import duration_text
from scheduler_core.models import Dependency, OnUnmet


class DependencyBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A task that is waited for; `{"task": "x"}` alone is the same as "x": it runs in the same flow.

    With `interval` the slots of another schedule are waited for: same, contained, covering, previous:K, latest or
    within:DURATION. `condition` says what is to have become of them: success (the default), failure, finished or
    at_least:N. `deadline` is a length of time after the waiting run's own slot, as text such as "3h" or in whole
    seconds; `on_unmet` says what becomes of that run when the dependency is not met by then, or cannot be (skip).
    """

    task: str
    interval: str | None = None
    condition: str | None = None
    deadline: int | str | None = None
    on_unmet: OnUnmet | None = None


def dependency_bodies(dependencies: Iterable[str | Dependency]) -> list[str | DependencyBody]:
    """Dependencies as answers show them, in their order.

    >>> msgspec.json.encode(dependency_bodies(["extract", Dependency("hourly", "contained", deadline=10800)])).decode()
    '["extract",{"task":"hourly","interval":"contained","condition":"success","deadline":"3h","on_unmet":"skip"}]'
    """
    return [each if isinstance(each, str) else _body(each) for each in dependencies]


def _body(dependency: Dependency) -> DependencyBody:
    return DependencyBody(
        task=dependency.task,
        interval=dependency.interval,
        condition=dependency.condition,
        deadline=None if dependency.deadline is None else duration_text(dependency.deadline),
        on_unmet=dependency.on_unmet,
    )
