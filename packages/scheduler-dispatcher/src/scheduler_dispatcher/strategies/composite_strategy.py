"""Several strategies as one."""

from collections.abc import Sequence

from scheduler_core.interfaces import DispatchStrategy
from scheduler_core.models.dispatch import Placement, WorkerView
from scheduler_dispatcher.strategies.passing_strategy import PassingStrategy


class CompositeStrategy(PassingStrategy):
    """Asks one strategy after another until one names a worker; all but the last may leave a run to the next.

    `strategies` are at least one.
    """

    def __init__(self, name: str, strategies: Sequence[DispatchStrategy]) -> None:
        self.name = name
        self._if_suited = [getattr(strategy, "choose_if_suited", strategy.choose) for strategy in strategies]
        self._all = [*self._if_suited[:-1], strategies[-1].choose]

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """See DispatchStrategy."""
        answers = (choose(run, workers) for choose in self._all)
        return next((session_id for session_id in answers if session_id is not None), None)

    def choose_if_suited(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """See PassingStrategy; None when none of its strategies is suited."""
        answers = (choose(run, workers) for choose in self._if_suited)
        return next((session_id for session_id in answers if session_id is not None), None)
