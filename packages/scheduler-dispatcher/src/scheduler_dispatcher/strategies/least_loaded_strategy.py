"""The worker with the least to do."""

from collections.abc import Sequence

from scheduler_core.interfaces import DispatchStrategy
from scheduler_core.models.dispatch import Placement, WorkerView


class LeastLoadedStrategy(DispatchStrategy):
    """The worker with the smallest share of its places taken; of equal ones, the one that was chosen longest ago."""

    name = "least_loaded"

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:  # noqa: ARG002  the Protocol's
        """See DispatchStrategy."""
        return least_loaded(workers).session_id


def least_loaded(workers: Sequence[WorkerView]) -> WorkerView:
    """The one of several workers, at least one, that this strategy chooses."""
    return min(workers, key=by_load)


def by_load(view: WorkerView) -> tuple[float, int, int]:
    """What puts workers into the order of their load, then of their turn."""
    return (view.running + view.assigned) / view.places, view.turn, view.session_id
