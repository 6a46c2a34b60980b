"""Whether a run may start, and whether anybody takes it: each reason against it is one predicate.

Admission, the status that a run is made with, and explanations ask the same predicates, which are ordered as a run
meets them. What a run waits for in its flow is counted by settlement, so admission meets it as one number; claims are
one SQL statement, which the predicates of CLAIM foretell. Gated runs have more in their way, which windows decide over
all of them together: the predicates of TURN and PERMITS say what that comes to for one.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from scheduler_core.decisions.limit_rules import tokens_at
from scheduler_core.decisions.trigger_rules import Verdict, rule_verdict
from scheduler_core.models import ALL_SUCCESS, Lane, TaskRunStatus, TaskStatus
from scheduler_core.models.dispatch import StreamClass
from scheduler_core.models.explanation import BlockerCode
from scheduler_core.models.settlement import Endings
from scheduler_core.models.situation import ClaimableRun, RunFacts, SessionFacts
from scheduler_core.models.turn import LimitTurn


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


def is_to_be_sorted(facts: RunFacts) -> Blocker | None:
    """A dispatcher has to evaluate its keys."""
    return None if facts.turn.is_sorted else Blocker(BlockerCode.NOT_SORTED)


def strategy_is_unknown(facts: RunFacts) -> Blocker | None:
    """No live dispatcher has the strategy that is to choose its worker."""
    turn = facts.turn
    is_told = turn.is_placed and facts.has_dispatcher and not turn.knows_strategy
    return Blocker(BlockerCode.STRATEGY_UNKNOWN) if is_told else None


def no_tagged_worker(facts: RunFacts) -> Blocker | None:
    """Workers take its queue and type, but none of them has the tags."""
    turn = facts.turn
    return (
        Blocker(BlockerCode.NO_TAGGED_WORKER) if turn.is_placed and not turn.tagged and not no_worker(facts) else None
    )


def no_resources(facts: RunFacts) -> Blocker | None:
    """Workers would take it, but none of them has left what it requests."""
    turn = facts.turn
    return Blocker(BlockerCode.NO_RESOURCES) if turn.is_placed and turn.tagged and not turn.fitting else None


def waits_for_fair_turn(facts: RunFacts) -> Blocker | None:
    """It is the turn of other fairness keys, or of other runs of its own."""
    return Blocker(BlockerCode.FAIR_TURN) if _is_behind(facts, StreamClass.FAIR) else None


def is_in_background(facts: RunFacts) -> Blocker | None:
    """It comes after all runs that are not in the background, and after others that are."""
    is_last = facts.turn.is_far and places_are_busy(facts) is not None
    return Blocker(BlockerCode.BACKGROUND) if is_last or _is_behind(facts, StreamClass.BACKGROUND) else None


def window_is_full(facts: RunFacts) -> Blocker | None:
    """As many runs of its lane as may be claimable at a time come before it."""
    return Blocker(BlockerCode.WINDOW_FULL) if _is_behind(facts, StreamClass.PLAIN) else None


def strategy_is_undecided(facts: RunFacts) -> Blocker | None:
    """Nothing else is in its way, and yet its strategy names no worker."""
    turn = facts.turn
    if not (turn.is_placed and turn.waits_long and facts.has_dispatcher):
        return None
    others = (*TURN, *PERMITS, *CLAIM)
    is_kept = any(predicate(facts) for predicate in others if predicate is not strategy_is_undecided)
    return None if is_kept else Blocker(BlockerCode.STRATEGY_UNDECIDED)


def limit_is_full(facts: RunFacts) -> Blocker | None:
    """Of a limit's key as many runs as may run at once do, or are about to."""
    return Blocker(BlockerCode.LIMIT_FULL) if any(map(is_full, facts.turn.limits)) else None


def rate_is_used_up(facts: RunFacts) -> Blocker | None:
    """The starts that a limit's rate has left go to runs before it."""
    return Blocker(BlockerCode.RATE_LIMITED) if any(map(is_used_up, facts.turn.limits)) else None


def is_assigned(facts: RunFacts) -> Blocker | None:
    """It is meant for one session; nobody else takes it."""
    return None if facts.assigned_to is None else Blocker(BlockerCode.ASSIGNED)


def no_worker(facts: RunFacts) -> Blocker | None:
    """No live worker takes its queue and type."""
    return None if any(takes(session, facts.lane) for session in facts.sessions) else Blocker(BlockerCode.NO_WORKER)


def places_are_busy(facts: RunFacts) -> Blocker | None:
    """Workers would take it, but every place of theirs is taken, or goes to runs ahead of it."""
    turn = facts.turn
    if no_worker(facts) or (turn.is_placed and not turn.fitting) or is_stranded_by(facts.assigned_to, facts.sessions):
        return None
    if _is_taken(facts) and not (turn.is_placed and not turn.free):
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

TURN: Final[tuple[Predicate, ...]] = (
    is_to_be_sorted,
    strategy_is_unknown,
    no_tagged_worker,
    no_resources,
    waits_for_fair_turn,
    is_in_background,
    window_is_full,
    strategy_is_undecided,
)
"""The same for a gated run: whose turn it is, and who is to take it."""

PERMITS: Final[tuple[Predicate, ...]] = (limit_is_full, rate_is_used_up)
"""What a gated run needs to be DISPATCHED, and once more to be RUNNING."""

CLAIM: Final[tuple[Predicate, ...]] = (is_assigned, no_worker, places_are_busy)
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


def is_stranded_by(session_id: int | None, sessions: Iterable[SessionFacts]) -> bool:
    """Whether a run that is meant for this session is not taken by it: it is gone, or ends."""
    return session_id is not None and not any(
        session.id == session_id and session.has_lease and not session.is_draining for session in sessions
    )


def is_full(limit: LimitTurn) -> bool:
    """Whether as many runs as may run at once come before one, as far as this limit's key goes."""
    state = limit.standing.state
    return state.concurrent is not None and state.running + state.claimable + limit.before >= state.concurrent


def is_used_up(limit: LimitTurn) -> bool:
    """Whether the starts that are left go to runs before one, as far as this limit's key goes."""
    state = limit.standing.state
    return tokens_at(state, state.now) < state.claimable + limit.before + 1


def _is_behind(facts: RunFacts, stream_class: StreamClass) -> bool:
    turn = facts.turn
    if turn.room is None or turn.stream_class is not stream_class or no_worker(facts) is not None:
        return False
    return turn.before >= turn.room


def _endings(facts: RunFacts) -> Endings:
    return Endings(facts.upstreams, facts.successes, facts.failures, facts.skips)


def _is_taken(facts: RunFacts) -> bool:
    """Whether it is among what the sessions take, each in turn the first runs that are meant for it or of its lanes."""
    own = ClaimableRun(facts.lane.queue, facts.lane.task_type, facts.assigned_to or facts.turn.session_id)
    waiting = [*facts.ahead, None]
    for session in facts.sessions:
        free = session.free
        for run in list(waiting):
            if free <= 0:
                break
            if not _claims(session, run or own):
                continue
            if run is None:
                return True
            waiting.remove(run)
            free -= 1
    return False


def _claims(session: SessionFacts, run: ClaimableRun) -> bool:
    if run.session_id is None:
        return takes(session, run)
    return session.id == run.session_id and session.has_lease and not session.is_draining
