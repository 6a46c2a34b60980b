"""The entries of one period of the ledger, held against the schedule that counted then."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from scheduler_core.decisions.expected_slots import TICK, ExpectedSlots
from scheduler_core.decisions.fixed_delay import next_after_end
from scheduler_core.decisions.ledger_findings import LedgerFindings
from scheduler_core.decisions.schedule_rules import count_between, next_after, next_run_after, previous_before
from scheduler_core.models import SchedulePeriod, TaskStatus
from scheduler_core.models.ledger import LedgerEntry, LedgerTask


class PeriodCheck:
    """Holds the entries of one period against its schedule."""

    def __init__(
        self,
        task: LedgerTask,
        period: SchedulePeriod,
        findings: LedgerFindings,
        start: datetime,
        end: datetime,
        reach: datetime,
    ) -> None:
        self._task = task
        self._period = period
        self._findings = findings
        self._start = start
        self._end = end
        self._reach = reach
        self._covered = max(period.counts_from, start - TICK)

    @property
    def _is_active(self) -> bool:
        return self._period.counts_until is None and self._task.status is TaskStatus.ACTIVE

    def compare(self, entries: Iterator[LedgerEntry], covered: datetime | None) -> None:
        """For schedules whose slots follow from the rule alone; slots up to `covered` have their entry already."""
        schedule, seed = self._period.schedule, self._period.seed
        self._covered = max(self._covered, covered) if covered is not None else self._covered
        slots = ExpectedSlots(schedule, seed, self._covered, self._reach)
        for entry in entries:
            self._compare_entry(slots, entry)
        self._findings.hole(slots.take_until(min(self._reach, self._end - TICK)))
        if self._is_active:
            self._look_ahead()

    def _compare_entry(self, slots: ExpectedSlots, entry: LedgerEntry) -> None:
        self._findings.count(entry)
        first, last = entry.scheduled_at, entry.last_scheduled_at
        if first <= self._covered:
            twice = slots.count(first, min(last, self._covered))
            self._findings.double(entry, min(last, self._covered), twice) if twice else self._findings.strange(entry, 0)
            slots.take_until(last)
        else:
            self._findings.hole(slots.take_until(first - TICK), entry)
            span = slots.take_until(last)
            if span != (first, last, entry.count):
                self._findings.strange(entry, span.slots if span else 0)
        self._covered = max(self._covered, last)

    def _look_ahead(self) -> None:
        """Tell slots that are due and not recorded: they wait for a dispatcher, or nobody will ever look at them."""
        now, next_due_at = self._task.now, self._task.next_due_at
        if next_due_at is not None:
            if next_due_at <= now and self._start <= next_due_at < self._end:
                self._findings.behind(next_due_at)
            return
        schedule, seed = self._period.schedule, self._period.seed
        first = next_run_after(schedule, max(self._reach, self._start - TICK), seed)
        until = min(now, self._end - TICK)
        if first is not None and first <= until:
            last = previous_before(schedule, until + TICK, seed) or first
            self._findings.hole((first, last, count_between(schedule, first - TICK, last, seed)))

    def follow_ends(self, entries: Iterator[LedgerEntry], before: LedgerEntry | None) -> None:
        """For schedules that count from the end of the run before, beginning with the entry `before`."""
        expected, known = next_after(self._period.schedule, self._period.counts_from, self._period.seed), True
        if before is not None and before.scheduled_at > self._period.counts_from:
            expected, known = self._following(before)
            self._covered = max(self._covered, before.last_scheduled_at)
        for entry in entries:
            if entry.scheduled_at <= self._covered:
                self._findings.count(entry)
                self._findings.double(entry, entry.last_scheduled_at, entry.count)
                continue
            if not known:
                self._findings.unverifiable(entry)
            elif expected is None or entry.scheduled_at < expected:
                self._findings.stranger(entry)
                continue
            else:
                self._findings.count(entry)
                if entry.scheduled_at > expected >= self._start:
                    self._findings.hole((expected, expected, 1), entry)
                self._check_steps(entry)
            self._covered = entry.last_scheduled_at
            expected, known = self._following(entry)
        if known and expected is not None and self._start <= expected < self._end:
            if expected <= self._reach:
                self._findings.hole((expected, expected, 1))
            elif self._is_active and expected <= self._task.now:
                if self._task.next_due_at is None and self._task.awaits_run_id is None:
                    self._findings.hole((expected, expected, 1))
                else:
                    self._findings.behind(expected)

    def _check_steps(self, entry: LedgerEntry) -> None:
        """Slots without a run follow each other by the delay."""
        steps = (entry.last_scheduled_at - entry.scheduled_at) / timedelta(seconds=self._period.schedule.after_end or 1)
        if steps != entry.count - 1:
            self._findings.strange(entry, int(steps) + 1)

    def _following(self, entry: LedgerEntry) -> tuple[datetime | None, bool]:
        """The slot after an entry, and whether it can be known; None while the run of the entry has not ended."""
        ended = entry.last_scheduled_at
        if entry.run_id is not None:
            if entry.run_status is None:
                return None, False
            if entry.run_completed_at is None:
                return None, True
            ended = entry.run_completed_at
        return next_after_end(self._period.schedule, ended, entry.last_scheduled_at, self._period.seed), True
