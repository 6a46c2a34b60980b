"""Trigger rules: when a run may start, when it never can, and that the order of ends does not matter."""

import itertools

import pytest

from scheduler_core.decisions.trigger_rules import (
    Ending,
    Verdict,
    ending_of,
    rule_problem,
    rule_verdict,
    skip_reason_of,
)
from scheduler_core.models import SkipReason, TaskRunStatus
from scheduler_core.models.settlement import Endings

RULES = (None, "all_success", "all_done", "all_failed", "one_success", "one_failed", "none_failed", "at_least(2)")
S, F, K = Ending.SUCCESS, Ending.FAILURE, Ending.SKIP


def verdicts(rule: str | None, order: tuple[Ending, ...]) -> list[Verdict]:
    """What the rule says as the runs end one after the other."""
    return [
        rule_verdict(rule, Endings(len(order), *(order[:ended].count(kind) for kind in (S, F, K))))
        for ended in range(len(order) + 1)
    ]


@pytest.mark.parametrize(
    ("rule", "size"), [(rule, size) for rule in RULES for size in (1, 2, 3, 4) if rule != "at_least(2)" or size > 1]
)
def test_trigger_rules_decide_once_and_whatever_the_order(rule: str | None, size: int) -> None:
    """A verdict never changes again, it is there when all have ended, and it depends on the endings alone."""
    for endings in itertools.combinations_with_replacement((S, F, K), size):
        ends, reasons = set(), set()
        for order in set(itertools.permutations(endings)):
            told = verdicts(rule, order)
            first = next(index for index, verdict in enumerate(told) if verdict is not Verdict.WAIT)
            assert set(told[first:]) == {told[first]}, (rule, order, told)
            ends.add(told[first])
            if told[first] is Verdict.SKIP:
                counts = Endings(size, *(order[:first].count(kind) for kind in (S, F, K)))
                reasons.add(skip_reason_of(rule, counts))
        assert len(ends) == 1, (rule, endings)
        assert len(reasons) <= 1, (rule, endings, reasons)


@pytest.mark.parametrize(
    ("rule", "order", "runs"),
    [
        ("all_success", (S, S), True),
        ("all_success", (S, K), False),
        ("all_done", (F, K), True),
        ("all_failed", (F, F), True),
        ("all_failed", (F, K), False),
        ("one_success", (F, S), True),
        ("one_success", (F, K), False),
        ("one_failed", (S, F), True),
        ("one_failed", (S, K), False),
        ("none_failed", (S, K), True),
        ("none_failed", (K, K), True),
        ("none_failed", (S, F), False),
        ("at_least(2)", (S, F, S), True),
        ("at_least(2)", (S, F, K), False),
    ],
)
def test_trigger_rules_hold(rule: str, order: tuple[Ending, ...], runs: bool) -> None:
    """What each rule wants."""
    assert verdicts(rule, order)[-1] is (Verdict.RUN if runs else Verdict.SKIP)


@pytest.mark.parametrize(
    ("rule", "order", "ended"),
    [
        ("one_success", (S, F, F), 1),
        ("one_failed", (F, S, S), 1),
        ("at_least(2)", (S, S, F), 2),
        ("all_success", (F, S), 1),
    ],
)
def test_trigger_rules_do_not_wait_longer_than_they_must(rule: str, order: tuple[Ending, ...], ended: int) -> None:
    """A rule that holds, or that a failure has settled, is decided at once."""
    told = verdicts(rule, order)
    assert told[ended - 1] is Verdict.WAIT
    assert told[ended] is not Verdict.WAIT


def test_trigger_rules_hand_a_failure_on() -> None:
    """A skip that came of a failure is one downstream; a condition that was false, or a rule for failures, is not."""
    skipped = TaskRunStatus.SKIPPED
    assert ending_of(skipped, skip_reason_of("all_success", Endings(2, failures=1))) is F
    assert ending_of(skipped, skip_reason_of("all_success", Endings(2, successes=1, skips=1))) is K
    assert ending_of(skipped, skip_reason_of("one_failed", Endings(2, successes=2))) is K
    assert ending_of(skipped, SkipReason.WHEN_FALSE) is K
    assert ending_of(skipped, None) is F
    assert {ending_of(status, None) for status in (TaskRunStatus.CANCELLED, TaskRunStatus.TIMEOUT)} == {F}


@pytest.mark.parametrize(
    ("rule", "upstreams", "problem"),
    [
        ("all_success", 0, None),
        ("at_least(2)", 2, None),
        ("at_least(3)", 2, "at_least(3) can never hold: the task has only 2 dependencies. Lower the number."),
        ("at_least(0)", 2, "at_least(0) waits for nothing. Use a number of at least 1."),
        ("one_failed", 0, "one_failed can never hold: the task depends on no task of its flow"),
        ("any_success", 1, "There is no trigger rule 'any_success'. Use one of all_success,"),
    ],
)
def test_trigger_rules_are_checked(rule: str, upstreams: int, problem: str | None) -> None:
    """What is no rule, or can never hold, is told with the remedy."""
    found = rule_problem(rule, upstreams)
    assert found is None if problem is None else str(found).startswith(problem)
