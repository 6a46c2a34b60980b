"""The same worker for the same value."""

from collections.abc import Sequence

from scheduler_core.models.dispatch import Placement, WorkerView
from scheduler_dispatcher.strategies.passing_strategy import PassingStrategy
from scheduler_dispatcher.strategies.run_hash import text_hash


class ConsistentHashStrategy(PassingStrategy):
    """Every value has its own order of all worker ids; the first of them that is offered takes the run.

    A worker that comes or goes moves the values that it gets or had, and no others. So it is while one is full: its
    values go to the next in their order.
    """

    name = "consistent_hash"

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """See DispatchStrategy; by the task type where the task has no hash key."""
        stream = run.stream
        return _first(stream.task_type if stream.hash_value is None else stream.hash_value, workers)

    def choose_if_suited(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """See PassingStrategy; None where the task has no hash key."""
        return None if run.stream.hash_value is None else _first(run.stream.hash_value, workers)


def _first(value: str, workers: Sequence[WorkerView]) -> int:
    return max(workers, key=lambda view: (text_hash(view.worker_id, value), view.worker_id)).session_id
