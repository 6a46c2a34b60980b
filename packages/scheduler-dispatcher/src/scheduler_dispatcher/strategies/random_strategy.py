"""Any worker."""

from collections.abc import Sequence

from scheduler_core.interfaces import DispatchStrategy
from scheduler_core.models.dispatch import Placement, WorkerView
from scheduler_dispatcher.strategies.run_hash import number_hash


class RandomStrategy(DispatchStrategy):
    """A worker by chance, which comes from the run's id."""

    name = "random"

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """See DispatchStrategy."""
        return workers[number_hash(run.run_id) % len(workers)].session_id
