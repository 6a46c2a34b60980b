"""What keeps a run from running, told from its situation."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import msgspec
import pytest

from fixtures.explain_cases import NOW, build_case, build_other, build_session_facts, build_system
from scheduler_core.decisions import explain
from scheduler_core.decisions.admission import ADMISSION, CLAIM, Predicate
from scheduler_core.decisions.explain import explained_run, run_blockers
from scheduler_core.decisions.explain_blockers import RunCase, ToldWait
from scheduler_core.models import Dependency, FlowOptions, Lane, OverlapPolicy, TaskRunStatus, TaskStatus
from scheduler_core.models.explanation import BlockerCode
from scheduler_core.models.interval_wait import IntervalWait, MissingSlot, SlotOutcome, WaitState
from scheduler_core.models.situation import Claims, PastAttempt

LATER = NOW + timedelta(minutes=5)
BUSY = build_system(build_session_facts(free=0))

SCENARIOS: Mapping[str, tuple[Callable[[], RunCase], set[str]]] = {
    "nothing": (build_case, set()),
    "admitted": (lambda: build_case(status="DISPATCHED"), set()),
    "no dispatcher": (lambda: build_case(system=build_system(build_session_facts(), alive=0)), {"DISPATCHER_DOWN"}),
    "no dispatcher, admitted": (
        lambda: build_case(status="DISPATCHED", system=build_system(build_session_facts(), alive=0)),
        set(),
    ),
    "deleted": (lambda: build_case(task_status=TaskStatus.INACTIVE), {"DELETED"}),
    "paused": (lambda: build_case(task_status=TaskStatus.PAUSED, is_held=True), {"PAUSED"}),
    "put aside": (lambda: build_case(is_held=True), {"PAUSED"}),
    "not due": (lambda: build_case(is_due=False, not_before=LATER), {"NOT_DUE"}),
    "backoff": (lambda: build_case(is_due=False, not_before=LATER, attempt=1, failures=1), {"BACKOFF"}),
    "overlap": (
        lambda: build_case(
            waiting_on=2,
            untold=2,
            overlaps=2,
            overlap=OverlapPolicy.QUEUE,
            open_overlaps=[build_other(1), build_other(2)],
        ),
        {"OVERLAP"},
    ),
    "upstream": (
        lambda: build_case(waiting_on=1, untold=1, upstreams=2, successes=1, open_upstream=[build_other(3)]),
        {"UPSTREAM"},
    ),
    "upstream has ended and nobody has told": (
        lambda: build_case(waiting_on=1, untold=1, upstreams=1, successes=1),
        set(),
    ),
    "upstream has failed and nobody has told": (
        lambda: build_case(waiting_on=1, untold=1, upstreams=1, failures_upstream=1),
        {"TRIGGER_RULE"},
    ),
    "rule waits": (
        lambda: build_case(
            trigger_rule="one_failed", waiting_on=1, untold=1, upstreams=2, successes=1, open_upstream=[build_other(3)]
        ),
        {"UPSTREAM", "TRIGGER_RULE"},
    ),
    "rule holds already": (
        lambda: build_case(
            trigger_rule="one_success", waiting_on=2, untold=2, upstreams=2, successes=1, open_upstream=[build_other(3)]
        ),
        set(),
    ),
    "interval": (lambda: build_case(waiting_on=1, intervals=1), {"INTERVAL"}),
    "group is full": (
        lambda: build_case(
            group_id=1,
            shard_index=2,
            shard_total=3,
            waiting_on=1,
            group_released=1,
            flow_options=FlowOptions(shards=3, max_parallel=1),
        ),
        {"GROUP_FULL"},
    ),
    "group has just got room": (
        lambda: build_case(
            group_id=1, shard_index=2, shard_total=3, waiting_on=1, flow_options=FlowOptions(shards=3, max_parallel=1)
        ),
        set(),
    ),
    "group": (
        lambda: build_case(group_size=3, waiting_on=2, members_ended=1, flow_options=FlowOptions(shards=3)),
        {"GROUP_RUNNING"},
    ),
    "lost count": (lambda: build_case(waiting_on=1), {"UNACCOUNTED"}),
    "condition": (
        lambda: build_case(expands=True, flow_options=FlowOptions(when="params.x"), system=build_system()),
        {"NO_WORKER"},
    ),
    "condition, and nothing else": (
        lambda: build_case(expands=True, flow_options=FlowOptions(when="params.x")),
        set(),
    ),
    "group to be made": (
        lambda: build_case(expands=True, flow_options=FlowOptions(shards=3), system=build_system()),
        {"NOT_EXPANDED"},
    ),
    "no worker": (lambda: build_case(status="DISPATCHED", system=build_system()), {"NO_WORKER"}),
    "other queue": (lambda: build_case(queue="gpu"), {"NO_WORKER"}),
    "other type": (lambda: build_case(task_type="http"), {"NO_WORKER"}),
    "draining": (lambda: build_case(system=build_system(build_session_facts(is_draining=True))), {"NO_WORKER"}),
    "lease over": (lambda: build_case(system=build_system(build_session_facts(has_lease=False))), {"NO_WORKER"}),
    "a worker's own queue": (lambda: build_case(queue="@worker-1"), set()),
    "another worker's own queue": (lambda: build_case(queue="@worker-2"), {"NO_WORKER"}),
    "places taken": (lambda: build_case(system=BUSY), {"PLACES_BUSY"}),
    "places go to others": (
        lambda: build_case(
            system=build_system(build_session_facts(free=1)),
            claims=Claims(run_id=7, ahead=(Lane("default", "shell"),), ahead_in_lane=1),
        ),
        {"PLACES_BUSY"},
    ),
    "others ahead are another worker's": (
        lambda: build_case(
            system=build_system(
                build_session_facts(1, free=1, queues=("gpu", "default")), build_session_facts(2, free=1)
            ),
            claims=Claims(run_id=7, ahead=(Lane("gpu", "shell"),)),
        ),
        set(),
    ),
    "everything at once": (
        lambda: build_case(
            task_status=TaskStatus.PAUSED,
            is_held=True,
            is_due=False,
            not_before=LATER,
            waiting_on=2,
            untold=2,
            overlaps=1,
            upstreams=1,
            open_upstream=[build_other(3)],
            system=build_system(alive=0, seen=None),
        ),
        {"DISPATCHER_DOWN", "PAUSED", "NOT_DUE", "OVERLAP", "UPSTREAM", "NO_WORKER"},
    ),
    "running": (lambda: build_case(status="RUNNING", task_status=TaskStatus.PAUSED), set()),
}


def codes(case: RunCase) -> set[str]:
    """The codes of what blocks a run."""
    return {view.code.value for view in run_blockers(case) if view.blocks}


def missed_by(predicates: tuple[Predicate, ...], monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """The scenarios that come out wrong when a tuple of predicates is these."""
    with monkeypatch.context() as patched:
        patched.setattr(explain, name, predicates)
        return [title for title, (build, expected) in SCENARIOS.items() if codes(build()) != expected]


@pytest.mark.parametrize("title", SCENARIOS)
def test_core_unit_explain_names_every_blocker(title: str) -> None:
    """Each situation has exactly its blockers, and is blocked only by them."""
    build, expected = SCENARIOS[title]
    assert codes(build()) == expected
    assert explained_run(build()).is_blocked == bool(expected)


@pytest.mark.parametrize("predicate", [*ADMISSION, *CLAIM])
def test_core_unit_explain_needs_every_predicate(predicate: Predicate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of them some situation is told wrongly."""
    admission = tuple(each for each in ADMISSION if each is not predicate)
    claim = tuple(each for each in CLAIM if each is not predicate)
    assert missed_by(admission, monkeypatch, "ADMISSION") or missed_by(claim, monkeypatch, "CLAIM")


def test_core_unit_explain_asks_all_predicates() -> None:
    """With all of them no situation is told wrongly, which the test above relies on."""
    assert [title for title, (build, expected) in SCENARIOS.items() if codes(build()) != expected] == []


@pytest.mark.parametrize(
    ("case", "sentences"),
    [
        (
            build_case(
                task_status=TaskStatus.PAUSED, task_status_since=NOW, is_due=False, not_before=LATER, scheduled_at=NOW
            ),
            ["Task 'report' is paused.", "It may not start before 2027-03-01 12:05:00 UTC, 5 min after its slot."],
        ),
        (
            build_case(
                is_due=False,
                not_before=LATER,
                attempt=1,
                failures=1,
                max_retries=2,
                attempts=[PastAttempt(attempt=1, outcome="FAILED", ended_at=NOW)],
            ),
            [("Attempt 1 ended as FAILED (1 of at most 3 attempts failed); the next one may start at 2027-03-01 "
             "12:05:00 UTC.")],
        ),
        (
            build_case(upstreams=12, successes=1, waiting_on=11, untold=11, open_upstream=[build_other(3)]),
            ["Upstream run 3 of 'extract' is RUNNING.", "10 more runs upstream have not ended."],
        ),
        (
            build_case(
                trigger_rule="at_least(2)", upstreams=2, failures_upstream=1, waiting_on=1, untold=1
            ),
            [("Its trigger rule at_least(2) cannot hold any more: 0 succeeded, 1 failed, 0 skipped, 1 not ended, of 2 "
             "runs upstream.")],
        ),
        (
            build_case(system=build_system(build_session_facts(free=0)), claims=Claims(run_id=7, ahead_in_lane=3)),
            [("4 of 4 places at 1 worker for queue 'default' and type 'shell' are taken, and 3 runs are ahead of it "
             "(its priority: 5).")],
        ),
        (
            build_case(system=build_system(build_session_facts(free=0))),
            [("4 of 4 places at 1 worker for queue 'default' and type 'shell' are taken, and no runs are ahead of it "
             "(its priority: 5).")],
        ),
        (
            build_case(
                group_size=9, members=6, members_ended=1, members_running=2, members_offered=1, members_queued=1,
                members_delayed=1, waiting_on=5, flow_options=FlowOptions(shards=9),
            ),
            [("It stands for 9 runs, of which 4 have ended (3 taken over), and runs nothing itself: 2 running, 1 "
             "waiting for a worker to take them, 1 waiting for a place in the group, 1 backing off.")],
        ),
        (
            build_case(
                group_size=1, members=1, members_offered=1, waiting_on=1, queue="gpu",
                flow_options=FlowOptions(shards=1),
            ),
            ["It stands for 1 run, of which 0 have ended, and runs nothing itself: 1 without a worker."],
        ),
        (build_case(queue="gpu"), ["No live worker takes queue 'gpu' (alive: worker-1)."]),
        (build_case(task_type="http"), ["No live worker of queue 'default' takes type 'http' (alive: worker-1)."]),
        (
            build_case(system=build_system(build_session_facts(is_draining=True))),
            ["All workers of queue 'default' and type 'shell' are draining: worker-1."],
        ),
        (build_case(queue="@w9"), ["It is meant for worker 'w9', which is not alive."]),
        (build_case(system=build_system()), ["No worker is alive."]),
        (
            build_case(system=build_system(build_session_facts(), alive=0, seen=NOW - timedelta(seconds=90))),
            ["No dispatcher runs: the last one was seen 1 min 30 s ago."],
        ),
    ],
)  # fmt: skip
def test_core_unit_explain_tells_names_and_numbers(case: RunCase, sentences: list[str]) -> None:
    """The sentences say which run, how many and until when."""
    assert [view.message for view in run_blockers(case)] == sentences


def test_core_unit_explain_names_the_failed_runs_of_an_interval() -> None:
    """What failed can be run again; with a slot that has no run it is told where to look, namespace and all."""
    failed = MissingSlot(NOW, SlotOutcome.FAILURE, 31, TaskRunStatus.FAILED)
    wait = IntervalWait(
        run_id=7,
        position=0,
        upstream_task_id=1,
        upstream_task="hourly",
        dependency=Dependency("hourly", "contained"),
        state=WaitState.OPEN,
        expected=2,
        outcomes={},
        missing=(failed,),
    )

    def clears(*missing: MissingSlot) -> str:
        told = ToldWait(msgspec.structs.replace(wait, missing=missing), "all slots")
        (view,) = run_blockers(build_case(namespace="sales", waiting_on=1, intervals=1, waits=[told]))
        return view.clears

    again = "Run again what has not succeeded: `scheduler run retry 31`."
    assert clears(failed) == f"Successful runs of 'hourly' for those slots. {again}"
    assert clears(failed, MissingSlot(LATER, None)) == (
        "Runs of 'hourly' for those slots; `scheduler explain slot hourly --namespace sales SLOT` tells why one is "
        f"missing. {again}"
    )


def test_core_unit_explain_tells_of_a_condition_without_blocking() -> None:
    """The look that evaluates a condition starts the run, too: it is told what is to come, and that it only delays."""
    (view,) = run_blockers(build_case(expands=True, flow_options=FlowOptions(when="params.x")))
    assert (view.code, view.blocks) == (BlockerCode.NOT_EXPANDED, False)
    assert view.message == "A dispatcher has yet to evaluate its condition params.x."
    assert view.clears.endswith("It is skipped when the condition is false.")


def test_core_unit_explain_tells_of_a_queue_that_is_away() -> None:
    """The message queue only delays: it is told, and blocks nothing."""
    case = build_case()
    away = RunCase(run=case.run, system=case.system, claims=case.claims, queue_error="No answer within 2 s.")
    assert [(view.code, view.blocks) for view in run_blockers(away)] == [(BlockerCode.BROKER_UNREACHABLE, False)]
    assert not explained_run(away).is_blocked
    done = build_case(status=TaskRunStatus.COMPLETED, completed_at=NOW)
    assert run_blockers(RunCase(run=done.run, system=done.system, claims=done.claims, queue_error="away")) == ()
