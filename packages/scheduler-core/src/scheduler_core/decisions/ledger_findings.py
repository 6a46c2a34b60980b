"""Collects what a verification of the ledger sees: numbers of all, and the first of what is wrong."""

from collections import Counter
from datetime import datetime

from scheduler_core.models import SlotReason
from scheduler_core.models.ledger import FindingKind, LedgerEntry, LedgerFinding, LedgerReport

FINDINGS_MAX = 100
"""So many findings of a report are told in full, the others are counted."""


class LedgerFindings:
    """Becomes a report."""

    def __init__(self, zone_data: str) -> None:
        self._zone_data = zone_data
        self._slots = 0
        self._runs = 0
        self._reasons: Counter[SlotReason] = Counter()
        self._unverifiable = 0
        self._behind_since: datetime | None = None
        self._findings: list[LedgerFinding] = []
        self._findings_count = 0
        self._last: LedgerEntry | None = None

    def count(self, entry: LedgerEntry) -> None:
        """Add the slots of an entry."""
        self._slots += entry.count
        if entry.reason is None:
            self._runs += 1
        else:
            self._reasons[entry.reason] += entry.count
        self._last = entry

    def unverifiable(self, entry: LedgerEntry) -> None:
        """Add an entry that nothing can be said about."""
        self.count(entry)
        self._unverifiable += entry.count

    def behind(self, since: datetime) -> None:
        """Say that slots wait for a dispatcher."""
        self._behind_since = since

    def hole(self, span: tuple[datetime, datetime, int] | None, following: LedgerEntry | None = None) -> None:
        """Slots without an entry, just before the entry `following`; None: there are none."""
        if span is not None:
            first, last, count = span
            near = following or self._last
            self._add(FindingKind.HOLE, first, last, count, 0, zone_data=self._other_zone_data(near))

    def double(self, entry: LedgerEntry, last: datetime, slots: int) -> None:
        """An entry whose first slots, up to `last`, have another one already."""
        self._add_entry(FindingKind.DOUBLE, entry, last, slots, slots * 2)

    def strange(self, entry: LedgerEntry, expected: int) -> None:
        """An entry, counted already, that stands for other slots than there are."""
        self._add_entry(FindingKind.STRANGER, entry, entry.last_scheduled_at, expected, entry.count)

    def stranger(self, entry: LedgerEntry) -> None:
        """Add an entry where there are no slots at all."""
        self.count(entry)
        self.strange(entry, 0)

    def uncomputable(self, first: datetime, last: datetime, error: Exception) -> None:
        """A stretch of time whose schedule cannot be computed."""
        self._add(FindingKind.UNCOMPUTABLE, first, last, 0, 0, error=str(error))

    def report(self) -> LedgerReport:
        """All of it."""
        return LedgerReport(
            slots=self._slots,
            runs=self._runs,
            reasons=dict(self._reasons),
            findings=tuple(self._findings),
            findings_count=self._findings_count,
            behind_since=self._behind_since,
            unverifiable=self._unverifiable,
        )

    def _other_zone_data(self, entry: LedgerEntry | None) -> str | None:
        version = entry.zone_data if entry is not None else None
        return version if version != self._zone_data else None

    def _add_entry(self, kind: FindingKind, entry: LedgerEntry, last: datetime, expected: int, recorded: int) -> None:
        self._add(
            kind,
            entry.scheduled_at,
            last,
            expected,
            recorded,
            run_id=entry.run_id,
            zone_data=self._other_zone_data(entry),
        )

    def _add(
        self,
        kind: FindingKind,
        first: datetime,
        last: datetime,
        expected: int,
        recorded: int,
        *,
        run_id: int | None = None,
        zone_data: str | None = None,
        error: str | None = None,
    ) -> None:
        self._findings_count += 1
        if len(self._findings) < FINDINGS_MAX:
            self._findings.append(
                LedgerFinding(
                    kind=kind,
                    first_at=first,
                    last_at=last,
                    expected=expected,
                    recorded=recorded,
                    run_id=run_id,
                    zone_data=zone_data,
                    error=error,
                )
            )
