"""Looks at quarantined runs, and carries out what is decided of them."""

from typing import Final

from scheduler_api.flow_rerun_service import run_again_from
from scheduler_api.task_reference import parse_run_id
from scheduler_api.transactions import OnceKey, Outcome, Transactions
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.errors import NotFoundError, QuarantineDecidedError
from scheduler_core.interfaces import Clock, Store, UnitOfWork
from scheduler_core.models import CreatedRun, TaskRun, TaskRunStatus
from scheduler_core.models.quarantine import QuarantineDecision, QuarantinedRun

_RECORDED_AT_ONCE: Final = 1000


class QuarantineService:
    """What can be done with runs that took their workers with them too often."""

    def __init__(self, store: Store, clock: Clock, ringer: WorkRinger) -> None:
        self._store = store
        self._ringer = ringer
        self._transactions = Transactions(store, clock)

    async def page(
        self, *, namespace: str | None, decided: bool, before_id: int | None, limit: int
    ) -> list[QuarantinedRun]:
        """Quarantined runs, newest first; with `decided` also those that were released or discarded."""
        async with self._store.autocommit() as work:
            return await work.quarantine.page(
                namespace=namespace, open_only=not decided, before_id=before_id, limit=limit
            )

    async def get(self, run_id: str) -> QuarantinedRun:
        """One with its evidence; raises TaskRunNotFoundError, and NotFoundError for a run that is not QUARANTINED."""
        async with self._store.autocommit() as work:
            return await _quarantined(work, parse_run_id(run_id))

    async def release(self, run_id: str, once: OnceKey | None = None) -> Outcome[TaskRun]:
        """Run it again, with what is downstream of it in its flow, as a new flow; the run that takes its place.

        The quarantined run itself stays as it is. Raises QuarantineDecidedError when it was decided before, and
        FlowStateError while its flow has not ended, or when a task of it is deleted.
        """
        number = parse_run_id(run_id)
        created: list[CreatedRun] = []

        async def act(work: UnitOfWork) -> TaskRun:
            _check_open(await _quarantined(work, number))
            created[:], new_id = await run_again_from(work, await work.task_runs.get(number))
            await _decide(work, number, QuarantineDecision.RELEASED, new_id)
            return await work.task_runs.get(new_id)

        outcome = await self._transactions.run_once(act, once, TaskRun)
        if not outcome.repeated:
            await self._ringer.ring_for_runs(created, many_begin=True)
        return outcome

    async def discard(self, run_id: str) -> QuarantinedRun:
        """Leave it as it is for good. Raises QuarantineDecidedError when it was decided before."""
        number = parse_run_id(run_id)

        async def act(work: UnitOfWork) -> QuarantinedRun:
            _check_open(await _quarantined(work, number))
            await _decide(work, number, QuarantineDecision.DISCARDED)
            return await work.quarantine.get(number)

        return await self._transactions.run(act)


async def _quarantined(work: UnitOfWork, run_id: int) -> QuarantinedRun:
    """The run with its evidence, also when no dispatcher has written that down yet."""
    try:
        return await work.quarantine.get(run_id)
    except NotFoundError:
        if (await work.task_runs.get(run_id)).status is not TaskRunStatus.QUARANTINED:
            raise
    while await work.quarantine.record(_RECORDED_AT_ONCE):
        pass
    return await work.quarantine.get(run_id)


def _check_open(run: QuarantinedRun) -> None:
    if run.decision is not None:
        raise QuarantineDecidedError(run.run_id, run.released_run_id)


async def _decide(
    work: UnitOfWork, run_id: int, decision: QuarantineDecision, released_run_id: int | None = None
) -> None:
    if not await work.quarantine.decide([run_id], decision, released_run_id):
        # Somebody else was quicker.
        _check_open(await work.quarantine.get(run_id))
