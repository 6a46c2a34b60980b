"""Which due slots run under each policy, and that none is forgotten or told twice."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.pause_windows import is_paused
from scheduler_core.decisions.schedule_rules import next_after, slots_between
from scheduler_core.decisions.slot_plan import PlannedSlot, SlotPlan, Stretch, close_slots, plan_slots
from scheduler_core.models import (
    DueSchedule,
    MisfirePolicy,
    PauseWindow,
    Schedule,
    SlotPolicies,
    SlotReason,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
EVERY_MINUTE = Schedule(cron="* * * * *")


def due(
    schedule: Schedule = EVERY_MINUTE,
    *,
    until: datetime = NOON - SECOND,
    next_due_at: datetime | None = NOON,
    seed: int = 0,
    **policies: object,
) -> DueSchedule:
    """A schedule that is recorded until a second before noon."""
    return DueSchedule(
        task_id=1,
        schedule=schedule,
        seed=seed,
        policies=SlotPolicies(**policies),  # type: ignore[arg-type]
        recorded_until=until,
        next_due_at=next_due_at,
        now=NOON,
    )


def run_minutes(plan: SlotPlan) -> list[int]:
    """The minutes after noon of the slots that run."""
    return [int((slot.scheduled_at - NOON) / MINUTE) for slot in plan.runs]


def test_plan_slots_runs_a_slot_in_time() -> None:
    """A slot that has just come runs at once, covers the minute before it, and the schedule stands at the next."""
    plan = plan_slots(due(), NOON + timedelta(milliseconds=8))
    [slot] = plan.runs
    assert slot == PlannedSlot(NOON, NOON, NOON - MINUTE, NOON)
    assert plan == SlotPlan([slot], [], NOON, NOON + MINUTE)


def test_plan_slots_latest_runs_the_last_and_records_the_others_as_missed() -> None:
    """After two hours of downtime the latest slot runs; the others are one stretch."""
    plan = plan_slots(due(), NOON + timedelta(hours=2, seconds=30))
    assert run_minutes(plan) == [120]
    assert plan.skipped == [Stretch(NOON, NOON + 119 * MINUTE, 120, SlotReason.MISSED)]
    assert plan.next_due_at == NOON + 121 * MINUTE


def test_plan_slots_latest_beyond_its_grace_runs_nothing() -> None:
    """A slot later than the grace was too late: MISFIRED, like those before it."""
    plan = plan_slots(due(misfire_grace_seconds=20.0), NOON + timedelta(hours=2, seconds=30))
    assert (plan.runs, plan.skipped) == ([], [Stretch(NOON, NOON + 120 * MINUTE, 121, SlotReason.MISFIRED)])


def test_plan_slots_latest_tells_too_late_from_given_way() -> None:
    """Slots older than the grace are MISFIRED, younger ones gave way to the latest and are MISSED."""
    plan = plan_slots(due(misfire_grace_seconds=150.0), NOON + 10 * MINUTE)
    assert plan.skipped == [
        Stretch(NOON, NOON + 7 * MINUTE, 8, SlotReason.MISFIRED),
        Stretch(NOON + 8 * MINUTE, NOON + 9 * MINUTE, 2, SlotReason.MISSED),
    ]
    assert run_minutes(plan) == [10]


def test_plan_slots_skip_runs_only_what_is_within_the_grace() -> None:
    """Later than 60 seconds, unless the task says otherwise, gets no run."""
    plan = plan_slots(due(misfire=MisfirePolicy.SKIP), NOON + timedelta(hours=2, seconds=30))
    assert run_minutes(plan) == [120]
    assert plan.skipped == [Stretch(NOON, NOON + 119 * MINUTE, 120, SlotReason.MISFIRED)]
    late = plan_slots(due(misfire=MisfirePolicy.SKIP, misfire_grace_seconds=10.0), NOON + timedelta(seconds=30))
    assert (late.runs, late.skipped) == ([], [Stretch(NOON, NOON, 1, SlotReason.MISFIRED)])


def test_plan_slots_all_runs_the_newest_up_to_the_limit_oldest_first_and_paced() -> None:
    """Of 121 late slots 100 run, a second apart; the 21 oldest are too many."""
    now = NOON + timedelta(hours=2, seconds=30)
    plan = plan_slots(due(misfire=MisfirePolicy.ALL), now)
    assert run_minutes(plan) == list(range(21, 121))
    assert plan.skipped == [Stretch(NOON, NOON + 20 * MINUTE, 21, SlotReason.MISFIRED)]
    assert [slot.not_before for slot in plan.runs[:3]] == [now, now + SECOND, now + 2 * SECOND]
    assert [slot.interval_to for slot in plan.runs[:-1]] == [slot.interval_from for slot in plan.runs[1:]]


def test_plan_slots_all_within_the_grace() -> None:
    """What is older than the grace is left out first."""
    plan = plan_slots(due(misfire=MisfirePolicy.ALL, misfire_grace_seconds=300.0), NOON + 60 * MINUTE)
    assert run_minutes(plan) == [55, 56, 57, 58, 59, 60]


def test_plan_slots_a_short_stall_of_a_secondly_schedule_misses_nothing() -> None:
    """What is at most five seconds late is on time and runs, whatever the policy."""
    plan = plan_slots(due(Schedule(cron="* * * * * *")), NOON + 3 * SECOND)
    assert [slot.scheduled_at for slot in plan.runs] == [NOON + n * SECOND for n in range(4)]
    assert plan.skipped == []


def test_plan_slots_with_a_limit_leaves_the_rest_due() -> None:
    """Where one run is allowed a plan, the next slot stays due and unrecorded."""
    plan = plan_slots(due(misfire=MisfirePolicy.ALL), NOON + 3 * MINUTE, runs_max=1)
    assert (run_minutes(plan), plan.recorded_until, plan.next_due_at) == ([0], NOON, NOON + MINUTE)


def test_plan_slots_a_year_of_seconds_is_counted_not_walked() -> None:
    """31 million missed slots are one exact stretch."""
    now = NOON + timedelta(days=365)
    plan = plan_slots(due(Schedule(cron="* * * * * *", timezone="Europe/Berlin")), now)
    assert [slot.scheduled_at for slot in plan.runs] == [now - n * SECOND for n in (5, 4, 3, 2, 1, 0)]
    assert plan.skipped == [Stretch(NOON, now - 6 * SECOND, 365 * 86_400 - 5, SlotReason.MISSED)]


def test_plan_slots_a_year_of_seconds_with_nightly_pauses_is_counted_too() -> None:
    """Pause windows are gone through one by one, their slots are not: an hour each night, for a year."""
    schedule = Schedule(cron="* * * * * *", pauses=(PauseWindow(cron="0 0 * * *", lasts=3600),))
    start, now = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2027, 1, 1, 12, tzinfo=UTC)
    plan = plan_slots(due(schedule, until=start, next_due_at=start + SECOND), now)
    paused = [stretch for stretch in plan.skipped if stretch.reason is SlotReason.PAUSED]
    assert (len(paused), {stretch.count for stretch in paused}) == (365, {3600})
    assert sum(stretch.count for stretch in plan.skipped) + len(plan.runs) == 365 * 86_400
    closed = close_slots(due(schedule, until=start, next_due_at=start + SECOND), now, SlotReason.MISSED)
    assert sum(stretch.count for stretch in closed) == 365 * 86_400


def test_plan_slots_of_any_goes_on_where_one_plan_stops_looking() -> None:
    """What several rules name is counted one by one, and so in more than one plan."""
    schedule = Schedule(any=(Schedule(every=1), Schedule(cron="0 0 * * *")))
    now = NOON + timedelta(hours=12)
    counted, position, next_due_at, plans = 0, NOON - SECOND, NOON, 0
    while next_due_at is not None and next_due_at <= now:
        plan = plan_slots(due(schedule, until=position, next_due_at=next_due_at), now)
        counted += len(plan.runs) + sum(stretch.count for stretch in plan.skipped)
        assert plan.recorded_until > position
        position, next_due_at, plans = plan.recorded_until, plan.next_due_at or now, plans + 1
    assert (counted, plans > 1) == (12 * 3600 + 1, True)


def test_close_slots_of_a_short_fixed_delay_is_counted() -> None:
    """A delay of a second, paused for a year, is one stretch."""
    year = timedelta(days=365)
    assert close_slots(due(Schedule(after_end=1)), NOON + year, SlotReason.PAUSED) == [
        Stretch(NOON, NOON + year, 365 * 86_400 + 1, SlotReason.PAUSED)
    ]


def test_plan_slots_pause_windows_are_recorded_and_skipped_over() -> None:
    """The next due slot is the first after the window; those inside are recorded when it fires."""
    schedule = Schedule(cron="* * * * *", pauses=(PauseWindow(starts_at=NOON + MINUTE, until=NOON + 4 * MINUTE),))
    first = plan_slots(due(schedule), NOON)
    assert (run_minutes(first), first.next_due_at) == ([0], NOON + 4 * MINUTE)
    second = plan_slots(due(schedule, until=first.recorded_until, next_due_at=first.next_due_at), NOON + 4 * MINUTE)
    assert run_minutes(second) == [4]
    assert second.skipped == [Stretch(NOON + MINUTE, NOON + 3 * MINUTE, 3, SlotReason.PAUSED)]
    assert second.runs[0].interval_from == NOON + 3 * MINUTE


def test_plan_slots_pauses_with_runs_between_are_stretches_of_their_own() -> None:
    """A stretch never reaches over a slot that ran."""
    schedule = Schedule(cron="* * * * *", pauses=(PauseWindow(cron="1-59/2 * * * *", lasts=60),))
    plan = plan_slots(due(schedule, misfire=MisfirePolicy.ALL), NOON + 3 * MINUTE)
    assert run_minutes(plan) == [0, 2]
    assert plan.skipped == [
        Stretch(NOON + minute * MINUTE, NOON + minute * MINUTE, 1, SlotReason.PAUSED) for minute in (1, 3)
    ]


def test_plan_slots_repeated_pause_windows_open_in_the_schedules_zone() -> None:
    """`cron` and `lasts` open a window again and again, in local time."""
    schedule = Schedule(
        cron="0 * * * *", timezone="Europe/Berlin", pauses=(PauseWindow(cron="0 22 * * *", lasts=8 * 3600),)
    )
    evening = datetime(2026, 3, 1, 20, tzinfo=UTC)  # 21:00 in Berlin
    plan = plan_slots(due(schedule, until=evening - SECOND), evening)
    assert plan.next_due_at == datetime(2026, 3, 2, 5, tzinfo=UTC)


def test_plan_slots_tells_what_came_before_the_validity() -> None:
    """Instants before valid_from are recorded once, as outside, when the first slot comes."""
    schedule = Schedule(cron="* * * * *", valid_from=NOON + 3 * MINUTE)
    plan = plan_slots(due(schedule, next_due_at=NOON + 3 * MINUTE), NOON + 3 * MINUTE)
    assert plan.skipped == [Stretch(NOON, NOON + 2 * MINUTE, 3, SlotReason.OUTSIDE_VALIDITY)]
    assert run_minutes(plan) == [3]


def test_plan_slots_ends_with_the_validity() -> None:
    """Nothing is due after valid_until."""
    plan = plan_slots(due(Schedule(cron="* * * * *", valid_until=NOON)), NOON)
    assert (run_minutes(plan), plan.next_due_at) == ([0], None)


def test_plan_slots_jitter_delays_the_run_and_not_the_slot() -> None:
    """The same slot is always delayed alike, by less than the jitter."""
    schedule = Schedule(cron="0 * * * *", jitter=600)
    slots = {plan_slots(due(schedule, seed=seed), NOON).runs[0] for seed in (1, 1, 2)}
    assert len(slots) == 2
    assert all(NOON <= slot.not_before < NOON + timedelta(seconds=600) for slot in slots)
    assert {slot.scheduled_at for slot in slots} == {NOON}


def test_plan_slots_after_end_runs_however_late_and_waits_for_its_end() -> None:
    """There is one slot, and the end of its run tells the next."""
    plan = plan_slots(due(Schedule(after_end=600)), NOON + timedelta(hours=5))
    assert run_minutes(plan) == [0]
    assert (plan.skipped, plan.recorded_until, plan.next_due_at) == ([], NOON, None)


def test_plan_slots_after_end_too_late_goes_on_by_its_delay() -> None:
    """Where a slot gets no run, the next one follows it by the delay."""
    plan = plan_slots(due(Schedule(after_end=600), misfire=MisfirePolicy.SKIP), NOON + timedelta(hours=1, seconds=5))
    assert plan == SlotPlan(
        [],
        [Stretch(NOON, NOON + timedelta(hours=1), 7, SlotReason.MISFIRED)],
        NOON + timedelta(hours=1),
        NOON + timedelta(minutes=70),
    )


def test_close_slots_tells_all_that_passed_by_reason() -> None:
    """A schedule that is changed leaves no slot behind; pause windows keep their reason."""
    schedule = Schedule(cron="* * * * *", pauses=(PauseWindow(starts_at=NOON + MINUTE, until=NOON + 2 * MINUTE),))
    assert close_slots(due(schedule), NOON + 3 * MINUTE, SlotReason.MISSED) == [
        Stretch(NOON, NOON, 1, SlotReason.MISSED),
        Stretch(NOON + MINUTE, NOON + MINUTE, 1, SlotReason.PAUSED),
        Stretch(NOON + 2 * MINUTE, NOON + 3 * MINUTE, 2, SlotReason.MISSED),
    ]


@pytest.mark.parametrize("next_due_at", [None, NOON])
def test_close_slots_of_a_fixed_delay(next_due_at: datetime | None) -> None:
    """While a run is awaited there is no slot; else they follow each other by the delay."""
    stretches = close_slots(
        due(Schedule(after_end=600), next_due_at=next_due_at), NOON + timedelta(minutes=25), SlotReason.PAUSED
    )
    expected = [Stretch(NOON, NOON + timedelta(minutes=20), 3, SlotReason.PAUSED)] if next_due_at else []
    assert stretches == expected


SCHEDULES = st.builds(
    Schedule,
    cron=st.sampled_from(["* * * * *", "*/7 * * * *", "30 2 * * *", "H */3 * * *", "0 9 * * 1-5", "0 0 L * *"]),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    pauses=st.sampled_from(
        [
            (),
            (PauseWindow(cron="0 1 * * *", lasts=7200),),
            (PauseWindow(cron="*/10 * * * *", lasts=240),),
            (PauseWindow(starts_at=NOON + timedelta(days=1), until=NOON + timedelta(days=2)),),
        ]
    ),
)
POLICIES = st.builds(
    SlotPolicies,
    misfire=st.sampled_from(list(MisfirePolicy)),
    misfire_grace_seconds=st.sampled_from([None, 0.0, 90.0, 7200.0, 86_400.0]),
    misfire_runs_max=st.integers(1, 40),
)


@given(
    schedule=SCHEDULES,
    policies=POLICIES,
    downtimes=st.lists(st.integers(1, 3 * 86_400), min_size=1, max_size=4),
    runs_max=st.sampled_from([None, 1, 3]),
)
def test_plan_slots_tells_every_slot_exactly_once(
    schedule: Schedule, policies: SlotPolicies, downtimes: list[int], runs_max: int | None
) -> None:
    """Whatever the policy and however often nobody ran: each slot is a run or part of one stretch, and none is both."""
    start = datetime(2026, 3, 27, 23, 0, 1, tzinfo=UTC)
    position, next_due_at, now = start, next_after(schedule, start, 5), start
    told: list[tuple[datetime, datetime, int]] = []
    for downtime in downtimes:
        now += timedelta(seconds=downtime)
        while next_due_at is not None and next_due_at <= now:
            schedule_due = msgspec.structs.replace(
                due(schedule, until=position, next_due_at=next_due_at, seed=5), policies=policies
            )
            plan = plan_slots(schedule_due, now, runs_max=runs_max)
            assert plan.recorded_until > position
            told += [(slot.scheduled_at, slot.scheduled_at, 1) for slot in plan.runs]
            told += [(stretch.first, stretch.last, stretch.count) for stretch in plan.skipped]
            assert not any(is_paused(schedule, slot.scheduled_at) for slot in plan.runs)
            position, next_due_at = plan.recorded_until, plan.next_due_at
    expected = list(slots_between(schedule, start, position, 5))
    told.sort()
    assert sum(count for _, _, count in told) == len(expected)
    walked = iter(expected)
    for first, last, count in told:
        mine = [next(walked) for _ in range(count)]
        assert (mine[0], mine[-1]) == (first, last)
    # Nothing that is due and may run is left behind.
    assert not any(not is_paused(schedule, slot) for slot in slots_between(schedule, position, now, 5))
