"""The better one of two."""

from collections.abc import Sequence

from scheduler_core.interfaces import DispatchStrategy
from scheduler_core.models.dispatch import Placement, WorkerView
from scheduler_dispatcher.strategies.least_loaded_strategy import least_loaded
from scheduler_dispatcher.strategies.run_hash import number_hash


class PowerOfTwoStrategy(DispatchStrategy):
    """Two workers by chance, of which the less loaded one takes the run."""

    name = "power_of_two"

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """See DispatchStrategy."""
        count = len(workers)
        if count == 1:
            return workers[0].session_id
        chance = number_hash(run.run_id)
        first, second = chance % count, (chance >> 32) % (count - 1)
        # The second is one of the others.
        second += second >= first
        return least_loaded((workers[first], workers[second])).session_id
