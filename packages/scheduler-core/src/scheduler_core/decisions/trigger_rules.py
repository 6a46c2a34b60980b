"""When a run may start, or can never start any more, by how the runs upstream of it have ended."""

import re
from enum import Enum
from typing import Final, NamedTuple

from scheduler_core.models import ALL_SUCCESS, FAILURE_SKIPS, SkipReason, TaskRunStatus
from scheduler_core.models.settlement import Endings

_AT_LEAST: Final = re.compile(r"at_least\(\s*(\d{1,6})\s*\)")
_RULES: Final = ("all_success", "all_done", "all_failed", "one_success", "one_failed", "none_failed")


class Ending(Enum):
    """What a run that has ended is to those who wait for it."""

    SUCCESS = "success"
    FAILURE = "failure"
    SKIP = "skip"


class Verdict(Enum):
    """What a trigger rule says."""

    WAIT = "wait"
    RUN = "run"
    SKIP = "skip"


def ending_of(status: TaskRunStatus, skip_reason: SkipReason | None) -> Ending:
    """What a final status is to the trigger rules downstream; a skip that came of a failure is a failure.

    A SKIPPED run without a reason is one that version 0002 has skipped, always for a failure.
    """
    if status is TaskRunStatus.COMPLETED:
        return Ending.SUCCESS
    if status is TaskRunStatus.SKIPPED and skip_reason is not None and skip_reason not in FAILURE_SKIPS:
        return Ending.SKIP
    return Ending.FAILURE


def rule_verdict(rule: str | None, endings: Endings) -> Verdict:
    """RUN as soon as the rule holds for good, SKIP as soon as it cannot hold any more, WAIT in between.

    None is all_success. A run without upstream runs may start. A rule that cannot hold because of skips waits for
    the others all the same: whether a failure is handed on must not depend on who ends first.

    >>> rule_verdict("one_failed", Endings(total=3, successes=1, failures=1))
    <Verdict.RUN: 'run'>
    >>> rule_verdict("at_least(2)", Endings(total=3, failures=2))
    <Verdict.SKIP: 'skip'>
    """
    if endings.total == 0:
        return Verdict.RUN
    needed = _needed(rule or ALL_SUCCESS, endings.total)
    if endings.failures > needed.failures_max:
        return Verdict.SKIP
    ended = endings.total - endings.open
    if endings.successes >= needed.successes and endings.failures >= needed.failures and ended >= needed.ends:
        return Verdict.RUN
    if endings.failures + endings.open < needed.failures:
        return Verdict.SKIP
    if endings.successes + endings.open < needed.successes and (endings.failures or not endings.open):
        return Verdict.SKIP
    return Verdict.WAIT


def skip_reason_of(rule: str | None, endings: Endings) -> SkipReason:
    """Why a run is skipped whose rule cannot hold any more.

    A rule that waits for success and meets a failure hands the failure on; one that waits for a failure does not.
    """
    needed = _needed(rule or ALL_SUCCESS, endings.total)
    if needed.failures:
        return SkipReason.RULE_UNMET
    return SkipReason.UPSTREAM_FAILED if endings.failures else SkipReason.UPSTREAM_SKIPPED


def rule_problem(rule: str, upstreams: int) -> str | None:
    """Why a rule cannot be accepted for a task with so many dependencies within its flow; None when it can.

    >>> rule_problem("at_least(3)", 2)
    'at_least(3) can never hold: the task has only 2 dependencies. Lower the number.'
    """
    match = _AT_LEAST.fullmatch(rule)
    if match is None and rule not in _RULES:
        return f"There is no trigger rule '{rule[:50]}'. Use one of {', '.join(_RULES)} and at_least(N)."
    if upstreams == 0 and rule != ALL_SUCCESS:
        return f"{rule} can never hold: the task depends on no task of its flow. Name dependencies, or leave it out."
    if match and int(match[1]) > upstreams:
        word = "dependency" if upstreams == 1 else "dependencies"
        return f"{rule} can never hold: the task has only {upstreams} {word}. Lower the number."
    if match and int(match[1]) == 0:
        return f"{rule} waits for nothing. Use a number of at least 1."
    return None


class _Needed(NamedTuple):
    successes: int = 0
    failures: int = 0
    ends: int = 0
    failures_max: float = float("inf")


def _needed(rule: str, total: int) -> _Needed:
    if match := _AT_LEAST.fullmatch(rule):
        return _Needed(successes=int(match[1]))
    return {
        "all_success": _Needed(successes=total),
        "all_done": _Needed(ends=total),
        "all_failed": _Needed(failures=total),
        "one_success": _Needed(successes=1),
        "one_failed": _Needed(failures=1),
        "none_failed": _Needed(ends=total, failures_max=0),
    }[rule]
