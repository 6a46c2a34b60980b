"""One worker after another."""

from collections.abc import Sequence

from scheduler_core.interfaces import DispatchStrategy
from scheduler_core.models.dispatch import Placement, WorkerView


class RoundRobinStrategy(DispatchStrategy):
    """The worker that was chosen longest ago, or never; however much each has to do."""

    name = "round_robin"

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:  # noqa: ARG002  the Protocol's
        """See DispatchStrategy."""
        return min(workers, key=_turn).session_id


def _turn(view: WorkerView) -> tuple[int, int]:
    return view.turn, view.session_id
