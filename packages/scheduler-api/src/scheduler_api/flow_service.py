"""Looks at flows and groups, and cancels flows."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from scheduler_api.schemas.flow_schema import CancelledFlow, FlowSummary, FlowView
from scheduler_api.task_reference import parse_flow_id, parse_run_id, parse_task_reference
from scheduler_api.transactions import Transactions
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.decisions.flow_status import flow_status
from scheduler_core.errors import FlowNotFoundError, FlowStateError, GroupNotFoundError, TaskRunNotFoundError
from scheduler_core.interfaces import Clock, Store, UnitOfWork
from scheduler_core.models import DEFAULT_NAMESPACE, TaskRun, TaskRunStatus
from scheduler_core.models.flow_view import FlowFacts, FlowRoot, GroupSummary, MemberPlace

NODES_MAX = 2000
EDGES_MAX = 10_000

ROOTS_AT_ONCE = 1000
ROOTS_MAX = 10_000
"""So many runs are looked at for one page; what is rarer than that is on a later one."""


class FlowsPage(NamedTuple):
    """Flows, newest first; `next_before` is where the next page goes on, None: there is none."""

    items: list[FlowSummary]
    next_before: int | None


class Group(NamedTuple):
    """A group and a page of its runs; `next_place` is where the next page goes on, None: there is none."""

    head: TaskRun
    summary: GroupSummary
    members: list[TaskRun]
    next_place: MemberPlace | None


class FlowService:
    """What can be asked about flows."""

    def __init__(self, store: Store, clock: Clock, ringer: WorkRinger) -> None:
        self._store = store
        self._ringer = ringer
        self._transactions = Transactions(store, clock)

    async def page(
        self,
        *,
        namespace: str | None,
        task: str | None,
        statuses: frozenset[TaskRunStatus],
        before_id: int | None,
        limit: int,
    ) -> FlowsPage:
        """Up to `limit` flows of more than one run; fewer before the end when those asked for are rare.

        `task`, the root's, is an id, or a name within `namespace`; raises TaskNotFoundError.
        """
        items: list[FlowSummary] = []
        async with self._store.autocommit() as work:
            task_id = None
            if task is not None:
                within = namespace or DEFAULT_NAMESPACE
                task_id = (await work.tasks.get(parse_task_reference(task, within), within)).id
            for _ in range(ROOTS_MAX // ROOTS_AT_ONCE):
                roots = await work.flow_views.roots(
                    namespace=namespace, task_id=task_id, before_id=before_id, limit=ROOTS_AT_ONCE
                )
                for part in _in_parts(roots, limit):
                    for facts in await work.flow_views.facts([root.run_id for root in part if root.is_match]):
                        summary = _summary(facts)
                        if statuses and summary.status not in statuses:
                            continue
                        if len(items) == limit:
                            return FlowsPage(items, items[-1].id)
                        items.append(summary)
                    before_id = part[-1].run_id
                if len(roots) < ROOTS_AT_ONCE:
                    return FlowsPage(items, None)
        return FlowsPage(items, before_id)

    async def get(self, flow_id: str, nodes_max: int = NODES_MAX) -> FlowView:
        """A flow with so many of its runs and what they wait for; raises FlowNotFoundError."""
        number = parse_flow_id(flow_id)
        async with self._store.transaction() as work:
            summary = await _summary_of(work, number)
            nodes = await work.flow_views.nodes(number, nodes_max + 1)
            shown = nodes[:nodes_max]
            edges = await work.flow_views.edges([node.run_id for node in shown], EDGES_MAX + 1)
            truncated = len(nodes) > nodes_max or len(edges) > EDGES_MAX
            counts = await work.flow_views.size(number) if truncated else (len(nodes), len(edges))
        return FlowView(
            flow=summary,
            nodes=shown,
            edges=edges[:EDGES_MAX],
            node_count=counts[0],
            edge_count=counts[1],
            truncated=truncated,
        )

    async def cancel(self, flow_id: str) -> CancelledFlow:
        """Cancel all runs of a flow that are not final, together; those who execute some are told to end them.

        Raises FlowStateError when the flow is final in another way; one that is CANCELLED already stays so.
        """
        number = parse_flow_id(flow_id)

        async def act(work: UnitOfWork) -> tuple[CancelledFlow, list[int]]:
            await _summary_of(work, number)
            stopping: list[int] = []
            cancelled = 0
            # Until nothing is left: runs of a group may be made while its flow is cancelled. All at once: whatever goes
            # with its group, but was not named, would not be counted.
            while run_ids := await work.flow_views.unfinished(number):
                changes = await work.task_runs.cancel(run_ids)
                stopping += [change.run_id for change in changes if change.status is TaskRunStatus.RUNNING]
                cancelled += sum(change.status is TaskRunStatus.CANCELLED for change in changes)
            summary = await _summary_of(work, number)
            sessions = await work.task_runs.sessions_of(stopping) if stopping else []
            return CancelledFlow(flow=summary, cancelled=cancelled, stopping=len(stopping)), sessions

        done, sessions = await self._transactions.run(act)
        if done.flow.status not in (TaskRunStatus.CANCELLED, TaskRunStatus.RUNNING) and not done.cancelled:
            raise FlowStateError(number, done.flow.status, "cancelled")
        await self._ringer.ring_sessions(sessions)
        if done.cancelled:
            # Those who wait for its runs are to be settled.
            await self._ringer.ring_dispatchers()
        return done

    async def group(self, run_id: str, *, after: MemberPlace | None, limit: int) -> Group:
        """What a run stands for; raises TaskRunNotFoundError, and GroupNotFoundError for a run that is no group."""
        number = parse_run_id(run_id)
        async with self._store.transaction() as work:
            head = await work.task_runs.get(number)
            summary = await work.flow_views.group(number)
            if summary is None:
                raise GroupNotFoundError(number, head.task_name)
            places = await work.flow_views.members(number, after, limit + 1)
            shown = places[:limit]
            runs = {run.id: run for run in await work.task_runs.get_many([place.run_id for place in shown])}
        members = [runs[place.run_id] for place in shown]
        return Group(head, summary, members, shown[-1] if len(places) > limit else None)


async def _summary_of(work: UnitOfWork, flow_id: int) -> FlowSummary:
    for facts in await work.flow_views.facts([flow_id]):
        return _summary(facts)
    try:
        belongs_to = (await work.task_runs.get(flow_id)).flow_id
    except TaskRunNotFoundError:
        belongs_to = None
    raise FlowNotFoundError(flow_id, belongs_to)


def _summary(facts: FlowFacts) -> FlowSummary:
    status = flow_status(facts.deciding())
    fields = msgspec.structs.asdict(facts)
    del fields["parts"]
    fields["ended_at"] = facts.ended_at if status.is_final else None
    by_status = facts.by_status()
    return FlowSummary(**fields, status=status, run_count=sum(by_status.values()), by_status=by_status)


def _in_parts(roots: list[FlowRoot], limit: int) -> Iterator[list[FlowRoot]]:
    """Parts with so few flows that little is counted in vain."""
    size = max(limit + 1, 50)
    return (roots[start : start + size] for start in range(0, len(roots), size))
