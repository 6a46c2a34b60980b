"""How a flow stands by how its runs stand."""

from itertools import product

import pytest

from scheduler_core.decisions.flow_status import flow_status
from scheduler_core.models import FAILURE_SKIPS, FINAL_STATUSES, SkipReason, TaskRunStatus

S = TaskRunStatus
FAILURES = [S.FAILED, S.TIMEOUT, S.QUARANTINED]


def test_core_unit_flow_with_a_run_that_is_not_final_is_running_whatever_else_has_happened() -> None:
    """Every status that is not final, before and after every final one."""
    for open_status, final in product(set(S) - FINAL_STATUSES, FINAL_STATUSES):
        assert flow_status([(final, None), (open_status, None)]) is S.RUNNING
        assert flow_status([(open_status, None), (final, None)]) is S.RUNNING


@pytest.mark.parametrize("failure", FAILURES)
def test_core_unit_failure_that_nothing_waits_for_fails_the_flow(failure: TaskRunStatus) -> None:
    """In any order, and whether or not others were cancelled."""
    others = [(S.COMPLETED, None), (S.CANCELLED, None), (S.SKIPPED, SkipReason.WHEN_FALSE)]
    assert flow_status([(failure, None), *others]) is S.FAILED
    assert flow_status([*others, (failure, None)]) is S.FAILED


@pytest.mark.parametrize("reason", list(SkipReason))
def test_core_unit_skipped_run_fails_the_flow_only_when_it_was_skipped_for_a_failure(reason: SkipReason) -> None:
    """A condition that was false is no failure."""
    expected = S.FAILED if reason in FAILURE_SKIPS else S.COMPLETED
    assert flow_status([(S.COMPLETED, None), (S.SKIPPED, reason)]) is expected


def test_core_unit_skipped_run_without_a_reason_was_skipped_for_a_failure() -> None:
    """The version before reasons were kept skipped for failures only."""
    assert flow_status([(S.SKIPPED, None)]) is S.FAILED


def test_core_unit_cancelled_run_cancels_a_flow_without_failures() -> None:
    """Others may have completed."""
    assert flow_status([(S.CANCELLED, None), (S.COMPLETED, None)]) is S.CANCELLED


def test_core_unit_flow_whose_every_run_was_skipped_by_its_condition_is_completed() -> None:
    """There was nothing to do, and that was done; so it is with no runs at all."""
    assert flow_status([(S.SKIPPED, SkipReason.WHEN_FALSE)] * 3) is S.COMPLETED
    assert flow_status([]) is S.COMPLETED
