"""How runs came about and how they went, told from their situations."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from fixtures.explain_cases import NOW, build_case, build_other
from scheduler_core.decisions.explain_case import RunCase, ToldWait
from scheduler_core.decisions.explain_story import run_story
from scheduler_core.models import Dependency, FlowOptions, SkipReason, TaskRunStatus
from scheduler_core.models.interval_wait import IntervalWait, SlotOutcome, WaitState
from scheduler_core.models.situation import OtherRun, PastAttempt

WAIT = ToldWait(
    IntervalWait(
        run_id=7,
        position=0,
        upstream_task_id=1,
        upstream_task="hourly",
        dependency=Dependency("hourly", "contained"),
        state=WaitState.MET,
        expected=24,
        outcomes={SlotOutcome.SUCCESS: 24},
        settled_at=NOW,
    ),
    "all slots of 'hourly' within the interval",
)


def build_judged(run_id: int, status: TaskRunStatus = TaskRunStatus.COMPLETED, **changes: Any) -> OtherRun:
    """A run that had ended when it was decided."""
    return msgspec.structs.replace(build_other(run_id, status), completed_at=NOW, is_judged=True, **changes)


def story(case: RunCase) -> list[str]:
    """The sentences."""
    return [part.message for part in run_story(case)]


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        (build_case(), "Triggered by hand."),
        (build_case(trigger="SCHEDULE", scheduled_at=NOW), ("Made for the slot 2027-03-01 12:00:00 UTC of the schedule "
         "of 'report'.")),
        (build_case(trigger="DEPENDENCY", flow_id=3), "Made as a part of flow 3."),
        (build_case(trigger="RETRY", retry_of=5), "Made to run 5 again."),
        (build_case(group_id=4, shard_index=1, shard_total=3), "Made as run 2 of 3 of group 4."),
    ],
)  # fmt: skip
def test_core_unit_story_begins_with_what_made_the_run(case: RunCase, sentence: str) -> None:
    """By hand, by a slot, by a flow, by a retry, or for a group."""
    assert story(case)[0] == sentence


def test_core_unit_story_tells_what_to_do_about_a_quarantined_run() -> None:
    """How often it has lost its worker, and the commands that decide what becomes of it."""
    case = build_case(status="QUARANTINED", losses=5, attempt=5, completed_at=NOW, error="Its session was lost.")
    assert story(case)[-1] == (
        "It has lost its worker 5 times and is not tried again by itself: see `scheduler quarantine show 7`, then "
        "`scheduler quarantine release 7` or `scheduler quarantine discard 7`."
    )


def test_core_unit_story_tells_the_inputs_of_the_decision() -> None:
    """The rule and how the runs upstream ended, dependencies on intervals, and the condition."""
    case = build_case(
        status=TaskRunStatus.DISPATCHED,
        trigger="DEPENDENCY",
        trigger_rule="one_failed",
        upstreams=12,
        judged=12,
        ended_upstream=[build_judged(3, TaskRunStatus.FAILED)],
        flow_options=FlowOptions(when="params.x"),
        waits=[WAIT],
    )
    assert story(case)[1:] == [
        "Its trigger rule one_failed looked at 12 runs upstream: run 3 of 'extract' FAILED and 11 more.",
        (
            "Its dependency on all slots of 'hourly' within the interval, condition success: MET, 24 of 24 slots "
            "succeeded."
        ),
        "Its condition was true: params.x",
    ]


def test_core_unit_story_tells_every_attempt_and_who_took_it() -> None:
    """Attempts that failed, the present one with how long it had waited, and the end."""
    case = build_case(
        status=TaskRunStatus.COMPLETED,
        attempt=2,
        failures=1,
        attempts=[PastAttempt(attempt=1, outcome="FAILED", ended_at=NOW, worker_id="worker-1", error="broken pipe")],
        not_before=NOW,
        started_at=NOW + timedelta(seconds=2),
        completed_at=NOW + timedelta(seconds=92),
        worker_id="worker-2",
    )
    assert story(case)[1:] == [
        "Attempt 1 on worker 'worker-1' ended as FAILED: broken pipe",
        (
            "Attempt 2 was taken by worker 'worker-2' from queue 'default', type 'shell', priority 5, 2 s after it "
            "could start."
        ),
        "COMPLETED after 1 min 30 s.",
    ]


def test_core_unit_story_tells_what_its_rule_was_not_judged_by() -> None:
    """What ended later, or not at all, was not waited for; what is of an earlier flow was taken over."""
    case = build_case(
        status=TaskRunStatus.DISPATCHED,
        trigger_rule="one_success",
        upstreams=3,
        judged=1,
        ended_upstream=[build_judged(2, is_given=True), build_other(3, TaskRunStatus.FAILED)],
        open_upstream=[build_other(4)],
    )
    assert story(case)[1] == (
        "Its trigger rule one_success looked at 1 run upstream: taken over from run 2 of 'extract' COMPLETED. Not "
        "waited for: run 3 of 'extract', run 4 of 'extract'."
    )


def test_core_unit_story_of_a_run_that_was_cancelled_names_no_rule() -> None:
    """Whoever cancelled it decided, and nothing upstream did."""
    case = build_case(
        status=TaskRunStatus.CANCELLED, completed_at=NOW, upstreams=2, judged=1, ended_upstream=[build_judged(2)]
    )
    assert story(case) == ["Triggered by hand.", "CANCELLED before it was taken."]


def test_core_unit_story_is_in_the_order_of_time() -> None:
    """A later end comes behind an earlier attempt, and what has no moment stays where it is told."""
    late = ToldWait(msgspec.structs.replace(WAIT.wait, settled_at=NOW + timedelta(hours=2)), WAIT.words)
    case = build_case(
        attempts=[PastAttempt(attempt=1, outcome="LOST", ended_at=NOW + timedelta(hours=1))], waits=[late], attempt=1
    )
    moments = [part.at for part in run_story(case)]
    assert moments == [case.run.created_at, NOW + timedelta(hours=1), NOW + timedelta(hours=2)]


@pytest.mark.parametrize(
    "case",
    [
        build_case(created_at=NOW, not_before=NOW - timedelta(days=3)),
        build_case(created_at=NOW - timedelta(days=3), not_before=NOW),
        build_case(judged=1, upstreams=1, ended_upstream=[build_judged(3)]),
    ],
)
def test_core_unit_story_counts_the_delay_from_when_it_could_start(case: RunCase) -> None:
    """Not from a slot long before it was made, nor from before what it waited for had ended."""
    run = msgspec.structs.replace(
        case.run, status=TaskRunStatus.RUNNING, attempt=1, worker_id="w", started_at=NOW + timedelta(seconds=2)
    )
    assert story(msgspec.structs.replace(case, run=run))[-1].endswith(", 2 s after it could start.")


@pytest.mark.parametrize("reason", SkipReason)
def test_core_unit_story_has_words_for_every_skip(reason: SkipReason) -> None:
    """Each reason is a clause; the run's own error follows."""
    case = build_case(status=TaskRunStatus.SKIPPED, skip_reason=reason, completed_at=NOW, error="Not run.")
    assert story(case)[-1].startswith("SKIPPED, because ")
    assert story(case)[-1].endswith(": Not run.")


def test_core_unit_story_tells_of_runs_that_never_began() -> None:
    """Cancelled before anybody took it; a condition that was false; a cancel that its worker has yet to see."""
    cancelled = build_case(status=TaskRunStatus.CANCELLED, completed_at=NOW, error="Cancelled by hand.")
    assert story(cancelled)[-1] == "CANCELLED before it was taken: Cancelled by hand."
    unwanted = build_case(
        status=TaskRunStatus.SKIPPED,
        skip_reason=SkipReason.WHEN_FALSE,
        completed_at=NOW,
        flow_options=FlowOptions(when="params.x"),
    )
    assert "Its condition was false: params.x" in story(unwanted)
    asked = build_case(status=TaskRunStatus.RUNNING, attempt=1, cancel_requested=True)
    assert story(asked)[-1] == "Its cancel was requested; its worker is to end it."
    group = build_case(group_size=2, members=2, waiting_on=2, cancel_requested=True)
    assert story(group)[-1] == "Its cancel was requested; it ends when its runs have ended."


def test_core_unit_story_tells_that_a_run_stands_still() -> None:
    """Since when it is paused and what lets it go on; before its worker has said so, that it is to be."""
    running: dict[str, Any] = {"status": "RUNNING", "attempt": 1, "started_at": NOW, "worker_id": "w"}
    asked = build_case(**running, pause_requested=True)
    paused = build_case(**running, pause_requested=True, paused_at=NOW)

    assert story(asked)[-1] == "It is to be paused; its worker has not said yet that it stands still."
    assert "`scheduler run resume 7` lets it go on" in story(paused)[-1]


@pytest.mark.parametrize(("attempt", "setting"), [(0, "queue_timeout_seconds"), (2, "total_timeout_seconds")])
def test_core_unit_story_tells_when_a_run_is_given_up(attempt: int, setting: str) -> None:
    """A run that waits for a worker says until when, and by which setting."""
    case = build_case(status="PENDING", attempt=attempt, start_before=NOW)
    assert story(case)[-1] == f"It is given up unless a worker begins it by 2027-03-01 12:00:00 UTC ({setting})."
