"""A worker that knows the type of task."""

from collections.abc import Sequence

from scheduler_core.models.dispatch import Placement, WorkerView
from scheduler_dispatcher.strategies.least_loaded_strategy import least_loaded
from scheduler_dispatcher.strategies.passing_strategy import PassingStrategy


class TaskTypeAffinityStrategy(PassingStrategy):
    """Workers that lately had runs of this type come first, and the least loaded one of them."""

    name = "task_type_affinity"

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """See DispatchStrategy; the least loaded of all where none has had the type."""
        return least_loaded(_knowing(run, workers) or workers).session_id

    def choose_if_suited(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """See PassingStrategy; None where none has had the type."""
        knowing = _knowing(run, workers)
        return least_loaded(knowing).session_id if knowing else None


def _knowing(run: Placement, workers: Sequence[WorkerView]) -> list[WorkerView]:
    return [view for view in workers if run.stream.task_type in view.recent_types]
