"""Whether a ledger holds every slot once: the slots that follow from the schedules, held against its entries."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain, pairwise
from typing import NamedTuple

from scheduler_core.decisions.due_rule import instant_in
from scheduler_core.decisions.expected_slots import TICK
from scheduler_core.decisions.ledger_findings import LedgerFindings
from scheduler_core.decisions.period_check import PeriodCheck
from scheduler_core.decisions.schedule_rules import count_between
from scheduler_core.errors import InvalidInputError
from scheduler_core.models import SchedulePeriod
from scheduler_core.models.ledger import LedgerEntry, LedgerFacts, LedgerReport, LedgerTask

_UNCOMPUTABLE = (InvalidInputError, ArithmeticError, ValueError)


def check_ledger(
    facts: LedgerFacts,
    entries: Iterable[LedgerEntry],
    *,
    start: datetime,
    end: datetime,
    before: LedgerEntry | None,
    zone_data: str,
) -> LedgerReport:
    """Compare the entries that begin in [start, end), in order, with the slots there; `before` is the one before them.

    An entry is looked at in whole, also where its stretch goes beyond `end`. Slots that are due and wait for a
    dispatcher, or for their paused task to be resumed, are no holes. Nothing is said about what lies before the
    oldest period, and about entries written after the look that `facts` come from. `zone_data` is the version of the
    time zone database in use.
    """
    findings = LedgerFindings(zone_data)
    covered = before.last_scheduled_at if before is not None else None
    entries = list(entries)
    early = _early_slots(facts.periods, entries)
    taken = [id(each.entry) for each in early.values()]
    rest = _Entries([entry for entry in entries if id(entry) not in taken] if taken else entries)
    for number, period in enumerate(facts.periods):
        for entry in rest.until(period.counts_from):
            findings.stranger(entry) if number else findings.unverifiable(entry)
        reach = _reach(facts.task, period)
        check = PeriodCheck(facts.task, period, findings, start, end, reach)
        own = early.get(number, _Early(None, covered))
        mine = chain([own.entry] if own.entry else [], rest.until(reach))
        try:
            if period.schedule.after_end is None:
                check.compare(mine, own.covered or covered)
            else:
                check.follow_ends(mine, before)
        except _UNCOMPUTABLE as error:
            findings.uncomputable(max(start, period.counts_from), min(end, reach), error)
        for entry in mine:
            findings.count(entry)
        if period.counts_until is None:
            return findings.report()
    for entry in rest.until(facts.task.now):
        findings.stranger(entry) if facts.periods else findings.unverifiable(entry)
    return findings.report()


def _reach(task: LedgerTask, period: SchedulePeriod) -> datetime:
    """Up to where all slots of a period are to be recorded."""
    if period.counts_until is not None:
        return period.counts_until
    return max(period.counts_from, task.recorded_until) if task.recorded_until else period.counts_from


class _Early(NamedTuple):
    """What a period has of the time in which the former one still counted: an entry, or a slot that both have."""

    entry: LedgerEntry | None
    covered: datetime | None


def _early_slots(periods: Sequence[SchedulePeriod], entries: Sequence[LedgerEntry]) -> dict[int, _Early]:
    """By their numbers, the periods that begin before the former one ends.

    Such is the schedule of one instant that had just passed when it replaced another one. Where that has a slot at the
    instant too, the entry is its own, and the next period has none.
    """
    found = {}
    for number, (former, period) in enumerate(pairwise(periods), 1):
        if period.schedule.at is None or former.counts_until is None or period.counts_from >= former.counts_until:
            continue
        # What cannot be computed is told where its turn comes.
        with suppress(*_UNCOMPUTABLE):
            at = instant_in(period.schedule.at, period.schedule.timezone)
            if former.schedule.after_end is None and count_between(former.schedule, at - TICK, at, former.seed):
                found[number] = _Early(None, at)
            else:
                found[number] = _Early(next((entry for entry in entries if entry.scheduled_at == at), None), None)
    return found


class _Entries:
    """Entries in order, of which those up to an instant can be taken."""

    def __init__(self, entries: Iterable[LedgerEntry]) -> None:
        self._entries = iter(entries)
        self._next = next(self._entries, None)

    def until(self, instant: datetime) -> Iterator[LedgerEntry]:
        """Those that begin at or before `instant` and were not taken yet."""
        while self._next is not None and self._next.scheduled_at <= instant:
            entry = self._next
            self._next = next(self._entries, None)
            yield entry
