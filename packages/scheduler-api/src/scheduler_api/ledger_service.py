"""Looks at the ledger of slots, and holds it against the schedules that it follows from."""

import asyncio
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from itertools import groupby
from typing import NamedTuple

import msgspec

from scheduler_api.schemas.ledger_schema import VerifiedTask
from scheduler_api.task_reference import parse_task_reference
from scheduler_core.decisions.ledger_check import check_ledger
from scheduler_core.interfaces import Clock, Store, UnitOfWork
from scheduler_core.models.ledger import LedgerEntry, LedgerFacts, LedgerTask

ENTRIES_MAX = 20_000
"""So many entries are looked at for one request, about."""

BEGINNING = datetime(1, 1, 2, tzinfo=UTC)
"""Before every instant that a ledger holds; a day from the edge of the calendar, for instants just before it."""

ROOM_MIN = 1000
"""With less room than this left, the next task waits for the next request."""

_TICK = timedelta(microseconds=1)


class Place(NamedTuple):
    """Where a verification goes on: with this task, at this instant of its ledger."""

    task_id: int
    start: datetime

    def numbers(self) -> tuple[int, int]:
        """The place as whole numbers, for a cursor."""
        return self.task_id, (self.start - BEGINNING) // _TICK

    @classmethod
    def of(cls, numbers: tuple[int, ...]) -> "Place":
        """The place that `numbers` stands for; one beyond the calendar is its end."""
        task_id, ticks = numbers
        return cls(
            task_id, BEGINNING + min(timedelta(microseconds=ticks), datetime.max.replace(tzinfo=UTC) - BEGINNING)
        )


class Verification(NamedTuple):
    """Some ledgers, verified at `checked_at` up to `end`; `next_place` None: these were the last ones."""

    items: list[VerifiedTask]
    next_place: Place | None
    end: datetime
    checked_at: datetime


class LedgerService:
    """What can be asked about the ledger."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._zone_data = version("tzdata")

    async def entries(
        self,
        reference: str,
        namespace: str,
        *,
        start: datetime | None,
        end: datetime | None,
        after: datetime | None,
        limit: int,
    ) -> list[LedgerEntry]:
        """A task's entries of [start, end), oldest first, of which those up to `after` are known already.

        A stretch that reaches into the range from before it comes first. Raises TaskNotFoundError.
        """
        async with self._store.autocommit() as work:
            task = await work.tasks.get(parse_task_reference(reference, namespace), namespace)
            if after is not None:
                start = max(after + _TICK, start or BEGINNING)
            elif start is not None:
                before = await work.ledger.entry_before(task.id, start)
                start = before.scheduled_at if before is not None and before.last_scheduled_at >= start else start
            return await work.ledger.entries(task.id, start=start, end=end, limit=limit)

    async def newest_entries(
        self, reference: str, namespace: str, *, start: datetime | None, end: datetime | None, limit: int
    ) -> list[LedgerEntry]:
        """The last entries that begin in [start, end), oldest first. Raises TaskNotFoundError."""
        async with self._store.autocommit() as work:
            task = await work.tasks.get(parse_task_reference(reference, namespace), namespace)
            return await work.ledger.entries(task.id, start=start, end=end, limit=limit, newest=True)

    async def verify(
        self, *, namespace: str | None, start: datetime | None, end: datetime | None, place: Place, limit: int
    ) -> Verification:
        """Verify the ledgers of up to `limit` tasks from `place` on; fewer when they have very many entries."""
        async with self._store.autocommit() as work:
            tasks = await work.ledger.tasks(namespace=namespace, from_id=place.task_id, limit=limit + 1)
            checked_at = tasks[0].now if tasks else self._clock.now()
            end = checked_at if end is None else end
            periods = await work.schedules.periods([task.task_id for task in tasks[:limit]])
            periods_of = {task_id: tuple(group) for task_id, group in groupby(periods, lambda each: each.task_id)}
            items: list[VerifiedTask] = []
            left = ENTRIES_MAX
            for task in tasks[:limit]:
                begin = start or BEGINNING
                if left < ROOM_MIN:
                    return Verification(items, Place(task.task_id, begin), end, checked_at)
                if task.task_id == place.task_id:
                    begin = max(begin, place.start)
                facts = LedgerFacts(task=task, periods=periods_of.get(task.task_id, ()))
                item, seen, until = await self._verify_task(work, facts, begin, end, left)
                items.append(item)
                left -= seen
                if until < end:
                    return Verification(items, Place(task.task_id, until), end, checked_at)
        next_place = Place(tasks[limit].task_id, start or BEGINNING) if len(tasks) > limit else None
        return Verification(items, next_place, end, checked_at)

    async def _verify_task(
        self, work: UnitOfWork, facts: LedgerFacts, start: datetime, end: datetime, entries_max: int
    ) -> tuple[VerifiedTask, int, datetime]:
        """The task, how many of its entries were looked at, and up to where."""
        task = facts.task
        entries = await work.ledger.entries(task.task_id, start=start, end=end, limit=entries_max + 1)
        if len(entries) > entries_max:
            end = entries[-1].scheduled_at
            entries = [entry for entry in entries if entry.scheduled_at < end]
        before = await work.ledger.entry_before(task.task_id, start) if start > BEGINNING else None
        # In a thread: a rule that has to be walked through may take a while, and others ask for other things.
        report = await asyncio.to_thread(
            check_ledger, facts, entries, start=start, end=end, before=before, zone_data=self._zone_data
        )
        return _verified(task, report), len(entries), end


def _verified(task: LedgerTask, report: msgspec.Struct) -> VerifiedTask:
    return VerifiedTask(
        task_id=task.task_id,
        task_name=task.task_name,
        namespace=task.namespace,
        status=task.status,
        **msgspec.structs.asdict(report),
    )
