"""What the runs of a batch of slots wait for across schedules, decided without a store."""

from datetime import timedelta

from fixtures.due_schedules import MINUTE, NOON, due, node
from scheduler_core.models import CreatedRun, Dependency, Schedule, SchedulePeriod, TaskGraph, TaskRunStatus
from scheduler_core.models.interval_wait import IntervalSource
from scheduler_dispatcher.awaited_intervals import AwaitedIntervals
from scheduler_dispatcher.firing_plan import plan_firing
from scheduler_dispatcher.interval_waits import plan_waits

PENDING, DISPATCHED = TaskRunStatus.PENDING, TaskRunStatus.DISPATCHED


def created(run_id: int, flow_id: int, task_id: int) -> CreatedRun:
    """A run of the slot at noon."""
    return CreatedRun(run_id, flow_id, task_id, PENDING, "default", "python", NOON)


def source(task_id: int, dependency: Dependency, schedule: Schedule) -> IntervalSource:
    """A dependency on task 9, which has had this schedule for a day."""
    period = SchedulePeriod(
        task_id=9, counts_from=NOON - timedelta(days=1), counts_until=None, schedule=schedule, seed=0
    )
    return IntervalSource(task_id=task_id, position=0, dependency=dependency, upstream_task_id=9, periods=(period,))


def test_plan_firing_lets_those_wait_that_depend_on_intervals() -> None:
    """Whoever depends on intervals is born PENDING, whatever else it waits for; the others as ever."""
    graph = TaskGraph(
        [node(1, has_intervals=True), node(2), node(3, has_schedule=False, depends_on=(2,), has_intervals=True)]
    )
    first, second = plan_firing([due(1), due(2)], graph).requests
    assert [member.status for member in first.plan.members] == [PENDING]
    assert [(member.status, member.waiting_on) for member in second.plan.members] == [(DISPATCHED, 0), (PENDING, 1)]


def test_plan_firing_takes_few_slots_at_once_whose_runs_wait() -> None:
    """Each of them may wait for thousands of slots: the rest is due again at once."""
    late = due(1, since=NOON - 200 * MINUTE, misfire="all", misfire_runs_max=1000)
    assert len(plan_firing([late], TaskGraph([node(1, has_intervals=True)])).requests) == 50
    assert len(plan_firing([late], TaskGraph([node(1)])).requests) == 201


def test_plan_firing_leaves_out_what_one_look_cannot_wait_for() -> None:
    """Of flows that wait at most the given slots run; those that are not given stay due, and all others fire."""
    late = [due(number, since=NOON - 20 * MINUTE, misfire="all") for number in (1, 2, 3, 4)]
    graph = TaskGraph([node(1, has_intervals=True), node(2, has_intervals=True), node(3), node(4, has_intervals=True)])
    plan = plan_firing(late, graph, None, {1: 21, 2: 5})
    assert [advance.task_id for advance in plan.advances] == [1, 2, 3]
    assert plan.advances[1].next_due_at == NOON - 15 * MINUTE
    assert [request.plan.members[0].task_id for request in plan.requests] == [1] * 21 + [2] * 5 + [3] * 21


def test_plan_waits_takes_the_interval_of_the_flow() -> None:
    """A task downstream waits for what lies within its root's interval; its deadline counts from the root's slot."""
    graph = TaskGraph([node(1), node(2, has_schedule=False, depends_on=(1,), has_intervals=True)])
    requests = plan_firing([due(1, Schedule(cron="0 * * * *"))], graph).requests
    runs = [created(10, 10, 1), created(11, 10, 2)]
    dependency = Dependency("quarterly", "contained", deadline=600)
    [wait] = plan_waits(
        runs[1:], runs, requests, AwaitedIntervals([source(2, dependency, Schedule(cron="*/15 * * * *"))])
    )
    assert wait.slots == tuple(NOON - minutes * MINUTE for minutes in (45, 30, 15, 0))
    assert (wait.run_id, wait.deadline_at, wait.reason) == (11, NOON + 10 * MINUTE, None)


def test_plan_waits_tells_why_a_schedule_cannot_be_computed() -> None:
    """A schedule that this version cannot compute is a dependency that can never be met, and not an end of the loop."""
    requests = plan_firing([due(1)], TaskGraph([node(1, has_intervals=True)])).requests
    runs = [created(10, 10, 1)]
    broken = source(1, Dependency("moon", "latest"), Schedule(cron="0 0 * * *", timezone="Moon/Base"))
    [wait] = plan_waits(runs, runs, requests, AwaitedIntervals([broken]))
    assert wait.slots == ()
    assert "'moon' cannot be computed" in (wait.reason or "")
