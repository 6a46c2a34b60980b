"""Whether a run may start, and whether anybody takes it: each reason against it is one predicate.

Admission, the status that a run is made with, and explanations ask the same predicates, which are ordered as a run
meets them. What a run waits for in its flow is counted by settlement, so admission meets it as one number; claims are
one SQL statement, which the predicates of CLAIM foretell.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from scheduler_core.decisions.trigger_rules import Verdict, rule_verdict
from scheduler_core.models import ALL_SUCCESS, Lane, TaskRunStatus, TaskStatus
from scheduler_core.models.explanation import BlockerCode
from scheduler_core.models.settlement import Endings
from scheduler_core.models.situation import RunFacts, SessionFacts


class Blocker(NamedTuple):
    """What stands in a run's way; `is_final`: nothing can take it away any more."""

    code: BlockerCode
    is_final: bool = False


Predicate = Callable[[RunFacts], Blocker | None]


class Admission(Enum):
    """What a dispatcher does with a PENDING run that waits for nothing."""

    ADMIT = "admit"
    HOLD = "hold"
    """Its task is paused: it is put aside until the task is resumed."""
    CANCEL = "cancel"
    """Its task was deleted."""
    WAIT = "wait"


def no_dispatcher(facts: RunFacts) -> Blocker | None:
    """No dispatcher lets waiting runs go on."""
    return None if facts.has_dispatcher else Blocker(BlockerCode.DISPATCHER_DOWN)


def is_deleted(facts: RunFacts) -> Blocker | None:
    """Its task was deleted."""
    return Blocker(BlockerCode.DELETED) if facts.task_status is TaskStatus.INACTIVE else None


def is_paused(facts: RunFacts) -> Blocker | None:
    """Its task is paused, or was when the run was put aside."""
    return Blocker(BlockerCode.PAUSED) if facts.is_held or facts.task_status is TaskStatus.PAUSED else None


def is_not_due(facts: RunFacts) -> Blocker | None:
    """Its time has not come."""
    return None if facts.is_due or facts.attempt else Blocker(BlockerCode.NOT_DUE)


def backs_off(facts: RunFacts) -> Blocker | None:
    """It has been tried, and the delay until the next attempt has not passed."""
    return None if facts.is_due or not facts.attempt else Blocker(BlockerCode.BACKOFF)


def waits_for_earlier_runs(facts: RunFacts) -> Blocker | None:
    """Earlier runs of its task have not ended."""
    return Blocker(BlockerCode.OVERLAP) if facts.overlaps else None


def waits_for_upstream(facts: RunFacts) -> Blocker | None:
    """Runs upstream have not ended, and its rule cannot be judged without them."""
    endings = _endings(facts)
    if endings.open and rule_verdict(facts.trigger_rule, endings) is Verdict.WAIT:
        return Blocker(BlockerCode.UPSTREAM)
    return None


def rule_does_not_hold(facts: RunFacts) -> Blocker | None:
    """Its trigger rule can not hold any more, or, other than all_success, does not hold yet."""
    verdict = rule_verdict(facts.trigger_rule, _endings(facts))
    if verdict is Verdict.SKIP:
        return Blocker(BlockerCode.TRIGGER_RULE, is_final=True)
    is_told = verdict is Verdict.WAIT and (facts.trigger_rule or ALL_SUCCESS) != ALL_SUCCESS
    return Blocker(BlockerCode.TRIGGER_RULE) if is_told else None


def waits_for_intervals(facts: RunFacts) -> Blocker | None:
    """Dependencies on intervals of other schedules are not met."""
    return Blocker(BlockerCode.INTERVAL) if facts.intervals else None


def is_behind_group(facts: RunFacts) -> Blocker | None:
    """As many runs of its group as may run at once come before it."""
    return Blocker(BlockerCode.GROUP_FULL) if facts.is_behind_group else None


def stands_for_others(facts: RunFacts) -> Blocker | None:
    """It is a group: its runs run, it does not."""
    return Blocker(BlockerCode.GROUP_RUNNING) if facts.is_group else None


def waits_for_more(facts: RunFacts) -> Blocker | None:
    """It counts more to wait for than can be found."""
    return Blocker(BlockerCode.UNACCOUNTED) if facts.unaccounted else None


def is_to_be_expanded(facts: RunFacts) -> Blocker | None:
    """A dispatcher has to evaluate its condition, or to make the runs of its group."""
    return Blocker(BlockerCode.NOT_EXPANDED) if facts.expands else None


def no_worker(facts: RunFacts) -> Blocker | None:
    """No live worker takes its queue and type."""
    return None if any(takes(session, facts.lane) for session in facts.sessions) else Blocker(BlockerCode.NO_WORKER)


def places_are_busy(facts: RunFacts) -> Blocker | None:
    """Workers would take it, but every place of theirs is taken, or goes to runs ahead of it."""
    if no_worker(facts) or _is_taken(facts):
        return None
    return Blocker(BlockerCode.PLACES_BUSY)


ADMISSION: Final[tuple[Predicate, ...]] = (
    no_dispatcher,
    is_deleted,
    is_paused,
    is_not_due,
    backs_off,
    waits_for_earlier_runs,
    waits_for_upstream,
    rule_does_not_hold,
    waits_for_intervals,
    is_behind_group,
    stands_for_others,
    waits_for_more,
    is_to_be_expanded,
)
"""From PENDING to DISPATCHED."""

CLAIM: Final[tuple[Predicate, ...]] = (no_worker, places_are_busy)
"""From DISPATCHED to RUNNING."""


def blockers(predicates: Iterable[Predicate], facts: RunFacts) -> list[Blocker]:
    """All that these predicates hold against a run, in their order."""
    return [blocker for predicate in predicates if (blocker := predicate(facts)) is not None]


def may_start(facts: RunFacts) -> bool:
    """Whether nothing keeps a run from being DISPATCHED."""
    return not any(predicate(facts) for predicate in ADMISSION)


def admission(facts: RunFacts) -> Admission:
    """What is to be done with a PENDING run."""
    codes = {blocker.code for blocker in blockers(ADMISSION, facts)}
    if BlockerCode.DELETED in codes:
        return Admission.CANCEL
    if BlockerCode.PAUSED in codes:
        return Admission.HOLD
    return Admission.WAIT if codes else Admission.ADMIT


@lru_cache(maxsize=4096)
def birth_status(status: TaskStatus, waiting_on: int, delayed: bool) -> TaskRunStatus:
    """DISPATCHED for a run of an ACTIVE task that waits for nothing and has no delay, else PENDING.

    >>> birth_status(TaskStatus.ACTIVE, 0, delayed=False)
    <TaskRunStatus.DISPATCHED: 'DISPATCHED'>
    >>> birth_status(TaskStatus.PAUSED, 0, delayed=False)
    <TaskRunStatus.PENDING: 'PENDING'>
    """
    facts = RunFacts(task_status=status, is_due=not delayed, upstreams=waiting_on)
    return TaskRunStatus.DISPATCHED if may_start(facts) else TaskRunStatus.PENDING


def takes(session: SessionFacts, lane: Lane) -> bool:
    """Whether a session takes runs of this lane when it has a free place: its own queue is every worker's."""
    serves = lane.queue in session.queues or lane.queue == f"@{session.worker_id}"
    return session.has_lease and not session.is_draining and serves and lane.task_type in session.task_types


def _endings(facts: RunFacts) -> Endings:
    return Endings(facts.upstreams, facts.successes, facts.failures, facts.skips)


def _is_taken(facts: RunFacts) -> bool:
    """Whether it is among what the sessions take, each in turn the first runs of its lanes."""
    waiting = [*facts.ahead, None]
    for session in facts.sessions:
        free = session.free
        for lane in list(waiting):
            if free <= 0:
                break
            if not takes(session, lane or facts.lane):
                continue
            if lane is None:
                return True
            waiting.remove(lane)
            free -= 1
    return False
