"""Nobody is chosen."""

from collections.abc import Sequence

from scheduler_core.interfaces import DispatchStrategy
from scheduler_core.models import SHARED_STRATEGY
from scheduler_core.models.dispatch import Placement, WorkerView


class SharedStrategy(DispatchStrategy):
    """Every worker claims from one shared pool: the quickest free place takes the run."""

    name = SHARED_STRATEGY

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:  # noqa: ARG002  the Protocol's
        """Always None: whoever claims first gets the run."""
        return None
