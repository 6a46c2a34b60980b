"""What keeps a run from running, told from its situation."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from fixtures.explain_cases import (
    CREATED,
    NOW,
    build_case,
    build_gated_case,
    build_limit,
    build_other,
    build_session_facts,
    build_stream,
    build_system,
)
from scheduler_core.decisions import explain
from scheduler_core.decisions.admission import ADMISSION, CLAIM, PERMITS, TURN, Predicate
from scheduler_core.decisions.explain import explained_run, run_blockers
from scheduler_core.decisions.explain_case import RunCase, ToldWait
from scheduler_core.models import Dependency, DispatchOptions, FlowOptions, OverlapPolicy, TaskRunStatus, TaskStatus
from scheduler_core.models.explanation import BlockerCode
from scheduler_core.models.interval_wait import IntervalWait, MissingSlot, SlotOutcome, WaitState
from scheduler_core.models.situation import ClaimableRun, Claims, PastAttempt

LATER = NOW + timedelta(minutes=5)
BUSY = build_system(build_session_facts(free=0))
TAGGED = build_system(build_session_facts(tags=frozenset({"gpu"}), resources={"gpu": 2.0}))
JUST_DUE: dict[str, Any] = {"created_at": NOW, "not_before": NOW}
FAR_AWAY: dict[str, Any] = {"claim_at": NOW + timedelta(days=36_500)}

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
        {"NO_WORKER", "NOT_EXPANDED~"},
    ),
    "condition, and nothing else": (
        lambda: build_case(expands=True, flow_options=FlowOptions(when="params.x")),
        {"NOT_EXPANDED~"},
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
            claims=Claims(run_id=7, ahead=(ClaimableRun("default", "shell"),), ahead_in_lane=1),
        ),
        {"PLACES_BUSY"},
    ),
    "others ahead are another worker's": (
        lambda: build_case(
            system=build_system(
                build_session_facts(1, free=1, queues=("gpu", "default")), build_session_facts(2, free=1)
            ),
            claims=Claims(run_id=7, ahead=(ClaimableRun("gpu", "shell"),)),
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
    "in its stream, and the next one": (lambda: build_gated_case(build_stream()), set()),
    "not sorted": (lambda: build_gated_case(), {"NOT_SORTED~"}),
    "not sorted, because it is not due": (lambda: build_gated_case(is_due=False, not_before=LATER), {"NOT_DUE"}),
    "not sorted, and no dispatcher": (
        lambda: build_gated_case(system=build_system(build_session_facts(), alive=0)),
        {"DISPATCHER_DOWN", "NOT_SORTED~"},
    ),
    "not sorted, and a limit without a key is full": (
        lambda: build_gated_case(limits=(build_limit(1, holders=(4,)),)),
        {"NOT_SORTED~", "LIMIT_FULL"},
    ),
    "not sorted, and no worker has the tag": (
        lambda: build_gated_case(dispatch_options=DispatchOptions(required_tags=("gpu",))),
        {"NOT_SORTED~", "NO_TAGGED_WORKER"},
    ),
    "strategy of nobody": (
        lambda: build_gated_case(build_stream(strategy="of_mine")),
        {"STRATEGY_UNKNOWN"},
    ),
    "default strategy of nobody": (
        lambda: build_gated_case(build_stream(), system=build_system(build_session_facts(), strategy="of_mine")),
        {"STRATEGY_UNKNOWN"},
    ),
    "strategy that is known": (lambda: build_gated_case(build_stream(strategy="least_loaded"), **JUST_DUE), set()),
    "strategy that names nobody": (
        lambda: build_gated_case(build_stream(strategy="least_loaded")),
        {"STRATEGY_UNDECIDED"},
    ),
    "strategy that names nobody, of a lane without workers": (
        lambda: build_gated_case(build_stream(strategy="least_loaded", queue="gpu"), queue="gpu"),
        {"NO_WORKER"},
    ),
    "a worker has the tags": (
        lambda: build_gated_case(
            build_stream(required_tags=("gpu",), forbidden_tags=("spot",)), system=TAGGED, **JUST_DUE
        ),
        set(),
    ),
    "no worker has the tag": (
        lambda: build_gated_case(build_stream(required_tags=("eu",)), system=TAGGED),
        {"NO_TAGGED_WORKER"},
    ),
    "all workers have a tag that is forbidden": (
        lambda: build_gated_case(build_stream(forbidden_tags=("gpu",)), system=TAGGED),
        {"NO_TAGGED_WORKER"},
    ),
    "no worker has what it requests": (
        lambda: build_gated_case(build_stream(resources=(("gpu", 3.0),)), system=TAGGED),
        {"NO_RESOURCES"},
    ),
    "no worker has left what it requests": (
        lambda: build_gated_case(
            build_stream(resources=(("gpu", 1.0),)),
            system=build_system(build_session_facts(tags=frozenset({"used"}), resources={"gpu": 2.0})),
        ),
        {"NO_RESOURCES"},
    ),
    "places of the workers with the tags are given away": (
        lambda: build_gated_case(
            build_stream(required_tags=("gpu",)),
            system=build_system(build_session_facts(1, tags=frozenset({"gpu"}), free=0), build_session_facts(2)),
        ),
        {"PLACES_BUSY"},
    ),
    "limit is full": (lambda: build_gated_case(build_stream(), limits=(build_limit(1, holders=(4,)),)), {"LIMIT_FULL"}),
    "limit has room": (lambda: build_gated_case(build_stream(), limits=(build_limit(2, holders=(4,)),)), set()),
    "the limit's room is for those ahead": (
        lambda: build_gated_case(build_stream(), ahead=1, limits=(build_limit(2, holders=(4,)),)),
        {"LIMIT_FULL"},
    ),
    "the limit's room is for those ahead in another stream": (
        lambda: build_gated_case(
            build_stream(limit_key_ids=(9,)),
            limits=(build_limit(2, holders=(4,)),),
            rivals=((build_stream(2, limit_key_ids=(9,)), 1, 1),),
        ),
        {"LIMIT_FULL"},
    ),
    "one of two limits is full": (
        lambda: build_gated_case(build_stream(), limits=(build_limit(2), build_limit(2, holders=(4, 5)))),
        {"LIMIT_FULL"},
    ),
    "claimable, and the limit is full again": (
        lambda: build_gated_case(
            build_stream(waiting=False, claimable=1), status="DISPATCHED", limits=(build_limit(1, holders=(4,)),)
        ),
        {"LIMIT_FULL"},
    ),
    "rate is used up": (
        lambda: build_gated_case(build_stream(), limits=(build_limit(rate=1, rate_seconds=60, tokens=0.5),)),
        {"RATE_LIMITED"},
    ),
    "rate has one start left, for one ahead": (
        lambda: build_gated_case(build_stream(), limits=(build_limit(rate=1, claimable=1),)),
        {"RATE_LIMITED"},
    ),
    "rate has a start left": (lambda: build_gated_case(build_stream(), limits=(build_limit(rate=1),)), set()),
    "both bounds of a limit": (
        lambda: build_gated_case(build_stream(), limits=(build_limit(1, holders=(4,), rate=1, tokens=0.0),)),
        {"LIMIT_FULL", "RATE_LIMITED"},
    ),
    "others are before it": (lambda: build_gated_case(build_stream(), ahead=8), {"WINDOW_FULL"}),
    "others are before it in another stream": (
        lambda: build_gated_case(build_stream(), ahead=4, rivals=((build_stream(2, limits=((5, "x"),)), 9, 4),)),
        {"WINDOW_FULL"},
    ),
    "others before it have no room themselves": (
        lambda: build_gated_case(
            build_stream(),
            limits=(),
            rivals=((build_stream(2, strategy="least_loaded", required_tags=("gpu",)), 99, 99),),
        ),
        set(),
    ),
    "the window is taken": (
        lambda: build_gated_case(build_stream(claimable=8)),
        {"WINDOW_FULL"},
    ),
    "its fairness key had its turn": (
        lambda: build_gated_case(
            build_stream(fairness_key="acme", fairness_id=1, virtual_time=9.0),
            rivals=((build_stream(2, fairness_key="zenith", fairness_id=2), 20, 0),),
        ),
        {"FAIR_TURN"},
    ),
    "it is the turn of its fairness key": (
        lambda: build_gated_case(
            build_stream(fairness_key="acme", fairness_id=1),
            rivals=((build_stream(2, fairness_key="zenith", fairness_id=2, virtual_time=9.0), 20, 20),),
        ),
        set(),
    ),
    "plain runs have a window of their own": (
        lambda: build_gated_case(build_stream(fairness_key="acme", fairness_id=1), rivals=((build_stream(2), 20, 20),)),
        set(),
    ),
    "background, behind others of them": (
        lambda: build_gated_case(build_stream(background=True, fairness_id=1), ahead=8),
        {"BACKGROUND"},
    ),
    "background, claimable after all others": (
        lambda: build_gated_case(
            build_stream(background=True, waiting=False),
            status="DISPATCHED",
            is_background=True,
            system=build_system(build_session_facts(free=0)),
            **FAR_AWAY,
        ),
        {"BACKGROUND", "PLACES_BUSY"},
    ),
    "background, and there is room": (lambda: build_gated_case(build_stream(background=True, fairness_id=1)), set()),
    "a window needs a worker": (
        lambda: build_gated_case(build_stream(queue="gpu"), queue="gpu", ahead=9),
        {"NO_WORKER"},
    ),
    "given to a worker": (lambda: build_case(status="DISPATCHED", assigned_to=1), {"ASSIGNED~"}),
    "given to a worker that is full": (
        lambda: build_case(
            status="DISPATCHED",
            assigned_to=1,
            system=build_system(build_session_facts(1, free=0), build_session_facts(2)),
        ),
        {"ASSIGNED~", "PLACES_BUSY"},
    ),
    "given to a worker that drains": (
        lambda: build_case(
            status="DISPATCHED",
            assigned_to=1,
            system=build_system(build_session_facts(1, is_draining=True), build_session_facts(2)),
        ),
        {"ASSIGNED"},
    ),
    "given to a worker that is gone": (
        lambda: build_case(status="DISPATCHED", assigned_to=5, system=build_system()),
        {"ASSIGNED", "NO_WORKER"},
    ),
    "limits, tags and a pause at once": (
        lambda: build_gated_case(
            build_stream(required_tags=("eu",)),
            task_status=TaskStatus.PAUSED,
            limits=(build_limit(1, holders=(4,)), build_limit(rate=1, tokens=0.0)),
            ahead=8,
        ),
        {"PAUSED", "NO_TAGGED_WORKER", "LIMIT_FULL", "RATE_LIMITED", "WINDOW_FULL"},
    ),
    "running": (lambda: build_case(status="RUNNING", task_status=TaskStatus.PAUSED), set()),
}


def codes(case: RunCase) -> set[str]:
    """The codes of what blocks a run, and with "~" of what only delays it."""
    return {f"{view.code.value}{'' if view.blocks else '~'}" for view in run_blockers(case)}


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
    assert explained_run(build()).is_blocked == any(not code.endswith("~") for code in expected)


@pytest.mark.parametrize("predicate", [*ADMISSION, *TURN, *PERMITS, *CLAIM])
def test_core_unit_explain_needs_every_predicate(predicate: Predicate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of them some situation is told wrongly."""
    names = {"ADMISSION": ADMISSION, "TURN": TURN, "PERMITS": PERMITS, "CLAIM": CLAIM}
    [(name, asked)] = [(name, each) for name, each in names.items() if predicate in each]
    assert missed_by(tuple(each for each in asked if each is not predicate), monkeypatch, name)


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
             "in the order of claims (priority 5, due 2027-03-01 11:55:00 UTC).")],
        ),
        (
            build_case(system=build_system(build_session_facts(free=0))),
            [("4 of 4 places at 1 worker for queue 'default' and type 'shell' are taken, and no runs are ahead of it "
             "in the order of claims (priority 5, due 2027-03-01 11:55:00 UTC).")],
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


@pytest.mark.parametrize(
    ("case", "sentences"),
    [
        (
            build_gated_case(
                limit_names=("api", "db"),
                dispatch_options=DispatchOptions(limits=("api", "db"), fairness_key="params.tenant"),
            ),
            [("A dispatcher has yet to evaluate the keys of its limits api, db and its fairness_key params.tenant; "
             "what else keeps it is known then.")],
        ),
        (
            build_gated_case(build_stream(strategy="of_mine")),
            ["No live dispatcher has the strategy 'of_mine' (they have: least_loaded, resource_aware, shared)."],
        ),
        (
            build_gated_case(
                build_stream(required_tags=("eu", "gpu"), forbidden_tags=("spot",)),
                system=build_system(
                    build_session_facts(1, tags=frozenset({"spot"})), build_session_facts(2, tags=frozenset({"gpu"}))
                ),
            ),
            [("It needs a worker with eu, gpu and without spot; of queue 'default' and type 'shell' there is none: "
             "worker-2 lacks eu; worker-1 lacks eu, gpu and has spot.")],
        ),
        (
            build_gated_case(
                build_stream(resources=(("cpu", 1.0), ("gpu", 3.0), ("memory", 4096.0))),
                system=build_system(
                    build_session_facts(tags=frozenset({"used"}), resources={"cpu": 8.0, "gpu": 2.0, "memory": 8192.0})
                ),
            ),
            [("Of what it requests there is not enough: cpu 1 (most left on one worker: 0 of 8), gpu 3 (most that a "
             "worker has: 2), memory 4KB (most left on one worker: 0B of 8KB).")],
        ),
        (
            build_gated_case(
                build_stream(resources=(("cpu", 1.0), ("gpu", 1.0))),
                system=build_system(
                    build_session_facts(1, resources={"cpu": 2.0}), build_session_facts(2, resources={"gpu": 2.0})
                ),
            ),
            ["No single worker has all of what it requests left: cpu 1, gpu 1."],
        ),
        (
            build_gated_case(build_stream(strategy="least_loaded")),
            ["Strategy 'least_loaded' names nobody, though 1 worker could take it."],
        ),
        (
            build_gated_case(build_stream(), ahead=1, limits=(build_limit(4, holders=(4, 5), running=3, claimable=1),)),
            [("Limit 'customer-api' allows 4 runs of key 'acme' at once: 3 run now (run 4 of 'copy', run 5 of 'copy' "
             "and 1 more), 1 is about to start, 1 comes before it.")],
        ),
        (
            build_gated_case(
                build_stream(), ahead=2, limits=(build_limit(rate=6, rate_seconds=60, burst=2, tokens=0.5),)
            ),
            [("Limit 'customer-api' has a rate of 6/min (2 together) for key 'acme': the next run may start at "
             "2027-03-01 12:00:05 UTC, and 2 runs come before it.")],
        ),
        (
            build_gated_case(
                build_stream(fairness_key="acme", fairness_id=1, weight=2, virtual_time=9.0),
                ahead=1,
                rivals=((build_stream(2, fairness_key="zenith", fairness_id=2), 20, 0),),
            ),
            [("It is the turn of others: of its fairness key 'acme' (weight 2) 1 run comes before it, and 1 other key "
             "has runs that wait.")],
        ),
        (
            build_gated_case(build_stream(background=True, fairness_id=1), ahead=9),
            [("It is a background run: all others of its queue and type go first, but for a guaranteed share of the "
             "places. 9 others of them come before it.")],
        ),
        (
            build_gated_case(build_stream(claimable=5), ahead=4),
            [("Of queue 'default' and type 'shell' few runs are claimable at a time, so that whose turn it is stays "
             "open: 3 more may be now, and 4 runs come before it, 4 of them of its own keys.")],
        ),
        (
            build_case(status="DISPATCHED", assigned_to=1, assigned_worker_id="worker-1", offered_at=NOW),
            ["It was given to worker 'worker-1' at 2027-03-01 12:00:00 UTC, which has not taken it yet."],
        ),
    ],
)  # fmt: skip
def test_core_unit_explain_tells_of_turns_with_names_and_numbers(case: RunCase, sentences: list[str]) -> None:
    """The sentences say which limit, key, worker and strategy, and how many come before."""
    assert [view.message for view in run_blockers(case)] == sentences


def test_core_unit_explain_foretells_when_a_rate_lets_a_run_start() -> None:
    """One start every ten seconds, half a one saved up, and two runs before it: 25 s from now; since it was due."""
    limit = build_limit(rate=6, rate_seconds=60, burst=2, tokens=0.5)
    (view,) = run_blockers(build_gated_case(build_stream(), ahead=2, limits=(limit,)))
    assert (view.since, view.estimate) == (CREATED, NOW + timedelta(seconds=25))


def test_core_unit_explain_names_a_holder_of_a_full_limit() -> None:
    """The first run that holds a permit is named apart from the sentence, so that it can be asked about."""
    (view,) = run_blockers(build_gated_case(build_stream(), limits=(build_limit(1, holders=(4,)),)))
    assert (view.run_id, view.task) == (4, "copy")
    assert view.clears.endswith("`scheduler limit update customer-api --concurrent …`.")


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
