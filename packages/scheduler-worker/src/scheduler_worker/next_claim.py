"""The claim of the run that a report has released, in the transaction of the report."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from scheduler_core.interfaces import UnitOfWork
from scheduler_core.models import ClaimedRun, CreatedRun, Lane
from scheduler_worker.live_runs import LiveRuns


class NextClaim:
    """Lets the next step of a chain begin with the commit that ends the step before.

    Only where one run is released, this session can take it, and `may` says that nothing is in its way: every other run
    is claimed by itself. `took` is called with what is claimed as soon as that is committed, `doubt` when nobody knows
    whether it is.
    """

    def __init__(
        self,
        session_id: int,
        lanes: Collection[Lane],
        live_runs: LiveRuns,
        *,
        may: Callable[[], bool],
        took: Callable[[Sequence[ClaimedRun]], None],
        doubt: Callable[[], None],
    ) -> None:
        self._session_id = session_id
        self._lanes = list(lanes)
        self._live_runs = live_runs
        self._may = may
        self._took = took
        self._doubt = doubt
        self._claimed: list[ClaimedRun] = []

    @contextmanager
    def around(self) -> Iterator[None]:
        """To be put around the transaction, one at a time."""
        self._claimed = []
        # Before anything is sent: a renewal that sees the row meanwhile has not found a lost reply.
        self._live_runs.claim_started()
        try:
            yield
        except BaseException:
            if self._claimed:
                self._doubt()
            raise
        else:
            if self._claimed:
                self._took(self._claimed)
        finally:
            self._live_runs.claim_ended()

    async def claim(self, work: UnitOfWork, released: Sequence[CreatedRun]) -> list[CreatedRun]:
        """Claim within the transaction; which of the released runs are left for others."""
        if len(released) != 1 or Lane(released[0].queue, released[0].task_type) not in self._lanes or not self._may():
            return list(released)
        # One place is enough: that of the run that has just ended.
        self._claimed = await work.task_runs.claim_along(self._session_id, self._lanes, 1)
        taken = {run.id for run in self._claimed}
        return [run for run in released if run.run_id not in taken]
