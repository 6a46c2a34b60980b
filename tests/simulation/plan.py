"""What a seed says: which system it is, what its users do, and what goes wrong and when."""

import random
from datetime import timedelta
from typing import Any, NamedTuple

from fixtures.simulated_schema import EPOCH
from scheduler_core.models import LimitDefinition, MisfirePolicy, OverlapPolicy, RetryPolicy, Schedule, TaskDefinition

BEGAN_AT = 1000.0
"""What the loop's time is when a simulation begins."""

FAULTS_SECONDS = 5.0
"""For so long slots are due and things begin to go wrong."""

LEASE_SECONDS = 3.0

_QUEUES = (("default", "other"), ("default",), ("other",))

FAULTS = (
    "kill", "kill", "freeze", "freeze", "block", "cut", "cut", "loss", "loss", "slowness", "stop",
    "wire_down", "wire_faulty", "wake",
)  # fmt: skip
"""What happens to a process, or to the wire, at a moment."""

_LASTING = frozenset({"freeze", "block", "cut", "loss", "slowness", "wire_down", "wire_faulty", "pause"})

TRAPS = ("trap_kill", "trap_lost", "trap_freeze", "trap_stale", "trap_slow", "trap_inside")
"""What happens to a process when it sends a statement: it is killed, the connection breaks, it stands still; it
stands still and the statement is on its way for longer than its lease; the statement is on its way for long, or stops
at its beginning. The latter two are over before anybody has lost patience: what others do meanwhile is what they are
for."""

OVERTAKEN = "trap_overtaken"
"""Whichever worker first sends a statement about its runs stands still, and the statement arrives when another worker
runs one of them."""

OF_WORKERS = (
    *("finish_runs.sql",) * 4, "claim_runs.sql", "claim_runs.sql", "limit_key_states.sql", "claim_limited_runs.sql",
    "claim_granted_runs.sql", "renew_session.sql", "hand_back_runs.sql", "open_session.sql", "exit",
)  # fmt: skip
_ABOUT_THEIR_RUNS = (*("finish_runs.sql",) * 4, "hand_back_runs.sql")
OF_DISPATCHERS = (
    "create_flows.sql", "advance_schedules.sql", "take_due_schedules.sql", "admit_runs.sql", "lock_admissible_runs.sql",
    "reap_sessions.sql", "write_verdicts.sql", "hold_window.sql", "exit", "exit", "exit",
)  # fmt: skip


class Happening(NamedTuple):
    """At `at` seconds from the beginning something is done, to the process of that number where it is about one.

    A trap is set at that moment for the next `statement` that the process sends.
    """

    at: float
    what: str
    target: int
    seconds: float
    statement: str = ""

    @property
    def ends_at(self) -> float:
        """When it is over, as far as the plan knows."""
        return self.at + (self.seconds if self.what in _LASTING else 0.0)


class SystemPlan(NamedTuple):
    """One system and what happens to it."""

    seed: int
    workers: tuple[int, ...]
    queues: tuple[tuple[str, ...], ...]
    dispatchers: int
    latency_seconds: float
    shares_host: bool
    keeps_worker_ids: bool
    tasks: tuple[TaskDefinition, ...]
    limit: LimitDefinition
    happenings: tuple[Happening, ...]


def plan_of(seed: int) -> SystemPlan:
    """The system of a seed, always the same."""
    rng = random.Random(seed)
    workers = tuple(rng.choice((1, 2, 4)) for _ in range(rng.choice((1, 2, 2, 3))))
    dispatchers = rng.choice((1, 1, 2))
    tasks = _tasks(rng)
    return SystemPlan(
        seed=seed,
        workers=workers,
        # The first one takes all that there is.
        queues=tuple(rng.choice(_QUEUES) if number else _QUEUES[0] for number in range(len(workers))),
        dispatchers=dispatchers,
        latency_seconds=rng.choice((0.002, 0.002, 0.02, 0.1)),
        shares_host=rng.random() < 0.3,
        keeps_worker_ids=rng.random() < 0.5,
        tasks=tasks,
        limit=LimitDefinition(name="few", concurrent=rng.choice((1, 1, 2))),
        happenings=tuple(sorted([*_uses(rng, tasks), *_faults(rng, len(workers), dispatchers)])),
    )


def _tasks(rng: random.Random) -> tuple[TaskDefinition, ...]:
    scheduled = [_definition(rng, f"slots-{number}", schedule=_schedule(rng)) for number in range(rng.choice((1, 2)))]
    # Of each queue as many are offered as could start if no others were: who starts is decided by who comes first.
    limited = [
        _definition(rng, "limited", limits=("few",)),
        _definition(rng, "limited-too", limits=("few",), queue="other"),
    ]
    flow = [
        _definition(rng, "top", schedule=_schedule(rng) if rng.random() < 0.3 else None),
        _definition(rng, "left", dependencies=("top",)),
        _definition(rng, "right", dependencies=("top",), limits=("few",) if rng.random() < 0.3 else ()),
        _definition(
            rng, "bottom", dependencies=("left", "right"), trigger_rule=rng.choice(("all_success", "all_done"))
        ),
    ]
    alone = [
        _definition(rng, "alone", background=rng.random() < 0.2),
        _definition(rng, "chosen", strategy=rng.choice(("round_robin", "least_loaded"))),
    ]
    return tuple(scheduled + limited + flow + alone)


def _definition(rng: random.Random, name: str, **changes: Any) -> TaskDefinition:
    return TaskDefinition(
        name=name,
        task_type="python",
        parameters={"callable": "nothing:at_all"},
        timeout_seconds=rng.choice((None, 2.0, 10.0)),
        max_retries=rng.choice((0, 1, 2)),
        retry=RetryPolicy(delay_seconds=rng.choice((0.0, 0.5, 2.0))),
        max_losses=rng.choice((1, 3, 5, 5)),
        queue_timeout_seconds=30.0 if rng.random() < 0.1 else None,
        total_timeout_seconds=8.0 if rng.random() < 0.1 else None,
        misfire=rng.choice(tuple(MisfirePolicy)),
        misfire_grace_seconds=rng.choice((None, 2.0)),
        overlap=rng.choice(tuple(OverlapPolicy)),
        **changes,
    )


def _schedule(rng: random.Random) -> Schedule:
    begin = EPOCH + timedelta(seconds=BEGAN_AT)
    until = begin + timedelta(seconds=FAULTS_SECONDS)
    if rng.random() < 0.15:
        return Schedule(after_end=rng.choice((1, 3)), valid_until=until)
    return Schedule(every=rng.choice((2, 3)), valid_from=begin, valid_until=until)


def _uses(rng: random.Random, tasks: tuple[TaskDefinition, ...]) -> list[Happening]:
    def use(what: str, target: int, seconds: float = 0.0) -> Happening:
        return Happening(rng.uniform(0.0, FAULTS_SECONDS * rng.choice((0.3, 1.0))), what, target, seconds)

    found = [use("trigger", rng.randrange(len(tasks)), rng.choice((1, 1, 2, 3))) for _ in range(rng.randint(2, 4))]
    if rng.random() < 0.4:
        limited = [number for number, task in enumerate(tasks) if task.limits]
        found += [use("trigger", number, 2)._replace(at=found[0].at) for number in limited]
    found += [use("cancel", rng.randrange(1000)) for _ in range(rng.choice((0, 0, 1, 2)))]
    if rng.random() < 0.3:
        found.append(use("pause", rng.randrange(len(tasks)), rng.uniform(0.5, 4.0)))
    return found


def _faults(rng: random.Random, workers: int, dispatchers: int) -> list[Happening]:
    found = []
    for _ in range(rng.choice((0, 3, 4, 5, 6))):
        is_worker = rng.random() < 0.75
        target = rng.randrange(workers) if is_worker else workers + rng.randrange(dispatchers)
        at, what, seconds = rng.uniform(0.2, FAULTS_SECONDS), rng.choice(FAULTS), rng.choice((1.0, 3.0, 5.0, 7.0))
        statement = ""
        if rng.random() < 0.6:
            what, statement = rng.choice(TRAPS), rng.choice(OF_WORKERS if is_worker else OF_DISPATCHERS)
            at /= 2
        found.append(Happening(at, what, target, seconds, statement))
    if workers > 1 and rng.random() < 0.4:
        found.append(Happening(rng.uniform(0.0, FAULTS_SECONDS / 2), OVERTAKEN, 0, 0.0, rng.choice(_ABOUT_THEIR_RUNS)))
    return found
