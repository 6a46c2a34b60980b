"""Which runs may start, and who takes them."""

import itertools
from typing import Any

import pytest

from fixtures.explain_cases import build_session_facts
from scheduler_core.decisions.admission import (
    ADMISSION,
    CLAIM,
    Admission,
    admission,
    birth_status,
    blockers,
    may_start,
)
from scheduler_core.models import Lane, TaskRunStatus, TaskStatus
from scheduler_core.models.explanation import BlockerCode
from scheduler_core.models.situation import ClaimableRun, RunFacts

DEFAULT = ClaimableRun("default", "shell")
GPU = ClaimableRun("gpu", "shell")


def test_birth_status_dispatches_only_what_lacks_nothing() -> None:
    """Of all combinations only an active task's run that waits for nothing and has no delay may start."""
    dispatched = [
        (status, waiting_on, delayed)
        for status, waiting_on, delayed in itertools.product(TaskStatus, (0, 1, 7), (False, True))
        if birth_status(status, waiting_on, delayed) is TaskRunStatus.DISPATCHED
    ]
    assert dispatched == [(TaskStatus.ACTIVE, 0, False)]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (RunFacts(), Admission.ADMIT),
        (RunFacts(task_status=TaskStatus.PAUSED), Admission.HOLD),
        (RunFacts(task_status=TaskStatus.INACTIVE), Admission.CANCEL),
        (RunFacts(task_status=TaskStatus.INACTIVE, is_due=False), Admission.CANCEL),
        (RunFacts(is_due=False), Admission.WAIT),
        (RunFacts(unaccounted=1), Admission.WAIT),
        (RunFacts(expands=True), Admission.WAIT),
    ],
)
def test_admission_holds_what_is_paused_and_cancels_what_is_deleted(facts: RunFacts, expected: Admission) -> None:
    """What a dispatcher does with a run follows from the first of its reasons that asks for something."""
    assert admission(facts) is expected


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (RunFacts(has_dispatcher=False), "DISPATCHER_DOWN"),
        (RunFacts(task_status=TaskStatus.INACTIVE), "DELETED"),
        (RunFacts(task_status=TaskStatus.PAUSED), "PAUSED"),
        (RunFacts(is_held=True), "PAUSED"),
        (RunFacts(is_due=False), "NOT_DUE"),
        (RunFacts(is_due=False, attempt=1), "BACKOFF"),
        (RunFacts(overlaps=1), "OVERLAP"),
        (RunFacts(upstreams=1), "UPSTREAM"),
        (RunFacts(upstreams=1, failures=1), "TRIGGER_RULE"),
        (RunFacts(intervals=1), "INTERVAL"),
        (RunFacts(is_behind_group=True), "GROUP_FULL"),
        (RunFacts(is_group=True), "GROUP_RUNNING"),
        (RunFacts(unaccounted=1), "UNACCOUNTED"),
        (RunFacts(expands=True), "NOT_EXPANDED"),
    ],
)
def test_admission_has_one_predicate_for_each_reason(facts: RunFacts, code: str) -> None:
    """Each fact alone keeps a run from starting, and is told by its own code only."""
    assert [blocker.code for blocker in blockers(ADMISSION, facts)] == [BlockerCode(code)]
    assert not may_start(facts)


def taken(ahead: tuple[ClaimableRun, ...], *sessions: Any, lane: Lane = DEFAULT) -> bool:
    """Whether a run of a lane is among what the sessions take."""
    return not blockers(CLAIM, RunFacts(lane=lane, ahead=ahead, sessions=sessions))


def test_claim_gives_places_to_what_is_ahead() -> None:
    """A run is taken when the places outlast the runs that come before it."""
    two = build_session_facts(free=2)
    assert taken((), two)
    assert taken((DEFAULT,), two)
    assert not taken((DEFAULT, DEFAULT), two)
    assert taken((DEFAULT, DEFAULT), two, build_session_facts(2, free=1))
    assert not taken((), build_session_facts(free=0))


def test_claim_goes_by_what_each_session_takes() -> None:
    """Runs ahead of other lanes take a place only from sessions that take those lanes, first come first served."""
    both, plain = build_session_facts(1, free=1, queues=("gpu", "default")), build_session_facts(2, free=1)
    assert taken((GPU,), both, plain)
    assert not taken((GPU,), both)
    assert not taken((GPU, DEFAULT), both, plain)
    assert taken((GPU, GPU), plain)


def test_claim_keeps_what_is_meant_for_one_session() -> None:
    """A run that is given to a session takes a place from that one only, whatever its lane."""
    meant = ClaimableRun("elsewhere", "python", 2)
    one, two = build_session_facts(1, free=1), build_session_facts(2, free=1)
    assert taken((meant,), one, two)
    assert not taken((meant,), two)
    assert not taken((meant, DEFAULT), one, two)
    own = [RunFacts(lane=DEFAULT, sessions=(one, two), ahead=ahead, assigned_to=2) for ahead in ((), (meant,))]
    assert [[blocker.code for blocker in blockers(CLAIM, facts)] for facts in own] == [
        [BlockerCode.ASSIGNED],
        [BlockerCode.ASSIGNED, BlockerCode.PLACES_BUSY],
    ]


@pytest.mark.parametrize("changes", [{"is_draining": True}, {"has_lease": False}, {"queues": ()}, {"task_types": ()}])
def test_claim_needs_a_worker_that_takes_the_lane(changes: dict[str, Any]) -> None:
    """A session that ends, or takes other lanes, is none, however many places it has."""
    facts = RunFacts(lane=DEFAULT, sessions=(build_session_facts(**changes),))
    assert [blocker.code for blocker in blockers(CLAIM, facts)] == [BlockerCode.NO_WORKER]
