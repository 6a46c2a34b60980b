"""One worker after another."""

from collections.abc import Sequence
from operator import attrgetter

from scheduler_core.interfaces import DispatchStrategy
from scheduler_core.models.dispatch import Placement, WorkerView


class RoundRobinStrategy(DispatchStrategy):
    """The worker that was chosen longest ago, or never; however much each has to do."""

    name = "round_robin"

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:  # noqa: ARG002  the Protocol's
        """See DispatchStrategy."""
        # Of several the first one, which has the lowest session id.
        return min(workers, key=_turn).session_id


_turn = attrgetter("turn")
