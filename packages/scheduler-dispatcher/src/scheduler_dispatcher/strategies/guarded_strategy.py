"""What stands between the dispatcher and code that others have written."""

from collections.abc import Callable, Sequence

import structlog

from scheduler_core.interfaces import DispatchStrategy
from scheduler_core.models.dispatch import Placement, WorkerView

logger = structlog.get_logger("scheduler.dispatcher")

_Choose = Callable[[Placement, Sequence[WorkerView]], int | None]


class GuardedStrategy(DispatchStrategy):
    """Another strategy under the name that it is installed by, whose mistakes count as naming no worker.

    The first mistake is logged: an exception, or a session that was not offered.
    """

    def __init__(self, name: str, strategy: DispatchStrategy, brought_by: str) -> None:
        self.name = name
        self._strategy = strategy
        self._brought_by = brought_by
        self._is_told = False
        self._if_suited: _Choose = getattr(strategy, "choose_if_suited", strategy.choose)

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """See DispatchStrategy. Never raises."""
        return self._asked(self._strategy.choose, run, workers)

    def choose_if_suited(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """See PassingStrategy. Never raises."""
        return self._asked(self._if_suited, run, workers)

    def _asked(self, choose: _Choose, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        try:
            session_id = choose(run, workers)
        except Exception as error:  # a plug-in may fail in any way
            self._tell("strategy failed", run, error=f"{type(error).__name__}: {error}")
            return None
        if session_id is None:
            return None
        for view in workers:
            if view.session_id == session_id:
                return session_id
        self._tell("strategy names a session that was not offered", run, session_id=session_id)
        return None

    def _tell(self, event: str, run: Placement, **facts: object) -> None:
        if not self._is_told:
            self._is_told = True
            logger.error(event, strategy=self.name, brought_by=self._brought_by, run_id=run.run_id, **facts)
