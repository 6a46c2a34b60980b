"""The verification of ledgers: what the engine records is clean, and whatever is done to it is named."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from scheduler_core.decisions.ledger_check import check_ledger
from scheduler_core.decisions.schedule_rules import next_after, next_run_after
from scheduler_core.decisions.slot_plan import close_slots, plan_slots
from scheduler_core.models import (
    DueSchedule,
    MisfirePolicy,
    PauseWindow,
    Schedule,
    SchedulePeriod,
    SlotPolicies,
    SlotReason,
    TaskRunStatus,
    TaskStatus,
)
from scheduler_core.models.ledger import FindingKind, LedgerEntry, LedgerFacts, LedgerReport, LedgerTask

START = datetime(2026, 3, 28, 20, 15, 7, 250_000, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
MINUTELY = Schedule(cron="* * * * *")
SEED = 7

SCHEDULES = (
    MINUTELY,
    Schedule(cron="*/10 * * * * *"),
    Schedule(cron="30 2 * * *", timezone="Europe/Berlin"),
    Schedule(cron="*/30 * * * *", timezone="Europe/Berlin"),
    Schedule(cron="H * * * *"),
    Schedule(every=420),
    Schedule(rrule="FREQ=HOURLY;BYMINUTE=5,35"),
    Schedule(any=(Schedule(cron="0 * * * *"), Schedule(every=1500))),
    Schedule(cron="*/5 * * * *", valid_from=START + timedelta(hours=3), valid_until=START + timedelta(hours=20)),
    Schedule(cron="*/2 * * * *", pauses=(PauseWindow(cron="*/10 * * * *", lasts=240),)),
    Schedule(at=START + timedelta(hours=5)),
)
POLICIES = st.builds(
    SlotPolicies,
    misfire=st.sampled_from(MisfirePolicy),
    misfire_grace_seconds=st.none() | st.sampled_from([0.0, 30.0, 600.0]),
    misfire_runs_max=st.integers(1, 5),
)
GAPS = st.lists(st.integers(1, 30_000), min_size=1, max_size=6)


def entry(at: datetime, last: datetime | None = None, count: int = 1, **changes: Any) -> LedgerEntry:
    """A run's entry, or a stretch."""
    fields: dict[str, Any] = {
        "scheduled_at": at,
        "last_scheduled_at": last or at,
        "count": count,
        "run_id": 1,
        "run_status": TaskRunStatus.COMPLETED,
        "run_completed_at": at + SECOND,
        "reason": None,
        "zone_data": "2026.1",
    }
    return LedgerEntry(**{**fields, **changes})


def skipped(
    at: datetime, last: datetime | None = None, count: int = 1, why: SlotReason = SlotReason.MISSED
) -> LedgerEntry:
    """A stretch without runs."""
    return entry(at, last, count, run_id=None, run_status=None, run_completed_at=None, reason=why)


def facts_of(*periods: tuple[Schedule, datetime, datetime | None], **changes: Any) -> LedgerFacts:
    """A task that had these schedules; everything up to its `now` is recorded unless something else is said."""
    fields: dict[str, Any] = {
        "task_id": 1,
        "task_name": "task",
        "namespace": "default",
        "status": TaskStatus.ACTIVE,
        "recorded_until": EVER[1],
        "next_due_at": EVER[1],
        "awaits_run_id": 1,
        "now": EVER[1],
    }
    return LedgerFacts(
        task=LedgerTask(**{**fields, **changes}),
        periods=tuple(
            SchedulePeriod(task_id=1, counts_from=begin, counts_until=until, schedule=schedule, seed=SEED)
            for schedule, begin, until in periods
        ),
    )


def verify(
    facts: LedgerFacts,
    entries: Sequence[LedgerEntry],
    start: datetime = EVER[0],
    end: datetime = EVER[1],
    before: LedgerEntry | None = None,
) -> LedgerReport:
    """The report on these entries."""
    return check_ledger(facts, entries, start=start, end=end, before=before, zone_data="2026.1")


def told(report: LedgerReport) -> list[tuple[FindingKind, datetime, datetime, int, int]]:
    """The findings, without what only helps to look at them."""
    return [(f.kind, f.first_at, f.last_at, f.expected, f.recorded) for f in report.findings]


def recorded(schedule: Schedule, policies: SlotPolicies, gaps: Sequence[int]) -> tuple[LedgerFacts, list[LedgerEntry]]:
    """What a dispatcher that looks only after each of these gaps makes of a schedule."""
    entries: list[LedgerEntry] = []
    position, now = START, START
    next_due = next_run_after(schedule, START, SEED)
    for gap in gaps:
        now += gap * SECOND
        while next_due is not None and next_due <= now:
            due = DueSchedule(
                task_id=1, schedule=schedule, seed=SEED, policies=policies, recorded_until=position,
                next_due_at=next_due, now=now,
            )  # fmt: skip
            plan = plan_slots(due, now)
            entries += [entry(run.scheduled_at) for run in plan.runs]
            entries += [skipped(s.first, s.last, s.count, s.reason) for s in plan.skipped]
            if schedule.after_end is not None and plan.runs:
                ended = now + 3 * SECOND
                entries[-1] = msgspec.structs.replace(entries[-1], run_completed_at=ended)
                plan = plan._replace(next_due_at=next_after(schedule, ended, SEED))
            position, next_due = plan.recorded_until, plan.next_due_at
    facts = facts_of((schedule, START, None), recorded_until=position, next_due_at=next_due, now=now)
    return facts, sorted(entries, key=lambda each: each.scheduled_at)


LAWS = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@LAWS
@given(st.sampled_from((*SCHEDULES, Schedule(after_end=90))), POLICIES, GAPS)
def test_what_a_dispatcher_records_is_clean(schedule: Schedule, policies: SlotPolicies, gaps: list[int]) -> None:
    """Whatever the downtimes and policies: every slot is there once, and all are counted."""
    facts, entries = recorded(schedule, policies, gaps)
    report = verify(facts, entries)
    assert told(report) == []
    assert report.slots == sum(each.count for each in entries) == report.runs + sum(report.reasons.values())


@LAWS
@given(st.sampled_from(SCHEDULES), POLICIES, GAPS, st.integers(0, 400_000))
def test_what_is_closed_is_clean(schedule: Schedule, policies: SlotPolicies, gaps: list[int], later: int) -> None:
    """A schedule that is changed leaves a ledger that is complete up to the change, and the next one goes on."""
    facts, entries = recorded(schedule, policies, gaps)
    until = facts.task.now + later * MINUTE / 1000
    position = facts.task.recorded_until
    assert position is not None
    due = DueSchedule(
        task_id=1,
        schedule=schedule,
        seed=SEED,
        policies=policies,
        recorded_until=position,
        next_due_at=until,
        now=until,
    )
    entries += [skipped(s.first, s.last, s.count, s.reason) for s in close_slots(due, until, SlotReason.MISSED)]
    after = facts_of((schedule, START, until), (MINUTELY, until, None), recorded_until=until, now=until)
    assert told(verify(after, entries)) == []


@LAWS
@given(st.sampled_from(SCHEDULES), POLICIES, GAPS, st.data())
def test_every_removed_entry_is_a_hole(
    schedule: Schedule, policies: SlotPolicies, gaps: list[int], data: st.DataObject
) -> None:
    """A missing entry is named with its first and last slot and their number, and nothing else is."""
    facts, entries = recorded(schedule, policies, gaps)
    assume(entries)
    gone = entries.pop(data.draw(st.integers(0, len(entries) - 1)))
    assert told(verify(facts, entries)) == [
        (FindingKind.HOLE, gone.scheduled_at, gone.last_scheduled_at, gone.count, 0)
    ]


@LAWS
@given(st.sampled_from(SCHEDULES), POLICIES, GAPS, st.data())
def test_every_doubled_entry_is_a_double(
    schedule: Schedule, policies: SlotPolicies, gaps: list[int], data: st.DataObject
) -> None:
    """An entry that is there twice is named, and nothing else is."""
    facts, entries = recorded(schedule, policies, gaps)
    assume(entries)
    place = data.draw(st.integers(0, len(entries) - 1))
    twice = entries[place]
    entries.insert(place, twice)
    assert told(verify(facts, entries)) == [
        (FindingKind.DOUBLE, twice.scheduled_at, twice.last_scheduled_at, twice.count, twice.count * 2)
    ]


@LAWS
@given(st.sampled_from(SCHEDULES), POLICIES, GAPS, st.data())
def test_every_added_entry_is_a_stranger(
    schedule: Schedule, policies: SlotPolicies, gaps: list[int], data: st.DataObject
) -> None:
    """An entry between two slots is named, and nothing else is."""
    facts, entries = recorded(schedule, policies, gaps)
    assume(entries)
    place = data.draw(st.integers(0, len(entries) - 1))
    stranger = entry(entries[place].scheduled_at - 250 * TICK)
    entries.insert(place, stranger)
    assert told(verify(facts, entries)) == [(FindingKind.STRANGER, stranger.scheduled_at, stranger.scheduled_at, 0, 1)]


@LAWS
@given(st.sampled_from(SCHEDULES), POLICIES, GAPS, st.data(), st.integers(1, 3))
def test_every_wrong_count_is_a_stranger(
    schedule: Schedule, policies: SlotPolicies, gaps: list[int], data: st.DataObject, more: int
) -> None:
    """A stretch that says another number than its slots is named with both numbers."""
    facts, entries = recorded(schedule, policies, gaps)
    assume(entries)
    place = data.draw(st.integers(0, len(entries) - 1))
    right = entries[place]
    entries[place] = msgspec.structs.replace(right, count=right.count + more)
    assert told(verify(facts, entries)) == [
        (FindingKind.STRANGER, right.scheduled_at, right.last_scheduled_at, right.count, right.count + more)
    ]


@LAWS
@given(st.sampled_from(SCHEDULES), POLICIES, GAPS, st.data())
def test_a_range_can_be_verified_in_pieces(
    schedule: Schedule, policies: SlotPolicies, gaps: list[int], data: st.DataObject
) -> None:
    """Two pieces that meet anywhere find together what the whole finds."""
    facts, entries = recorded(schedule, policies, gaps)
    assume(len(entries) > 2)
    del entries[data.draw(st.integers(0, len(entries) - 1))]
    place = data.draw(st.integers(0, len(entries) - 1))
    middle = entries[place].scheduled_at
    before = entries[place - 1] if place else None
    first = verify(facts, entries[:place], end=middle)
    second = verify(facts, entries[place:], start=middle, before=before)
    whole = verify(facts, entries)
    assert told(first) + told(second) == told(whole)
    assert first.slots + second.slots == whole.slots


def test_slots_that_wait_for_a_dispatcher_are_no_holes() -> None:
    """What is due and not recorded is told as behind, since when."""
    noon = START.replace(hour=12, minute=0, second=0, microsecond=0)
    facts = facts_of(
        (MINUTELY, noon - TICK, None), recorded_until=noon, next_due_at=noon + MINUTE, now=noon + 5 * MINUTE
    )
    report = verify(facts, [entry(noon)])
    assert (told(report), report.behind_since) == ([], noon + MINUTE)


def test_a_paused_task_is_not_behind() -> None:
    """Its slots are recorded when it is resumed."""
    noon = START.replace(hour=12, minute=0, second=0, microsecond=0)
    facts = facts_of(
        (MINUTELY, noon - TICK, None),
        recorded_until=noon,
        next_due_at=None,
        now=noon + 5 * MINUTE,
        status=TaskStatus.PAUSED,
    )
    report = verify(facts, [entry(noon)])
    assert (told(report), report.behind_since) == ([], None)


def test_an_active_schedule_that_nobody_looks_at_has_a_hole() -> None:
    """Due slots of an ACTIVE task without a next due instant never run, and nothing else would tell."""
    noon = START.replace(hour=12, minute=0, second=0, microsecond=0)
    facts = facts_of((MINUTELY, noon - TICK, None), recorded_until=noon, next_due_at=None, now=noon + 5 * MINUTE)
    assert told(verify(facts, [entry(noon)])) == [(FindingKind.HOLE, noon + MINUTE, noon + 5 * MINUTE, 5, 0)]


def test_a_stretch_over_other_entries_doubles_each_of_them() -> None:
    """Both the wrong number and the slots that have two entries are named."""
    noon = START.replace(hour=12, minute=0, second=0, microsecond=0)
    facts = facts_of((MINUTELY, noon - TICK, None), recorded_until=noon + 3 * MINUTE)
    entries = [skipped(noon, noon + 3 * MINUTE, 4), entry(noon + 2 * MINUTE)]
    assert told(verify(facts, entries)) == [(FindingKind.DOUBLE, noon + 2 * MINUTE, noon + 2 * MINUTE, 1, 2)]


def test_a_finding_tells_other_zone_data() -> None:
    """A slot that moved because a zone's rules changed is a stranger and a hole that both say by which version."""
    berlin = Schedule(cron="30 2 * * *", timezone="Europe/Berlin")
    right = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
    facts = facts_of((berlin, right - timedelta(hours=9), None), recorded_until=right + timedelta(hours=1))
    report = verify(facts, [entry(right + timedelta(hours=1), zone_data="2020.1")])
    assert told(report) == [
        (FindingKind.HOLE, right, right, 1, 0),
        (FindingKind.STRANGER, right + timedelta(hours=1), right + timedelta(hours=1), 0, 1),
    ]
    assert [finding.zone_data for finding in report.findings] == ["2020.1", "2020.1"]


def test_entries_before_the_first_period_are_unverifiable() -> None:
    """The account begins where the schedules are on record; an entry between two periods is a stranger."""
    noon = START.replace(hour=12, minute=0, second=0, microsecond=0)
    facts = facts_of(
        (MINUTELY, noon - TICK, noon),
        (MINUTELY, noon + 10 * MINUTE, noon + 11 * MINUTE),
        status=TaskStatus.INACTIVE,
        recorded_until=None,
    )
    entries = [
        entry(noon - MINUTE),
        entry(noon),
        entry(noon + 5 * MINUTE),
        entry(noon + 11 * MINUTE),
        entry(noon + 12 * MINUTE),
    ]
    report = verify(facts, entries)
    assert told(report) == [
        (FindingKind.STRANGER, noon + 5 * MINUTE, noon + 5 * MINUTE, 0, 1),
        (FindingKind.STRANGER, noon + 12 * MINUTE, noon + 12 * MINUTE, 0, 1),
    ]
    assert (report.slots, report.unverifiable) == (5, 1)


@pytest.mark.parametrize(
    "former", [MINUTELY, Schedule(cron="0 0 1 1 *"), Schedule(after_end=3600)], ids=["shared", "own", "ends"]
)
def test_an_instant_just_passed_belongs_to_the_schedule_that_names_it(former: Schedule) -> None:
    """A schedule replaced by an instant of half a minute ago leaves one entry for it, and its loss is one hole."""
    noon = START.replace(hour=12, minute=0, second=0, microsecond=0)
    change = noon + 30 * SECOND
    facts = facts_of(
        (former, noon - SECOND, change), (Schedule(at=noon), noon - TICK, None), recorded_until=noon, next_due_at=None
    )
    assert told(verify(facts, [entry(noon)])) == []
    assert told(verify(facts, [])) == [(FindingKind.HOLE, noon, noon, 1, 0)]
    assert verify(facts, [entry(noon), entry(noon)]).findings_count == 1


def test_a_year_of_missing_seconds_is_counted_quickly() -> None:
    """A hole of millions of slots is not walked through."""
    year = timedelta(days=365)
    noon = START.replace(hour=12, minute=0, second=0, microsecond=0)
    facts = facts_of((Schedule(cron="* * * * * *"), noon, None), recorded_until=noon + year)
    assert told(verify(facts, [])) == [(FindingKind.HOLE, noon + SECOND, noon + year, 365 * 86400, 0)]


def test_findings_beyond_the_limit_are_counted() -> None:
    """The list of findings is bounded, their number is not."""
    noon = START.replace(hour=12, minute=0, second=0, microsecond=0)
    facts = facts_of((MINUTELY, noon, None), recorded_until=noon)
    facts = facts_of((MINUTELY, noon, None), recorded_until=noon + 500 * MINUTE)
    report = verify(facts, [entry(noon + number * 2 * MINUTE) for number in range(1, 250)])
    assert (len(report.findings), report.findings_count) == (100, 250)


def test_a_schedule_that_cannot_be_computed_is_a_finding() -> None:
    """A stored schedule that means nothing any more is named, and its entries are still counted."""
    noon = START.replace(hour=12, minute=0, second=0, microsecond=0)
    broken = Schedule(cron="0 0 * * *", timezone="Atlantis/Center")
    report = verify(facts_of((broken, noon, None), recorded_until=noon + 3 * MINUTE), [entry(noon + MINUTE)])
    assert [finding.kind for finding in report.findings] == [FindingKind.UNCOMPUTABLE]
    assert "Atlantis" in str(report.findings[0].error)
    assert report.slots == 1


FIXED_DELAY = Schedule(after_end=60)


@pytest.fixture
def chain() -> list[LedgerEntry]:
    """Four runs, each a minute after the end of the one before, which took 10.5 seconds."""
    entries: list[LedgerEntry] = []
    slot = next_after(FIXED_DELAY, START)
    for _ in range(4):
        assert slot is not None
        entries.append(entry(slot, run_completed_at=slot + 10.5 * SECOND))
        slot = next_after(FIXED_DELAY, slot + 10.5 * SECOND)
    return entries


def test_fixed_delay_follows_the_recorded_ends(chain: list[LedgerEntry]) -> None:
    """Each slot is the recorded end of the run before plus the delay."""
    facts = facts_of((FIXED_DELAY, START, None), recorded_until=chain[-1].scheduled_at, next_due_at=None)
    assert told(verify(facts, chain[:])) == []
    late = [*chain[:2], msgspec.structs.replace(chain[2], scheduled_at=chain[2].scheduled_at - SECOND), *chain[3:]]
    assert [kind for kind, *_ in told(verify(facts, late))] == [FindingKind.STRANGER, FindingKind.HOLE]


def test_fixed_delay_names_a_missing_slot(chain: list[LedgerEntry]) -> None:
    """A removed entry is a hole; what follows it is taken as it is."""
    facts = facts_of((FIXED_DELAY, START, None), recorded_until=chain[-1].scheduled_at, next_due_at=None)
    gone = chain.pop(1)
    assert told(verify(facts, chain)) == [(FindingKind.HOLE, gone.scheduled_at, gone.scheduled_at, 1, 0)]


def test_fixed_delay_waits_for_the_run_that_has_not_ended(chain: list[LedgerEntry]) -> None:
    """No slot is expected while the last run is active; once it has ended the task is behind, or stuck."""
    last = chain[-1].scheduled_at
    now = last + 10 * MINUTE
    facts = facts_of((FIXED_DELAY, START, None), recorded_until=last, next_due_at=None, now=now)
    active = msgspec.structs.replace(chain[-1], run_status=TaskRunStatus.RUNNING, run_completed_at=None)
    assert verify(facts, [*chain[:-1], active]).behind_since is None
    due = next_after(FIXED_DELAY, last + 10.5 * SECOND)
    assert due is not None
    assert verify(facts, chain).behind_since == due
    stuck = msgspec.structs.replace(facts, task=msgspec.structs.replace(facts.task, awaits_run_id=None))
    assert told(verify(stuck, chain)) == [(FindingKind.HOLE, due, due, 1, 0)]


def test_fixed_delay_goes_on_after_the_record_when_the_clock_was_set_back(chain: list[LedgerEntry]) -> None:
    """An end that lies before its own slot: the next slot is the second after it, and no other."""
    first = msgspec.structs.replace(chain[0], run_completed_at=chain[0].scheduled_at - timedelta(hours=1))
    second = entry(first.scheduled_at + SECOND, run_completed_at=first.scheduled_at - timedelta(hours=1))
    facts = facts_of((FIXED_DELAY, START, None), recorded_until=second.scheduled_at, next_due_at=None, now=START)
    assert told(verify(facts, [first, second])) == []
    late = entry(second.scheduled_at + SECOND, run_completed_at=second.run_completed_at)
    facts = facts_of((FIXED_DELAY, START, None), recorded_until=late.scheduled_at, next_due_at=None, now=START)
    assert told(verify(facts, [first, late])) == [(FindingKind.HOLE, second.scheduled_at, second.scheduled_at, 1, 0)]


def test_fixed_delay_after_a_run_that_is_gone_is_unverifiable(chain: list[LedgerEntry]) -> None:
    """Where the run's row was removed the next slot is believed, and counted as such."""
    facts = facts_of((FIXED_DELAY, START, None), recorded_until=chain[-1].scheduled_at, next_due_at=None)
    chain[1] = msgspec.structs.replace(chain[1], run_status=None, run_completed_at=None)
    report = verify(facts, chain)
    assert (told(report), report.unverifiable) == ([], 1)


def test_fixed_delay_without_runs_steps_by_the_delay() -> None:
    """Slots that had no run follow each other; a stretch of them says how many."""
    first = next_after(FIXED_DELAY, START)
    assert first is not None
    facts = facts_of((FIXED_DELAY, START, None), recorded_until=first + 3 * MINUTE, next_due_at=first + 4 * MINUTE)
    right = [skipped(first, first + 2 * MINUTE, 3), skipped(first + 3 * MINUTE)]
    assert told(verify(facts, right)) == []
    wrong = [skipped(first, first + 2 * MINUTE, 2), skipped(first + 3 * MINUTE)]
    assert told(verify(facts, wrong)) == [(FindingKind.STRANGER, first, first + 2 * MINUTE, 3, 2)]
