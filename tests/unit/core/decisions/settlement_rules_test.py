"""What the end of runs means to those who wait for them."""

from typing import Any

import pytest

from scheduler_core.decisions.settlement_rules import settled
from scheduler_core.models import SkipReason, TaskRunStatus, TaskStatus
from scheduler_core.models.settlement import Endings, RunVerdict, WaitingRun

PENDING, DISPATCHED, SKIPPED = TaskRunStatus.PENDING, TaskRunStatus.DISPATCHED, TaskRunStatus.SKIPPED


def verdict(**facts: Any) -> RunVerdict:
    """The verdict on a PENDING run of an active task."""
    whole = {"id": 7, "status": PENDING, "task_status": TaskStatus.ACTIVE, "waiting_on": 1, "ended": 1, **facts}
    found = settled(WaitingRun(**whole))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("facts", "status", "waiting_on"),
    [
        ({"new_successes": 1}, DISPATCHED, 0),
        ({"new_successes": 1, "waiting_on": 3}, PENDING, 2),
        ({"new_successes": 1, "is_due": False}, PENDING, 0),
        ({"new_successes": 1, "expands": True}, PENDING, 0),
        ({"new_successes": 1, "task_status": TaskStatus.PAUSED}, PENDING, 0),
        ({"waiting_on": 1}, DISPATCHED, 0),  # an earlier run of its task, however that has ended
    ],
)
def test_settled_releases_who_waits_for_nothing(facts: dict[str, Any], status: TaskRunStatus, waiting_on: int) -> None:
    """A run is claimable once nothing is left, its time has come, its task is active and nobody has to look at it."""
    found = verdict(**facts)
    assert (found.status, found.waiting_on) == (status, waiting_on)
    assert found.held is (facts.get("task_status") is TaskStatus.PAUSED)


def test_settled_skips_at_the_first_failure() -> None:
    """Who needs all has nothing to wait for any more."""
    found = verdict(waiting_on=3, new_failures=1, spoiler_id=4, spoiler_status="FAILED")
    assert (found.status, found.skip_reason) == (SKIPPED, SkipReason.UPSTREAM_FAILED)
    assert found.error == "Not run: upstream run 4 is FAILED."


def test_settled_waits_for_a_failure_after_a_skip() -> None:
    """A skip alone decides when all have ended, and not before: a failure that comes later is handed on."""
    first = verdict(waiting_on=2, new_skips=1)
    assert (first.status, first.endings) == (PENDING, Endings(0, skips=1))
    assert verdict(waiting_on=1, upstream_skips=1, new_failures=1).skip_reason is SkipReason.UPSTREAM_FAILED
    assert verdict(waiting_on=1, upstream_skips=1, new_successes=1).skip_reason is SkipReason.UPSTREAM_SKIPPED


def test_settled_does_not_wait_for_intervals_that_change_nothing() -> None:
    """A run that can never run is skipped although a dependency on an interval of its is open."""
    assert verdict(waiting_on=2, new_skips=1, open_waits=1).skip_reason is SkipReason.UPSTREAM_SKIPPED
    assert verdict(waiting_on=3, new_skips=1, open_waits=1).status is PENDING


def test_settled_leaves_who_has_been_decided() -> None:
    """Nothing is said of a run that does not wait any more."""
    run = WaitingRun(id=7, status=TaskRunStatus.RUNNING, task_status=TaskStatus.ACTIVE, waiting_on=0, ended=1)
    assert settled(run) is None


def test_settled_rule_that_held_early_waits_for_nobody_upstream() -> None:
    """With one_success the others are not waited for, also while a dependency on an interval keeps the run waiting."""
    facts = {"trigger_rule": "one_success", "upstreams": 3, "waiting_on": 4}
    early = verdict(**facts, new_successes=1)
    assert (early.status, early.waiting_on, early.endings) == (PENDING, 1, Endings(1, 1, 0, 0))
    late = verdict(trigger_rule="one_success", upstreams=1, upstream_successes=1, waiting_on=1, new_failures=1)
    assert (late.status, late.waiting_on) == (PENDING, 1)


def test_settled_rule_for_failures_tells_what_it_saw() -> None:
    """The error of a run whose rule waits for failures counts how those upstream have ended."""
    found = verdict(trigger_rule="all_failed", upstreams=2, upstream_failures=1, new_successes=1)
    assert found.skip_reason is SkipReason.RULE_UNMET
    assert str(found.error).endswith("of 2 runs upstream 1 completed, 1 failed and 0 were skipped.")


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"new_successes": 2}, TaskRunStatus.COMPLETED),
        ({"new_successes": 1, "new_failures": 1}, TaskRunStatus.FAILED),
        ({"new_successes": 1, "new_failures": 1, "tolerated_failures": 1}, TaskRunStatus.COMPLETED),
        ({"new_failures": 2, "cancel_requested": True}, TaskRunStatus.CANCELLED),
        ({"new_successes": 1, "new_skips": 1, "is_sub_flow": True}, TaskRunStatus.COMPLETED),
    ],
)
def test_settled_group_ends_as_its_runs_have(facts: dict[str, Any], status: TaskRunStatus) -> None:
    """Of a group that waits for its last two runs."""
    assert verdict(group_size=5, upstream_successes=3, waiting_on=2, ended=2, **facts).status is status


def test_settled_group_gives_up_when_too_many_have_failed() -> None:
    """Those that have not begun are skipped then, and not before; the runs of a sub-flow go on."""
    facts = {"group_size": 5, "waiting_on": 5, "new_failures": 1}
    assert verdict(**facts).gives_up
    assert not verdict(**facts, tolerated_failures=1).gives_up
    assert not verdict(**facts, is_sub_flow=True).gives_up
