"""Which slots run, which are only recorded, and where schedules stand afterwards."""

from datetime import datetime, timedelta

import pytest

from fixtures.due_schedules import EVERY_MINUTE, MINUTE, NOON, due, node, run
from scheduler_core.decisions.slot_plan import plan_slots
from scheduler_core.models import (
    FlowRequest,
    MisfirePolicy,
    OverlapPolicy,
    PauseWindow,
    RunTrigger,
    Schedule,
    ScheduleAdvance,
    SkippedSlots,
    SlotReason,
    TaskGraph,
    TaskRunStatus,
    TaskStatus,
)
from scheduler_dispatcher.firing_plan import RUNS_A_LOOK_MAX, awaiting, plan_firing
from scheduler_dispatcher.shared_plans import SharedPlans

TEN_MINUTES_AFTER = Schedule(after_end=600)


def test_plan_firing_runs_a_slot_and_moves_on() -> None:
    """A due slot gets one flow that begins with its task, and the schedule stands at the next slot."""
    graph = TaskGraph([node(1), node(2, has_schedule=False, depends_on=(1,))])
    plan = plan_firing([due(1)], graph)
    [request] = plan.requests
    assert request == FlowRequest(
        plan=request.plan,
        trigger=RunTrigger.SCHEDULE,
        scheduled_at=NOON,
        not_before=NOON,
        slot=True,
        interval_from=NOON - MINUTE,
        interval_to=NOON,
    )
    assert [member.task_id for member in request.plan.members] == [1, 2]
    assert plan.advances == [ScheduleAdvance(task_id=1, recorded_until=NOON, next_due_at=NOON + MINUTE)]
    assert plan.skipped == []


def test_plan_firing_records_missed_slots() -> None:
    """After an outage the latest slot runs and the others are on record with their number."""
    plan = plan_firing([due(1, now=NOON + 10.5 * MINUTE)], TaskGraph([node(1)]))
    assert [request.scheduled_at for request in plan.requests] == [NOON + 10 * MINUTE]
    assert plan.skipped == [
        SkippedSlots(
            task_id=1, scheduled_at=NOON, last_scheduled_at=NOON + 9 * MINUTE, count=10, reason=SlotReason.MISSED
        )
    ]
    assert plan.advances[0].next_due_at == NOON + 11 * MINUTE


def test_plan_firing_uses_one_moment_for_the_whole_batch() -> None:
    """A row that was read a little earlier is not judged by an earlier clock."""
    plan = plan_firing([due(1, now=NOON), due(2, now=NOON + MINUTE)], TaskGraph([node(1), node(2)]))
    assert [request.scheduled_at for request in plan.requests] == [NOON + MINUTE] * 2


@pytest.mark.parametrize("graph", [TaskGraph([]), TaskGraph([node(1, status=TaskStatus.PAUSED)])])
def test_plan_firing_stops_schedules_of_tasks_that_make_no_runs(graph: TaskGraph) -> None:
    """A paused or deleted task gets no run; what passes from now on is recorded by whoever resumes or changes it."""
    waiting = due(1, now=NOON + 2 * MINUTE)
    plan = plan_firing([waiting], graph)
    assert (plan.requests, plan.skipped) == ([], [])
    assert plan.advances == [ScheduleAdvance(task_id=1, recorded_until=waiting.recorded_until, next_due_at=None)]


def test_plan_firing_puts_off_a_schedule_that_cannot_be_computed() -> None:
    """One broken row keeps nobody from running, loses no slot, and is looked at again in an hour."""
    broken = due(1, Schedule(cron="* * * * *", timezone="Europe/Atlantis"))
    plan = plan_firing([broken, due(2)], TaskGraph([node(1), node(2)]))
    assert [request.plan.members[0].task_id for request in plan.requests] == [2]
    assert plan.advances[0] == ScheduleAdvance(
        task_id=1, recorded_until=broken.recorded_until, next_due_at=NOON + timedelta(hours=1)
    )
    assert plan.skipped == []


def test_plan_firing_puts_off_a_fixed_delay_whose_end_cannot_be_computed() -> None:
    """Its validity is looked at before its slots are, and is as likely to be odd."""
    until = datetime(2030, 1, 1)  # noqa: DTZ001  on the wall of a zone that is gone
    broken = due(1, Schedule(after_end=60, timezone="Europe/Atlantis", valid_until=until))
    plan = plan_firing([broken, due(2)], TaskGraph([node(1), node(2)]))
    assert [request.plan.members[0].task_id for request in plan.requests] == [2]
    assert plan.advances[0].next_due_at == NOON + timedelta(hours=1)


def test_plan_firing_ends_a_one_shot() -> None:
    """An instant that was run is never due again, and covers no data interval."""
    plan = plan_firing([due(1, Schedule(at=NOON))], TaskGraph([node(1)]))
    assert plan.advances == [ScheduleAdvance(task_id=1, recorded_until=NOON, next_due_at=None)]
    assert (plan.requests[0].interval_from, plan.requests[0].interval_to) == (None, None)


def test_plan_firing_leaves_the_rest_of_a_large_batch_for_the_next_look() -> None:
    """A transaction has an end: a hundred tasks with an hour of seconds to catch up take several looks."""
    seconds, later = Schedule(every=1), NOON + timedelta(hours=1)
    batch = [
        due(number, seconds, now=later, misfire=MisfirePolicy.ALL, misfire_runs_max=3600) for number in range(1, 101)
    ]
    plan = plan_firing(batch, TaskGraph([node(number) for number in range(1, 101)]))
    assert len(plan.requests) == RUNS_A_LOOK_MAX
    assert [advance.task_id for advance in plan.advances] == list(range(1, 11))
    assert all(a.next_due_at is not None and a.next_due_at < later for a in plan.advances)


def test_plan_firing_delays_a_run_by_its_jitter() -> None:
    """The slot stays the nominal one; the run waits PENDING for its moment."""
    jittered = due(5, Schedule(cron="* * * * *", jitter=50))
    [request] = plan_firing([jittered], TaskGraph([node(5)])).requests
    assert request.scheduled_at == NOON
    assert request.not_before is not None
    assert NOON < request.not_before < NOON + timedelta(seconds=50)
    assert request.plan.members[0].status is TaskRunStatus.PENDING


def test_plan_firing_overlap_skip_records_the_slot() -> None:
    """While an earlier run is active the slot is on record as OVERLAP; without one it runs."""
    graph = TaskGraph([node(1), node(2)])
    batch = [due(1, overlap=OverlapPolicy.SKIP), due(2, overlap=OverlapPolicy.SKIP)]
    plan = plan_firing(batch, graph, {1: [70]})
    assert [request.plan.members[0].task_id for request in plan.requests] == [2]
    assert [(s.task_id, s.scheduled_at, s.count, s.reason) for s in plan.skipped] == [(1, NOON, 1, SlotReason.OVERLAP)]
    assert plan.advances[0] == ScheduleAdvance(task_id=1, recorded_until=NOON, next_due_at=NOON + MINUTE)


@pytest.mark.parametrize(("overlap", "cancels"), [(OverlapPolicy.QUEUE, []), (OverlapPolicy.CANCEL_PREVIOUS, [70, 71])])
def test_plan_firing_overlap_makes_the_run_wait(overlap: OverlapPolicy, cancels: list[int]) -> None:
    """The new run is PENDING behind all active ones; with cancel_previous those are cancelled."""
    plan = plan_firing([due(1, overlap=overlap)], TaskGraph([node(1)]), {1: [70, 71]})
    [request] = plan.requests
    assert (request.after_runs, plan.cancels) == ((70, 71), cancels)
    assert request.plan.members[0].status is TaskRunStatus.PENDING


def test_plan_firing_overlap_counts_the_run_of_the_slot_before() -> None:
    """However many slots are due, one runs per look where runs must not overlap: the next one sees it."""
    late = due(1, now=NOON + 5 * MINUTE, misfire=MisfirePolicy.ALL, overlap=OverlapPolicy.QUEUE)
    plan = plan_firing([late], TaskGraph([node(1)]))
    assert [request.scheduled_at for request in plan.requests] == [NOON]
    assert plan.advances[0].next_due_at == NOON + MINUTE


def test_plan_firing_fixed_delay_waits_for_its_run() -> None:
    """The root run's end will be settled, and the schedule is not due before."""
    batch = [due(1, TEN_MINUTES_AFTER), due(2, TEN_MINUTES_AFTER), due(3)]
    plan = plan_firing(batch, TaskGraph([node(1), node(2), node(3)]))
    assert [request.plan.members[0].needs_settlement for request in plan.requests] == [True, True, False]
    one, two, three = awaiting(plan, batch, [run(11, task_id=1), run(13, task_id=3)])
    assert (one.next_due_at, one.awaits_run_id) == (None, 11)
    assert (two.next_due_at, two.awaits_run_id) == (NOON + 10 * MINUTE, None), "its slot had a run already"
    assert (three.next_due_at, three.awaits_run_id) == (NOON + MINUTE, None)


def test_plan_firing_fixed_delay_goes_on_from_a_slot_that_is_recorded_already() -> None:
    """A slot at the very instant of the record has its run: the next one follows from it, and nothing stands still."""
    batch = [due(1, TEN_MINUTES_AFTER, until=NOON)]
    plan = plan_firing(batch, TaskGraph([node(1)]))
    [advance] = awaiting(plan, batch, [])
    assert (advance.next_due_at, advance.awaits_run_id) == (NOON + 10 * MINUTE, None)


def test_plan_firing_fixed_delay_goes_on_from_a_slot_without_a_run() -> None:
    """A slot that overlaps gets no run, so the next one counts from it."""
    batch = [due(1, TEN_MINUTES_AFTER, overlap=OverlapPolicy.SKIP)]
    plan = plan_firing(batch, TaskGraph([node(1)]), {1: [70]})
    [advance] = awaiting(plan, batch, [])
    assert advance == ScheduleAdvance(task_id=1, recorded_until=NOON, next_due_at=NOON + 10 * MINUTE)


@pytest.mark.parametrize(
    "schedule",
    [
        EVERY_MINUTE,
        Schedule(cron="H * * * *"),
        Schedule(cron="* * * * *", jitter=20),
        Schedule(any=(Schedule(cron="0 * * * *"), Schedule(every=90))),
        Schedule(cron="* * * * *", valid_from=NOON - 3 * MINUTE),
        Schedule(cron="* * * * *", pauses=(PauseWindow(cron="58 * * * *", lasts=60),)),
        TEN_MINUTES_AFTER,
    ],
)
def test_shared_plans_are_those_that_each_would_have(schedule: Schedule) -> None:
    """Sharing changes nothing: tasks that go back to different instants get the plan of their own."""
    now = NOON + 2.5 * MINUTE
    batch = [
        due(number, schedule, since=since, until=since - timedelta(seconds=back), now=now)
        for number, (since, back) in enumerate(
            [(since, back) for since in (NOON, NOON + MINUTE) for back in (1, 30, 59, 61, 600, 1)], 1
        )
    ]
    shared = SharedPlans(batch, now)
    for each in batch:
        assert shared.plan_of(each, 1000) == plan_slots(each, now, runs_max=1000)
