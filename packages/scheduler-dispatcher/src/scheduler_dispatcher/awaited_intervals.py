"""Which slots of other schedules the runs of one look's slots wait for, and how many of them one look takes on."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

import structlog

from scheduler_core.decisions.interval_text import IntervalKind, parse_interval
from scheduler_core.errors import InvalidInputError
from scheduler_core.interfaces import UnitOfWork
from scheduler_core.models import FlowRequest, TaskGraph
from scheduler_core.models.interval_wait import AwaitedSlots, IntervalSource, WaitingSlot

logger = structlog.get_logger("scheduler.dispatcher")

AWAITED_A_LOOK_MAX: Final = 100_000
"""About how many slots the runs of one transaction wait for; the slots that are left are due again at once."""
COMPUTED_AT_ONCE_MAX: Final = 1000
"""More slots than that are computed in a thread, so that the dispatcher's loop goes on."""

_COUNTLESS = (IntervalKind.CONTAINED, IntervalKind.WITHIN)


class AwaitedIntervals:
    """The awaited slots by dependency and waiting slot, each computed once."""

    def __init__(self, sources: Sequence[IntervalSource] = ()) -> None:
        self._sources: dict[int, list[IntervalSource]] = {}
        for source in sources:
            self._sources.setdefault(source.task_id, []).append(source)
        self._known: dict[tuple[int, int, WaitingSlot], AwaitedSlots] = {}

    @classmethod
    async def read(cls, work: UnitOfWork, graph: TaskGraph, requests: Sequence[FlowRequest]) -> "AwaitedIntervals":
        """What the flows to be made depend on; without such dependencies the store is asked nothing."""
        plans = {id(request.plan): request.plan for request in requests}
        task_ids = {m.task_id for plan in plans.values() for m in plan.members if graph[m.task_id].has_intervals}
        return cls(await work.intervals.sources(sorted(task_ids)) if task_ids else ())

    def of_task(self, task_id: int, slot: WaitingSlot) -> Iterator[tuple[IntervalSource, AwaitedSlots]]:
        """The dependencies of a task, and what its run for this slot waits for by each."""
        for source in self._sources.get(task_id, ()):
            key = (task_id, source.position, slot)
            if key not in self._known:
                self._known[key] = _awaited(source, slot)
            yield source, self._known[key]

    async def fitting(self, requests: Sequence[FlowRequest]) -> Mapping[int, int] | None:
        """How many of the waiting slots of each root task are few enough for one look, one at least; None: all."""
        if not self._sources:
            return None
        if self._is_long(requests):
            return await asyncio.to_thread(self._fitting, requests)
        return self._fitting(requests)

    def _fitting(self, requests: Sequence[FlowRequest]) -> Mapping[int, int] | None:
        fitting: Counter[int] = Counter()
        slots = 0
        for request in requests:
            waiting = [member.task_id for member in request.plan.members if member.task_id in self._sources]
            slot = waiting_slot(request)
            if not waiting or slot is None:
                continue
            slots += sum(len(each.slots) for task_id in waiting for _, each in self.of_task(task_id, slot))
            if slots > AWAITED_A_LOOK_MAX and fitting:
                return fitting
            fitting[request.plan.members[0].task_id] += 1
        return None

    def _is_long(self, requests: Sequence[FlowRequest]) -> bool:
        bounds = (
            _bound(source)
            for request in requests
            for member in request.plan.members
            for source in self._sources.get(member.task_id, ())
        )
        return sum(islice(bounds, COMPUTED_AT_ONCE_MAX + 1)) > COMPUTED_AT_ONCE_MAX


def waiting_slot(request: FlowRequest) -> WaitingSlot | None:
    """The slot that a flow is made for."""
    if request.scheduled_at is None:
        return None
    return WaitingSlot(request.scheduled_at, request.interval_from, request.interval_to)


def _bound(source: IntervalSource) -> int:
    try:
        interval = parse_interval(source.dependency.interval)
    except ValueError:
        return 0
    if interval.kind in _COUNTLESS:
        return COMPUTED_AT_ONCE_MAX + 1
    return interval.number if interval.kind is IntervalKind.PREVIOUS else 1


def _awaited(source: IntervalSource, slot: WaitingSlot) -> AwaitedSlots:
    # It brings schedule code that most dispatchers need anyway, and nothing else does.
    from scheduler_core.decisions.interval_rules import awaited_slots

    try:
        return awaited_slots(source.dependency, slot, source.periods)
    except (InvalidInputError, ArithmeticError, ValueError, LookupError) as error:
        logger.error(
            "the slots that a run depends on cannot be computed; correct the schedule with task update",
            task_id=source.upstream_task_id,
            error=str(error),
        )
        return AwaitedSlots(reason=f"The slots of '{source.dependency.task}' cannot be computed: {error}")
