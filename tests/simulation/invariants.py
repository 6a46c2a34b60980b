"""What has to be true when a system has come to rest, whatever has happened to it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import psycopg

from fixtures.simulated_jobs import JobLine
from fixtures.simulated_schema import EPOCH
from scheduler_core.models import OverlapPolicy, TaskRunStatus
from scheduler_core.models.task_run import FINAL_STATUSES, TRANSITIONS
from simulation.plan import SystemPlan

_RUNS = """
SELECT run.id, tasks.name, run.status, run.attempt, run.failures, run.losses, run.hand_backs, run.max_retries,
       run.skip_reason, run.cancel_requested, run.needs_settlement, run.result::text AS result, run.session_id
FROM scheduler.task_runs AS run JOIN scheduler.tasks ON tasks.id = run.task_id ORDER BY run.id
"""
_MOVES = """
SELECT moves.*, tasks.name FROM simulated.moves JOIN scheduler.tasks ON tasks.id = moves.task_id ORDER BY moves.id
"""
_SLOTS = """
SELECT tasks.name, slots.scheduled_at, slots.last_scheduled_at, slots.count, slots.run_id, slots.reason
FROM scheduler.slots JOIN scheduler.tasks ON tasks.id = slots.task_id ORDER BY slots.task_id, slots.scheduled_at
"""
_EDGES = """
SELECT edge.run_id, edge.upstream_run_id, edge.regardless FROM scheduler.task_run_dependencies AS edge
ORDER BY edge.run_id, edge.upstream_run_id
"""
_GRANTS = "SELECT * FROM simulated.grants ORDER BY id"
_NEVER = 10**9
_TICK_SECONDS = 1e-5
_FINAL = {status.value for status in FINAL_STATUSES}


@dataclass
class Evidence:
    """What was seen and noted of one seed; `faults` are what was seen to be wrong at once."""

    connection: psycopg.Connection[Any]
    plan: SystemPlan
    lines: list[JobLine] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def rows(self, statement: Any) -> list[Any]:
        """Rows with names."""
        with self.connection.cursor(row_factory=psycopg.rows.namedtuple_row) as cursor:
            return cursor.execute(statement).fetchall()

    def count(self, statement: Any) -> int:
        """The only number of the only row."""
        return int(self.rows(statement)[0][0])


class _Facts(NamedTuple):
    plan: SystemPlan
    runs: dict[int, Any]
    moves: dict[int, list[Any]]
    all_moves: list[Any]
    grants: list[Any]
    slots: list[Any]
    edges: list[Any]
    lines: dict[int, list[JobLine]]
    evidence: Evidence


def violations_of(evidence: Evidence) -> list[str]:
    """What is not as it has to be, as sentences."""
    moves, lines = defaultdict(list), defaultdict(list)
    all_moves = evidence.rows(_MOVES)
    for move in all_moves:
        moves[move.run_id].append(move)
    for line in evidence.lines:
        lines[line.run_id].append(line)
    runs = {run.id: run for run in evidence.rows(_RUNS)}
    grants, slots, edges = (evidence.rows(statement) for statement in (_GRANTS, _SLOTS, _EDGES))
    facts = _Facts(evidence.plan, runs, moves, all_moves, grants, slots, edges, lines, evidence)
    checks = (
        _ended, _moves, _sessions, _served, _granted, _outcomes,
        _jobs_gone, _starts, _overlaps, _slots, _limits, _flows,
    )  # fmt: skip
    return [*evidence.faults, *(sentence for check in checks for sentence in check(facts))]


def _ended(facts: _Facts) -> Iterator[str]:
    for run_id in facts.evidence.acknowledged:
        if run_id not in facts.runs:
            yield f"run {run_id} was acknowledged and is lost"
    for run in facts.runs.values():
        if run.status not in _FINAL:
            yield f"run {run.id} of {run.name} is {run.status} for ever"
        if run.needs_settlement:
            yield f"run {run.id} of {run.name} was never settled"


def _moves(facts: _Facts) -> Iterator[str]:
    """Only legal moves; each start counts one attempt, and nothing else does."""
    for run_id, moves in facts.moves.items():
        for move in moves:
            before, after = TaskRunStatus(move.before), TaskRunStatus(move.after)
            if before is not after and after not in _moves_from(before):
                yield f"run {run_id} moved from {before} to {after}"
            started = int(after is TaskRunStatus.RUNNING and before is not after)
            if move.attempt - move.attempt_before != started:
                yield f"run {run_id} moved from {before} to {after} with attempts {move.attempt_before}, {move.attempt}"
            if move.cancel_requested and after is TaskRunStatus.PENDING and before is TaskRunStatus.RUNNING:
                yield f"run {run_id} goes on although its cancel was requested"


def _moves_from(before: TaskRunStatus) -> frozenset[TaskRunStatus]:
    # Groups, which these systems have not, are all that completes or fails without having been started.
    moves = TRANSITIONS[before]
    return moves - {TaskRunStatus.COMPLETED, TaskRunStatus.FAILED} if before is TaskRunStatus.PENDING else moves


def _sessions(facts: _Facts) -> Iterator[str]:
    """Only a session that is alive starts, ends or gives back a run; only of one that is not a run is lost."""
    for move in facts.all_moves:
        if move.losses == 0 and "RUNNING" in (move.before, move.after) and move.session_state != "ALIVE":
            yield f"run {move.run_id} became {move.after} by a session that is {move.session_state}"


def _served(facts: _Facts) -> Iterator[str]:
    """Only a session that serves the queue and the type of a run starts it."""
    for move in facts.all_moves:
        if move.after == "RUNNING" != move.before and not move.is_served:
            yield f"run {move.run_id} of {move.name} was started by session {move.session_id}, which does not serve it"


def _granted(facts: _Facts) -> Iterator[str]:
    """A run that was not released is started by the session that it was granted to in its stream, once a grant."""
    granted: Counter[tuple[int, int, int]] = Counter()
    named: dict[tuple[int, int, Any], set[int]] = defaultdict(set)
    used: dict[tuple[int, int, str], set[int]] = defaultdict(set)
    for event in sorted([*facts.all_moves, *facts.grants], key=lambda event: event.id):
        if hasattr(event, "granted_at"):
            grant, now = (event.session_id, event.stream_id, event.granted_at), set(event.run_ids)
            granted.update((event.session_id, event.stream_id, run_id) for run_id in now - named[grant])
            named[grant] = now
            if left := now & used[event.session_id, event.stream_id, event.change]:
                yield f"runs {sorted(left)} are granted to session {event.session_id} still, which has started them"
        elif (event.before, event.after) == ("PENDING", "RUNNING"):
            taken = event.session_id, event.stream_id, event.run_id
            granted[taken] -= 1
            if granted[taken] < 0:
                yield f"run {event.run_id} was started by session {event.session_id}, which it was not granted to"
            used[event.session_id, event.stream_id, event.change].add(event.run_id)


def _outcomes(facts: _Facts) -> Iterator[str]:
    """What is recorded is what the job of the last attempt did, and one thing alone."""
    for run in facts.runs.values():
        ends = [line for line in facts.lines[run.id] if line.what not in ("start", "killed")]
        if run.status == "COMPLETED" and (run.attempt, "COMPLETED") not in {(end.attempt, end.what) for end in ends}:
            yield f"run {run.id} is COMPLETED by attempt {run.attempt}, whose job did not complete"
        if run.status == "COMPLETED" and run.result != str(run.attempt):
            yield f"run {run.id} has the result {run.result} of another attempt than {run.attempt}"
        finals = [move.after for move in facts.moves[run.id] if move.after in _FINAL]
        if len(finals) > 1:
            yield f"run {run.id} has ended more than once: {', '.join(finals)}"


def _jobs_gone(facts: _Facts) -> Iterator[str]:
    """Nobody takes a run, be it lost, given back or ended, whose job is still there."""
    ended = {(line.run_id, line.attempt): line.at for line in facts.evidence.lines if line.what != "start"}
    begun = {(line.run_id, line.attempt): line.at for line in facts.evidence.lines if line.what == "start"}
    for move in facts.all_moves:
        key, at = (move.run_id, move.attempt_before), (move.at - EPOCH).total_seconds()
        if move.before == "RUNNING" and begun.get(key, _NEVER) < at < ended.get(key, _NEVER) - _TICK_SECONDS:
            yield f"run {move.run_id} became {move.after} at {at} while its job #{move.attempt_before} was there"


def _starts(facts: _Facts) -> Iterator[str]:
    """Each attempt starts one job at most, and there are no more attempts than were allowed."""
    for run in facts.runs.values():
        starts = Counter(line.attempt for line in facts.lines[run.id] if line.what == "start")
        yield from (f"attempt {a} of run {run.id} was started {n} times" for a, n in starts.items() if n > 1)
        if any(attempt > run.attempt for attempt in starts):
            yield f"run {run.id} was started as attempt {max(starts)}, and {run.attempt} are counted"
        if run.failures > run.max_retries + 1:
            yield f"run {run.id} failed {run.failures} times and may be tried again {run.max_retries} times"
        if run.attempt > run.failures + run.losses + run.hand_backs + 1:
            yield f"run {run.id} had {run.attempt} attempts without a reason"


def _overlaps(facts: _Facts) -> Iterator[str]:
    """No job is there while one of another attempt of its run is."""
    for run_id, lines in facts.lines.items():
        begun = {line.attempt: line.at for line in lines if line.what == "start"}
        ended = {line.attempt: line.at for line in lines if line.what != "start"}
        spans = sorted((at, ended.get(attempt, _NEVER), attempt) for attempt, at in begun.items())
        for (_, end, former), (begin, _, later) in pairwise(spans):
            if end > begin:
                yield f"attempts {former} and {later} of run {run_id} overlap from {begin} to {end}"


def _slots(facts: _Facts) -> Iterator[str]:
    """Each slot of a fixed rate has one entry; each entry one run or a reason; no run belongs to two."""
    taken = Counter(slot.run_id for slot in facts.slots if slot.run_id is not None)
    yield from (f"run {run_id} has {count} slots" for run_id, count in taken.items() if count > 1)
    recorded: Counter[str] = Counter()
    for slot in facts.slots:
        recorded[slot.name] += slot.count
        if (slot.run_id is None) == (slot.reason is None) or (
            slot.run_id is not None and slot.run_id not in facts.runs
        ):
            yield f"slot {slot.scheduled_at} of {slot.name} has run {slot.run_id} and reason {slot.reason}"
    for task in facts.plan.tasks:
        schedule = task.schedule
        if schedule is None or schedule.every is None or schedule.valid_from is None or schedule.valid_until is None:
            continue
        expected = (schedule.valid_until - schedule.valid_from) // timedelta(seconds=schedule.every)
        # The first one was due in the moment in which the task was made, just before or after it.
        if recorded[task.name] not in (expected, expected + 1):
            yield f"{task.name} has {recorded[task.name]} slots on record instead of {expected}"
        if task.overlap is not OverlapPolicy.ALLOW:
            yield from _apart(facts, task.name)


def _apart(facts: _Facts, name: str) -> Iterator[str]:
    """Runs of a task that must not overlap are not RUNNING together, those of its slots."""
    of_slots = {slot.run_id for slot in facts.slots if slot.name == name}
    running: set[int] = set()
    for move in facts.all_moves:
        if move.run_id in of_slots:
            running.discard(move.run_id)
            if move.after == "RUNNING":
                running.add(move.run_id)
            if len(running) > 1:
                yield f"slots of {name} overlap: runs {sorted(running)}"


def _limits(facts: _Facts) -> Iterator[str]:
    """No more runs of limited tasks are RUNNING at once than the limit says."""
    limited = {task.name for task in facts.plan.tasks if task.limits}
    running: set[int] = set()
    for move in facts.all_moves:
        if move.name in limited:
            running.discard(move.run_id)
            if move.after == "RUNNING":
                running.add(move.run_id)
            if len(running) > (facts.plan.limit.concurrent or _NEVER):
                yield f"limit {facts.plan.limit.concurrent} is exceeded by runs {sorted(running)}"


def _flows(facts: _Facts) -> Iterator[str]:
    """Nobody starts before those upstream have ended, nor in spite of how they have."""
    rules = {task.name: task.trigger_rule for task in facts.plan.tasks}
    upstream = defaultdict(list)
    for edge in facts.edges:
        if edge.upstream_run_id in facts.runs and not edge.regardless:
            upstream[edge.run_id].append(edge.upstream_run_id)
    ended_at = {move.run_id: move.id for move in facts.all_moves if move.after in _FINAL}
    for run_id, above in upstream.items():
        run = facts.runs[run_id]
        starts = [move.id for move in facts.moves[run_id] if move.after == "RUNNING"]
        if starts and any(ended_at.get(each, _NEVER) > starts[0] for each in above):
            yield f"run {run_id} of {run.name} started before those upstream had ended"
        all_well = all(facts.runs[each].status == "COMPLETED" for each in above)
        if starts and rules[run.name] == "all_success" and not all_well:
            yield f"run {run_id} of {run.name} ran although runs upstream did not complete"
        if not starts and run.status == "SKIPPED" and (all_well or rules[run.name] == "all_done"):
            yield f"run {run_id} of {run.name} was skipped although its rule held"
