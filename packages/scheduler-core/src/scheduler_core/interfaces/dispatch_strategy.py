"""How a dispatcher chooses the worker of a run."""

from collections.abc import Sequence
from typing import Protocol

from scheduler_core.models.dispatch import Placement, WorkerView


class DispatchStrategy(Protocol):
    """A pure choice over a snapshot of live workers. Found by the entry-point group scheduler.strategies, by name.

    The same snapshot gives the same choice; chance comes from the run's id. Who assigns a batch brings the snapshot up
    to date after each choice, so that the next one sees it.
    """

    name: str

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """The session id of one of `workers`; None: none of them suits, and the run waits.

        `workers` is never empty and in ascending order of session id. Each of them takes the run's queue and type, has
        the tags that it needs and none that it must not have, and has a free place.
        """
