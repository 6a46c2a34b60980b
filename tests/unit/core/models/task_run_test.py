"""The life of a run: no sequence of events leaves the legal table."""

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scheduler_core.errors import IllegalTransitionError
from scheduler_core.models import FINAL_STATUSES, TRANSITIONS, TaskRunStatus

S = TaskRunStatus


class RunLife(RuleBasedStateMachine):
    """One run, moved only by what can really happen to it; its losses and flag decide as the store does."""

    def __init__(self) -> None:
        super().__init__()
        self.status = S.PENDING
        self.attempt = 0
        self.losses = 0
        self.cancel_requested = False
        self.ended_as: TaskRunStatus | None = None

    def move(self, target: TaskRunStatus) -> None:
        """Move as the table allows; a forbidden move raises and fails the test."""
        self.status.check_move_to(target)
        self.status = target
        if target.is_final:
            self.ended_as = target

    @precondition(lambda self: self.status is S.PENDING)
    @rule()
    def admitted(self) -> None:
        """Nothing is missing any more."""
        self.move(S.DISPATCHED)

    @precondition(lambda self: self.status is S.DISPATCHED)
    @rule()
    def admission_taken_back(self) -> None:
        """Its task was paused."""
        self.move(S.PENDING)

    @precondition(lambda self: self.status is S.DISPATCHED)
    @rule()
    def claimed(self) -> None:
        """A worker took it."""
        self.move(S.RUNNING)
        self.attempt += 1

    @precondition(lambda self: self.status is S.RUNNING)
    @rule()
    def completed(self) -> None:
        """The worker reports success."""
        self.move(S.COMPLETED)

    @precondition(lambda self: self.status is S.RUNNING)
    @rule()
    def failed_for_good(self) -> None:
        """No retry is left, or a cancel was requested."""
        self.move(S.CANCELLED if self.cancel_requested else S.FAILED)

    @precondition(lambda self: self.status is S.RUNNING)
    @rule()
    def timed_out_for_good(self) -> None:
        """Its time was up."""
        self.move(S.CANCELLED if self.cancel_requested else S.TIMEOUT)

    @precondition(lambda self: self.status is S.RUNNING)
    @rule()
    def given_back(self) -> None:
        """A retry waits, or its worker drains."""
        self.move(S.CANCELLED if self.cancel_requested else S.PENDING)

    @precondition(lambda self: self.status is S.RUNNING)
    @rule()
    def session_lost(self) -> None:
        """Its worker vanished."""
        self.losses += 1
        self.move(S.CANCELLED if self.cancel_requested else S.QUARANTINED if self.losses == 5 else S.PENDING)

    @precondition(lambda self: not self.status.is_final)
    @rule()
    def cancelled(self) -> None:
        """Somebody cancels it: at once, or by the flag while it runs."""
        if self.status is S.RUNNING:
            self.cancel_requested = True
        else:
            self.move(S.CANCELLED)

    @precondition(lambda self: self.status is S.PENDING)
    @rule()
    def upstream_failed(self) -> None:
        """What it waited for can never come."""
        self.move(S.SKIPPED)

    @precondition(lambda self: self.status.is_final)
    @rule()
    def anything_after_the_end(self) -> None:
        """Nothing moves a run that has ended."""
        for target in TaskRunStatus:
            with pytest.raises(IllegalTransitionError):
                self.status.check_move_to(target)

    @invariant()
    def an_end_is_an_end(self) -> None:
        """A final status never changes, and only a run that was started can have an outcome."""
        assert self.ended_as in (None, self.status)
        assert self.attempt > 0 or self.status not in (S.RUNNING, S.COMPLETED, S.FAILED, S.TIMEOUT, S.QUARANTINED)


RunLife.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestRunLife = RunLife.TestCase


def test_transitions_name_every_status_once() -> None:
    """The table speaks of every status and leads to no unknown one; exactly six are final."""
    assert set(TRANSITIONS) == set(TaskRunStatus)
    assert {S.COMPLETED, S.FAILED, S.TIMEOUT, S.CANCELLED, S.SKIPPED, S.QUARANTINED} == FINAL_STATUSES
    assert {status for status in TaskRunStatus if status.is_final} == FINAL_STATUSES


def test_check_move_to_says_which_move_is_illegal() -> None:
    """The error names both statuses."""
    with pytest.raises(IllegalTransitionError, match="from COMPLETED to RUNNING"):
        S.COMPLETED.check_move_to(S.RUNNING)


def test_transitions_let_no_run_start_without_admission() -> None:
    """RUNNING is reached from DISPATCHED, or from PENDING by a grant, and no run moves to where it already is."""
    assert [source for source in TaskRunStatus if S.RUNNING in TRANSITIONS[source]] == [S.PENDING, S.DISPATCHED]
    assert not any(source in TRANSITIONS[source] for source in TaskRunStatus)
