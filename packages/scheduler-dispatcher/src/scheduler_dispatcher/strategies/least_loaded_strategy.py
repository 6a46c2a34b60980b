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
    best = workers[0]
    least = (best.running + best.assigned) / best.places
    # By hand, because this is asked for every run: comparing keys takes three times as long.
    for view in workers:
        load = (view.running + view.assigned) / view.places
        if load < least or (load == least and (view.turn, view.session_id) < (best.turn, best.session_id)):
            best, least = view, load
    return best


def by_load(view: WorkerView) -> tuple[float, int, int]:
    """What puts workers into the order of their load, then of their turn."""
    return (view.running + view.assigned) / view.places, view.turn, view.session_id
