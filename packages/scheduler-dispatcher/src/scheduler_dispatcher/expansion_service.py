"""Runs that cannot simply start: conditions are evaluated, and groups get their runs."""

import asyncio
import time
from collections.abc import Sequence

import structlog

from scheduler_core.decisions.expansion_rules import asks_upstream, expansion_of
from scheduler_core.decisions.flow_rules import plan_flow
from scheduler_core.errors import ConflictError, RepositoryError, StoreUnavailableError
from scheduler_core.interfaces import Settlement, Store, UnitOfWork
from scheduler_core.models import FlowPlan, RunInputs, TaskStatus, WorkerSession
from scheduler_core.models.expansion import ExpandableRun, Expansion
from scheduler_dispatcher import dispatcher_metrics
from scheduler_dispatcher.ringer import Ringer
from scheduler_dispatcher.service_loop import LOOK_SPACING_SECONDS, seconds_to_next_look

logger = structlog.get_logger("scheduler.dispatcher")

_SESSIONS_MAX = 10_000
_BATCH_MAX = 100
_MEMBERS_MAX = 10_000
"""About how many runs one transaction makes; a single group may be larger."""
_SECONDS_MAX = 1.0
"""About how long one transaction evaluates expressions."""


class ExpansionService:
    """Expands runs once they wait for nothing else, and gives up broadcast runs whose worker is gone."""

    name = "expansion"
    spacing_seconds = LOOK_SPACING_SECONDS

    def __init__(self, store: Store, ringer: Ringer, *, batch: int, poll_interval_seconds: float) -> None:
        self._store = store
        self._ringer = ringer
        self._batch = min(batch, _BATCH_MAX)
        self._poll_interval_seconds = poll_interval_seconds

    async def look(self) -> float:
        """Expand up to `batch` runs; see Service."""
        async with self._store.transaction() as work:
            runs = await work.flows.take_expandable(self._batch)
            expansions = await _decided(work, runs) if runs else []
            settlement = await _carried_out(work, expansions) if runs else await work.flows.give_up_orphans()
            to_next = None if runs else await work.flows.seconds_to_expansion()
        if runs:
            dispatcher_metrics.runs_expanded.add(len(expansions))
        await self._ringer.ring_workers(settlement.released)
        if settlement.is_later:
            await self._ringer.ring_dispatchers()
        if len(expansions) < len(runs):
            return 0.0
        return seconds_to_next_look(len(runs), self._batch, to_next, self._poll_interval_seconds)


async def _decided(work: UnitOfWork, runs: Sequence[ExpandableRun]) -> list[Expansion]:
    """What becomes of the runs, or of the first of them when that is much."""
    asking = [run.id for run in runs if asks_upstream(run)]
    inputs = await work.flows.inputs(asking) if asking else {}
    sessions: list[WorkerSession] = []
    if any(run.flow_options.broadcast for run in runs):
        sessions = await work.worker_sessions.page(alive_only=True, limit=_SESSIONS_MAX)
    plans = await _plans(work, {run.sub_flow_id for run in runs if run.sub_flow_id is not None})

    def decide() -> list[Expansion]:
        found: list[Expansion] = []
        members, until = 0, time.monotonic() + _SECONDS_MAX
        for run in runs:
            nothing = RunInputs(run_id=run.id)
            found.append(expansion_of(run, inputs.get(run.id, nothing), sessions=sessions, plan_of=plans.get))
            members += len(found[-1].members or ()) + len(found[-1].plan.members if found[-1].plan else ())
            if members >= _MEMBERS_MAX or time.monotonic() >= until:
                break
        return found

    # In a thread: presence and recovery go on while expressions are evaluated.
    return await asyncio.to_thread(decide)


async def _carried_out(work: UnitOfWork, expansions: Sequence[Expansion]) -> Settlement:
    """Do it; what the database refuses of one run fails that run alone."""
    _tell(expansions)
    try:
        return await work.flows.expand(expansions)
    except (StoreUnavailableError, ConflictError):
        raise
    except RepositoryError as error:
        if len(expansions) == 1:
            failed = Expansion(run_id=expansions[0].run_id, error=f"It cannot be expanded: {error}")
            _tell([failed])
            return await work.flows.expand([failed])
    parts = [await _carried_out(work, [expansion]) for expansion in expansions]
    return Settlement([run for part in parts for run in part.released], any(part.is_later for part in parts))


def _tell(expansions: Sequence[Expansion]) -> None:
    for expansion in expansions:
        if expansion.error is not None and expansion.skip_reason is None:
            logger.warning("run cannot be expanded", run_id=expansion.run_id, error=expansion.error)


async def _plans(work: UnitOfWork, task_ids: set[int]) -> dict[int, FlowPlan]:
    """The flows of these tasks; those that are deleted are left out."""
    if not task_ids:
        return {}
    graph = await work.tasks.lock_graph_of(sorted(task_ids))
    return {
        task_id: plan_flow(graph, task_id)
        for task_id in task_ids
        if task_id in graph and graph[task_id].status is not TaskStatus.INACTIVE
    }
