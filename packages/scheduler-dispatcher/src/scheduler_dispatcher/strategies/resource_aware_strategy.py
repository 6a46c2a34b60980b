"""The worker that has most left of what a run needs."""

from collections.abc import Sequence

from scheduler_core.decisions.placement_rules import left
from scheduler_core.models.dispatch import Placement, StreamKey, WorkerView
from scheduler_dispatcher.strategies.least_loaded_strategy import by_load, least_loaded
from scheduler_dispatcher.strategies.passing_strategy import PassingStrategy


class ResourceAwareStrategy(PassingStrategy):
    """Of each worker counts the resource that would be scarcest with the run; the one with most of it left is chosen.

    Scarcity is the share of all that the worker has. Only what the run requests counts; whoever is offered has enough.
    """

    name = "resource_aware"

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """See DispatchStrategy; the least loaded where the run requests nothing."""
        chosen = self.choose_if_suited(run, workers)
        return least_loaded(workers).session_id if chosen is None else chosen

    def choose_if_suited(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """See PassingStrategy; None where the run requests nothing."""
        if not run.stream.resources:
            return None
        return min(workers, key=lambda view: (-_left_of_scarcest(view, run.stream), by_load(view))).session_id


def _left_of_scarcest(view: WorkerView, stream: StreamKey) -> float:
    return min((left(view, name) - amount) / view.resources[name] for name, amount in stream.resources)
